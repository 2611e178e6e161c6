"""The text of a cell for a response to each type of question.

A reader is made once for a question and then reads every response to it. Each piece becomes plain text, is
escaped, and is joined with the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

from models.content.html_text import plain_text
from models.content.questions import Answer, Question
from models.errors import IssueKind
from models.lms.quizzes import QuestionType
from models.payloads.json_values import to_id, to_text

Entry = Mapping[str, Any]

SEND_QUIZ_DATA: Final = "if the attempt had it, send its quiz_data"


class InvalidResponseError(Exception):
    """A key of a response has an invalid value."""

    def __init__(self, key: str, reason: str, kind: IssueKind = IssueKind.INVALID_VALUE) -> None:
        super().__init__(f"{key} {reason}")
        self.key = key
        self.reason = reason
        self.kind = kind


class Reader(Protocol):
    """Reads the responses to one question."""

    def read(self, entry: Entry, attachments: Mapping[int, str], /) -> str:
        """Return the text of a response, "" for no response; raise InvalidResponseError."""


def read_id(entry: Entry, key: str) -> int | None:
    """Return the id at a key, None if nothing was chosen."""
    value = entry.get(key)
    if value is None or value == "":
        return None
    try:
        return to_id(value)
    except ValueError as error:
        raise InvalidResponseError(key, str(error)) from None


def _read_text(entry: Entry, key: str) -> str:
    try:
        return plain_text(to_text(entry.get(key)))
    except ValueError as error:
        raise InvalidResponseError(key, str(error)) from None


def _escaped(piece: str) -> str:
    return piece.replace(",", "\\,")


def _escaped_side(piece: str) -> str:
    return _escaped(piece).replace("=>", "\\=>")


class _FreeText:
    """Short answers, essays and numbers: the text of the response."""

    def __init__(self, question: Question) -> None:
        pass

    def read(self, entry: Entry, _attachments: Mapping[int, str], /) -> str:
        return _read_text(entry, "text")


class _NoResponse:
    """A text block between questions has no response."""

    def __init__(self, question: Question) -> None:
        pass

    def read(self, _entry: Entry, _attachments: Mapping[int, str], /) -> str:
        return ""


class _Blanks:
    """A text for each blank, in the blanks' order; an empty text keeps its position."""

    def __init__(self, question: Question) -> None:
        self._keys = [f"answer_for_{blank}" for blank in question.blanks]
        self._known = frozenset(self._keys)

    def read(self, entry: Entry, _attachments: Mapping[int, str], /) -> str:
        _require_known(entry, "answer_for_", self._known, "a blank of the question")
        return ",".join(_escaped(_read_text(entry, key)) for key in self._keys)


class _Dropdowns:
    """The label of the answer chosen for each blank, in the blanks' order."""

    def __init__(self, question: Question) -> None:
        self._labels: dict[str, dict[int, str]] = {blank: {} for blank in question.blanks}
        for answer in question.answers:
            self._labels[answer.blank_id][answer.id] = _escaped(answer.label)
        self._known = frozenset(f"answer_for_{blank}" for blank in self._labels)

    def read(self, entry: Entry, _attachments: Mapping[int, str], /) -> str:
        _require_known(entry, "answer_for_", self._known, "a blank of the question")
        return ",".join(self._chosen(entry, blank, labels) for blank, labels in self._labels.items())

    @staticmethod
    def _chosen(entry: Entry, blank: str, labels: Mapping[int, str]) -> str:
        for key in (f"answer_id_for_{blank}", f"answer_for_{blank}"):
            if (answer_id := read_id(entry, key)) is not None:
                return _find(labels, answer_id, key, "an answer of this blank")
        return ""


class _MultipleAnswers:
    """The labels of the chosen answers, in the question's order."""

    def __init__(self, question: Question) -> None:
        self._labels = {f"answer_{answer.id}": _escaped(answer.label) for answer in question.answers}

    def read(self, entry: Entry, _attachments: Mapping[int, str], /) -> str:
        _require_known(entry, "answer_", self._labels.keys(), "an answer of the question", by_id=True)
        return ",".join(label for key, label in self._labels.items() if self._is_chosen(entry, key))

    @staticmethod
    def _is_chosen(entry: Entry, key: str) -> bool:
        value = entry.get(key)
        if value == "1":
            return True
        if value is None or value in ("0", ""):
            return False
        raise InvalidResponseError(key, 'must be "1" or "0"')


class _Matching:
    """`left=>right` for each left side, in the question's order; `left=>` if nothing was chosen."""

    def __init__(self, question: Question) -> None:
        self._lefts = {f"answer_{answer.id}": _left(answer) for answer in question.answers}
        self._rights = {
            answer.match_id: _escaped_side(plain_text(answer.right))
            for answer in question.answers
            if answer.match_id is not None
        }
        for match in question.matches:
            self._rights[match.match_id] = _escaped_side(plain_text(match.text))

    def read(self, entry: Entry, _attachments: Mapping[int, str], /) -> str:
        _require_known(entry, "answer_", self._lefts.keys(), "an answer of the question", by_id=True)
        return ",".join(f"{left}=>{self._right(entry, key)}" for key, left in self._lefts.items())

    def _right(self, entry: Entry, key: str) -> str:
        match_id = read_id(entry, key)
        return "" if match_id is None else _find(self._rights, match_id, key, "a match of the question")


def _left(answer: Answer) -> str:
    return _escaped_side(answer.label or plain_text(answer.left))


class _Calculated:
    """`name=>value` for each variable that was shown, then the response."""

    def __init__(self, question: Question) -> None:
        variables = question.answers[0].variables if question.answers else ()
        self._variables = [
            f"{_escaped_side(plain_text(variable.name))}=>{_escaped_side(plain_text(variable.value))}"
            for variable in variables
        ]

    def read(self, entry: Entry, _attachments: Mapping[int, str], /) -> str:
        return ",".join([*self._variables, _escaped_side(_read_text(entry, "text"))])


class _FileUpload:
    """The display name of the first attachment."""

    def __init__(self, question: Question) -> None:
        pass

    def read(self, entry: Entry, attachments: Mapping[int, str], /) -> str:
        ids = entry.get("attachment_ids")
        if ids is None:
            return ""
        if not isinstance(ids, list):
            raise InvalidResponseError("attachment_ids", "must be a list")
        first = next(_attachment_ids(ids), None)
        if first is None:
            return ""
        return plain_text(_find(attachments, first, "attachment_ids", "an attachment of the submission", ""))


def _attachment_ids(ids: list[Any]) -> Iterator[int]:
    for index in range(len(ids)):
        key = f"attachment_ids[{index}]"
        attachment_id = read_id({key: ids[index]}, key)
        if attachment_id is not None:
            yield attachment_id


def _find(
    texts: Mapping[int, str], number: int, key: str, what: str, remedy: str = f"; {SEND_QUIZ_DATA}"
) -> str:
    if (text := texts.get(number)) is None:
        raise InvalidResponseError(key, f"{number} is not {what}{remedy}", IssueKind.UNKNOWN_ANSWER)
    return text


def _require_known(entry: Entry, prefix: str, known: Any, what: str, *, by_id: bool = False) -> None:
    for key in entry:
        if key.startswith(prefix) and key not in known and (not by_id or key[len(prefix) :].isdecimal()):
            raise InvalidResponseError(
                key[:100], f"does not name {what}; {SEND_QUIZ_DATA}", IssueKind.UNKNOWN_ANSWER
            )


READERS: Final[Mapping[QuestionType, Callable[[Question], Reader]]] = {
    QuestionType.SHORT_ANSWER: _FreeText,
    QuestionType.ESSAY: _FreeText,
    QuestionType.NUMERICAL: _FreeText,
    QuestionType.FILL_IN_BLANKS: _Blanks,
    QuestionType.DROPDOWNS: _Dropdowns,
    QuestionType.MULTIPLE_ANSWERS: _MultipleAnswers,
    QuestionType.MATCHING: _Matching,
    QuestionType.CALCULATED: _Calculated,
    QuestionType.FILE_UPLOAD: _FileUpload,
    QuestionType.TEXT_ONLY: _NoResponse,
}
