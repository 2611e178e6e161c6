"""The questions as attempts saw them: most attempts of a quiz send the same, so each is read once."""

from __future__ import annotations

import msgspec

from models.content.questions import Question, digest, find_repeated, read_question
from models.errors import InvalidInputError, ValidationIssue
from models.ingestion.question_sets import WantedQuestionSet
from models.payloads.json_values import at, decode
from models.payloads.strict_json import require_strict

_MOST_QUESTION_SETS = 200
_MOST_QUESTIONS = 10_000

Known = tuple[Question, bytes] | None


class QuizDataReader:
    """Reads the `quiz_data` of attempts, and remembers questions by the bytes that they came in."""

    def __init__(self) -> None:
        self._question_sets: dict[bytes, WantedQuestionSet] = {}
        self._questions: dict[bytes, Known] = {}

    def read(self, source: bytes, path: str) -> WantedQuestionSet:
        """Read JSON that stands at a place; raise InvalidInputError with all that is wrong with it."""
        if (question_set := self._question_sets.get(source)) is not None:
            return question_set
        if len(self._question_sets) >= _MOST_QUESTION_SETS:
            self._question_sets = {}
        if len(self._questions) >= _MOST_QUESTIONS:
            self._questions = {}
        question_set = self._question_sets[source] = self._read(source, path)
        return question_set

    def _read(self, source: bytes, path: str) -> WantedQuestionSet:
        entries = decode(source, list[msgspec.Raw], path)
        known: list[tuple[str, Question, bytes]] = []
        issues: list[ValidationIssue] = []
        for index, entry in enumerate(entries):
            here = at(path, index)
            try:
                if question := self._read_question(bytes(entry), here):
                    known.append((here, *question))
            except InvalidInputError as error:
                issues += error.issues
        issues += find_repeated((here, question) for here, question, _ in known)
        if issues:
            raise InvalidInputError(issues)
        return WantedQuestionSet([question for _, question, _ in known], [digest for _, _, digest in known])

    def _read_question(self, source: bytes, path: str) -> Known:
        if source in self._questions:
            return self._questions[source]
        require_strict(source, path)
        question, issues = read_question(msgspec.json.decode(source), path)
        if issues:
            raise InvalidInputError(issues)
        known = self._questions[source] = (question, digest(question)) if question else None
        return known
