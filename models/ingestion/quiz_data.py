"""The questions that attempts send: most attempts of a quiz send the same ones, so each is read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from models.content.questions import Question, digest, unshuffled
from models.errors import InvalidInputError, IssueKind, ValidationIssue
from models.ingestion.question_sets import PushedQuestionSet
from models.payloads.json_values import at, decode
from models.payloads.questions import MOST_QUESTIONS, PushedQuestion, find_repeated, read_entry
from models.payloads.strict_json import MOST_ENTRIES, require_strict

_MAX_QUESTION_SETS: Final = 200
_MAX_QUESTIONS: Final = 10_000
_MAX_BYTES: Final = 16 * 2**20

# A question with its digest; None for a question group.
_Read = tuple[Question, bytes] | None


class QuizDataReader:
    """Reads the `quiz_data` of attempts, with caches of question sets and questions by their JSON.

    `present` returns the quiz's present questions by id, whose order of answers all attempts take.
    """

    def __init__(self, present: Callable[[], Mapping[int, Question]]) -> None:
        self._present = present
        self._question_sets: dict[bytes, PushedQuestionSet] = {}
        self._questions: dict[bytes, _Read] = {}
        self._size = 0

    def read(self, source: bytes, path: str) -> PushedQuestionSet:
        """Read the JSON at a path; raise InvalidInputError with every issue."""
        if (question_set := self._question_sets.get(source)) is not None:
            return question_set
        if self._size >= _MAX_BYTES:
            self._question_sets, self._questions, self._size = {}, {}, 0
        if len(self._question_sets) >= _MAX_QUESTION_SETS:
            self._question_sets = {}
        if len(self._questions) >= _MAX_QUESTIONS:
            self._questions = {}
        self._size += len(source)
        question_set = self._question_sets[source] = self._read(source, path)
        return question_set

    def _read(self, source: bytes, path: str) -> PushedQuestionSet:
        if source.count(b",") >= MOST_ENTRIES:
            require_strict(source, path)
        entries = decode(source, list[msgspec.Raw], path)
        if len(entries) > MOST_QUESTIONS:
            raise InvalidInputError(
                [ValidationIssue(path, f"has more than {MOST_QUESTIONS} entries", IssueKind.TOO_LONG)]
            )
        questions: list[tuple[str, Question, bytes]] = []
        issues: list[ValidationIssue] = []
        for index, entry in enumerate(entries):
            entry_path = at(path, index)
            try:
                if read := self._read_question(bytes(entry), entry_path):
                    questions.append((entry_path, *read))
            except InvalidInputError as error:
                issues += error.issues
            if len(issues) >= InvalidInputError.MOST_ISSUES:
                break
        issues += find_repeated((entry_path, question.id) for entry_path, question, _ in questions)
        if issues:
            raise InvalidInputError(issues)
        return PushedQuestionSet(
            [question for _, question, _ in questions], [digest for _, _, digest in questions]
        )

    def _read_question(self, source: bytes, path: str) -> _Read:
        if source in self._questions:
            return self._questions[source]
        require_strict(source, path)
        pushed, issues = read_entry(source, path)
        if issues:
            raise InvalidInputError(issues)
        read: _Read = None
        if isinstance(pushed, PushedQuestion):
            question = Question.of(pushed)
            question = unshuffled(question, self._present().get(question.id))
            read = question, digest(question)
        self._questions[source] = read
        return read
