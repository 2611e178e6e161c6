"""The questions as attempts saw them: most attempts of a quiz send the same, so each is read once."""

from __future__ import annotations

import msgspec

from models.content.questions import Question, digest, find_repeated, read_question
from models.errors import InvalidInputError, Problem
from models.ingestion.question_sets import WantedForm
from models.payloads.json_values import at, decode
from models.payloads.strict_json import require_sound

_MOST_FORMS = 200
_MOST_QUESTIONS = 10_000

Known = tuple[Question, bytes] | None


class QuizDataReader:
    """Reads the `quiz_data` of attempts, and remembers questions by the bytes that they came in."""

    def __init__(self) -> None:
        self._forms: dict[bytes, WantedForm] = {}
        self._questions: dict[bytes, Known] = {}

    def read(self, source: bytes, place: str) -> WantedForm:
        """Read JSON that stands at a place; raise InvalidInputError with all that is wrong with it."""
        if (form := self._forms.get(source)) is not None:
            return form
        if len(self._forms) >= _MOST_FORMS:
            self._forms = {}
        if len(self._questions) >= _MOST_QUESTIONS:
            self._questions = {}
        form = self._forms[source] = self._read(source, place)
        return form

    def _read(self, source: bytes, place: str) -> WantedForm:
        entries = decode(source, list[msgspec.Raw], place)
        known: list[tuple[str, Question, bytes]] = []
        problems: list[Problem] = []
        for index, entry in enumerate(entries):
            here = at(place, index)
            try:
                if question := self._read_question(bytes(entry), here):
                    known.append((here, *question))
            except InvalidInputError as error:
                problems += error.problems
        problems += find_repeated((here, question) for here, question, _ in known)
        if problems:
            raise InvalidInputError(problems)
        return WantedForm([question for _, question, _ in known], [digest for _, _, digest in known])

    def _read_question(self, source: bytes, place: str) -> Known:
        if source in self._questions:
            return self._questions[source]
        require_sound(source, place)
        question, problems = read_question(msgspec.json.decode(source), place)
        if problems:
            raise InvalidInputError(problems)
        known = self._questions[source] = (question, digest(question)) if question else None
        return known
