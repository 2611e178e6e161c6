"""The text of a cell for a response to each type of question.

A reader is made once for a question and then reads every response to it. Each piece becomes plain text, is
escaped, and is joined with the others. A response that was given to a question of another type is refused,
since the question has changed after the attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from models.content.entry_fit import (
    CHOICE_KEYS,
    NOT_CHOSEN,
    SEND_QUIZ_DATA,
    TYPE_MISFIT,
    UPLOAD_KEYS,
    Entry,
    InvalidResponseError,
    Part,
    read_id,
    require_fit,
)
from models.content.html_text import plain_text
from models.content.questions import Answer, Question
from models.errors import IssueKind
from models.lms.quizzes import QuestionType
from models.payloads.json_values import to_text

# Raise it with every change that makes another text, or another count, from the same payload.
TEXT_VERSION: Final = 1


class Reader(Protocol):
    """Reads the responses to one question."""

    def read(self, entry: Entry, attachments: Mapping[int, str], /) -> str:
        """Return the text of a response, "" for no response; raise InvalidResponseError."""


def _read_text(entry: Entry, key: str) -> str:
    try:
        return plain_text(to_text(entry.get(key)))
    except ValueError as error:
        raise InvalidResponseError(key, str(error)) from None


def _escaped(piece: str) -> str:
    return piece.replace(",", "\\,")


def _escaped_side(piece: str) -> str:
    return _escaped(piece).replace("=>", "\\=>")


class _Essay:
    """The text of the response."""

    def __init__(self, question: Question) -> None:
        pass

    def read(self, entry: Entry, _attachments: Mapping[int, str], /) -> str:
        require_fit(entry, reads_text=True)
        return _read_text(entry, "text")


class _ShortAnswer:
    """Short answers and numbers: the text of the response; an answer id names the answer that it equals."""

    def __init__(self, question: Question) -> None:
        self._answers = _accepted_answers(question)

    def read(self, entry: Entry, _attachments: Mapping[int, str], /) -> str:
        require_fit(entry, CHOICE_KEYS, Part.CHOICE, reads_text=True)
        text = _read_text(entry, "text")
        if (answer_id := read_id(entry, "answer_id")) is not None:
            _require_typed(text, answer_id, self._answers, "answer_id")
        return text


def _accepted_answers(question: Question) -> Mapping[int, str | None]:
    """Return the accepted answers by id; the text of a numerical one is not known."""
    is_text = question.question_type is not QuestionType.NUMERICAL
    return {answer.id: answer.label if is_text else None for answer in question.answers}


def _require_typed(text: str, answer_id: int, answers: Mapping[int, str | None], key: str) -> None:
    """Raise InvalidResponseError if a text is the id of a chosen answer instead of what was typed."""
    if answer_id not in answers:
        is_choice = text in ("", str(answer_id))
    else:
        is_choice = text == str(answer_id) and answers[answer_id] not in (None, text)
    if is_choice:
        raise InvalidResponseError(key, TYPE_MISFIT)


class _TextBlock:
    """A text between questions has no response."""

    def __init__(self, question: Question) -> None:
        pass

    def read(self, entry: Entry, _attachments: Mapping[int, str], /) -> str:
        require_fit(entry)
        return ""


def _keys_of(blanks: Iterable[str]) -> frozenset[str]:
    return frozenset(f"{prefix}_{blank}" for blank in blanks for prefix in ("answer_for", "answer_id_for"))


class _Blanks:
    """A text for each blank that was filled in, in the blanks' order; an empty text keeps its position."""

    def __init__(self, question: Question) -> None:
        self._blanks = question.blanks
        self._known = _keys_of(self._blanks)
        self._answers = _accepted_answers(question)

    def read(self, entry: Entry, _attachments: Mapping[int, str], /) -> str:
        require_fit(entry, self._known, Part.BLANK)
        return ",".join(
            _escaped(self._text(entry, blank))
            for blank in self._blanks
            if entry.get(f"answer_for_{blank}") is not None
        )

    def _text(self, entry: Entry, blank: str) -> str:
        key = f"answer_for_{blank}"
        text = _read_text(entry, key)
        answer_id = read_id(entry, f"answer_id_for_{blank}")
        if answer_id is not None and text:
            _require_typed(text, answer_id, self._answers, key)
        return text


class _Dropdowns:
    """The labels of the chosen answers, in the order of their blanks."""

    def __init__(self, question: Question) -> None:
        self._labels: dict[str, dict[int, str]] = {blank: {} for blank in question.blanks}
        for answer in question.answers:
            self._labels[answer.blank_id][answer.id] = _escaped(answer.label)
        self._known = _keys_of(self._labels)

    def read(self, entry: Entry, _attachments: Mapping[int, str], /) -> str:
        require_fit(entry, self._known, Part.BLANK, nothing=(None, ""))
        return ",".join(self._chosen(entry))

    def _chosen(self, entry: Entry) -> Iterator[str]:
        for blank, labels in self._labels.items():
            for key in (f"answer_id_for_{blank}", f"answer_for_{blank}"):
                if (answer_id := _read_answer_id(entry, key)) is not None:
                    yield _find(labels, answer_id, key, "an answer of this blank")
                    break


def _read_answer_id(entry: Entry, key: str) -> int | None:
    """Return the id of a chosen answer; a text that is no id was given to a question of another type."""
    try:
        return read_id(entry, key)
    except InvalidResponseError as error:
        raise InvalidResponseError(key, f"{error.reason}; {SEND_QUIZ_DATA}") from None


class _MultipleAnswers:
    """The labels of the chosen answers, in the question's order."""

    def __init__(self, question: Question) -> None:
        self._labels = {f"answer_{answer.id}": _escaped(answer.label) for answer in question.answers}

    def read(self, entry: Entry, _attachments: Mapping[int, str], /) -> str:
        require_fit(entry, self._labels.keys(), Part.SELECTION, nothing=NOT_CHOSEN)
        return ",".join(label for key, label in self._labels.items() if self._is_chosen(entry, key))

    @staticmethod
    def _is_chosen(entry: Entry, key: str) -> bool:
        value = entry.get(key)
        if value == "1":
            return True
        if value in NOT_CHOSEN:
            return False
        # Another value may be the match of a question that had another type.
        remedy = "" if value in (0, 1) else f"; {SEND_QUIZ_DATA}"
        raise InvalidResponseError(key, f'must be the text "1" or "0"{remedy}')


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
        # A pair that the question lacks would be missing even where nothing was chosen.
        require_fit(entry, self._lefts.keys(), Part.SELECTION, nothing=())
        return ",".join(f"{left}=>{self._right(entry, key)}" for key, left in self._lefts.items())

    def _right(self, entry: Entry, key: str) -> str:
        match_id = _read_answer_id(entry, key)
        return "" if match_id is None else _find(self._rights, match_id, key, "a match of the question")


def _left(answer: Answer) -> str:
    return _escaped_side(answer.label or plain_text(answer.left))


class _Calculated:
    """`name=>value` for each variable that was shown, then the response.

    The answer id names the set of variables that was drawn; without one, it is the first.
    """

    def __init__(self, question: Question) -> None:
        self._sets = {answer.id: answer for answer in question.answers if answer.id}
        self._first = question.answers[0] if question.answers else Answer()
        self._texts: dict[int, Sequence[str]] = {}

    def read(self, entry: Entry, _attachments: Mapping[int, str], /) -> str:
        require_fit(entry, CHOICE_KEYS, Part.CHOICE, reads_text=True)
        return ",".join([*self._variables(self._drawn(entry)), _escaped_side(_read_text(entry, "text"))])

    def _drawn(self, entry: Entry) -> Answer:
        set_id = read_id(entry, "answer_id")
        if set_id is None or not self._sets:
            return self._first
        if (drawn := self._sets.get(set_id)) is None:
            raise InvalidResponseError(
                "answer_id",
                f"{set_id} is not a set of variables of the question; {SEND_QUIZ_DATA}",
                IssueKind.UNKNOWN_ANSWER,
            )
        return drawn

    def _variables(self, drawn: Answer) -> Sequence[str]:
        # Few of up to thousands of sets are drawn, so each is rendered when it is first met.
        if (texts := self._texts.get(drawn.id)) is None:
            texts = self._texts[drawn.id] = [
                f"{_escaped_side(plain_text(variable.name))}=>{_escaped_side(plain_text(variable.value))}"
                for variable in drawn.variables
            ]
        return texts


class _FileUpload:
    """The display name of the first attachment."""

    def __init__(self, question: Question) -> None:
        pass

    def read(self, entry: Entry, attachments: Mapping[int, str], /) -> str:
        require_fit(entry, UPLOAD_KEYS, Part.UPLOAD)
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


READERS: Final[Mapping[QuestionType, Callable[[Question], Reader]]] = {
    QuestionType.SHORT_ANSWER: _ShortAnswer,
    QuestionType.ESSAY: _Essay,
    QuestionType.NUMERICAL: _ShortAnswer,
    QuestionType.FILL_IN_BLANKS: _Blanks,
    QuestionType.DROPDOWNS: _Dropdowns,
    QuestionType.MULTIPLE_ANSWERS: _MultipleAnswers,
    QuestionType.MATCHING: _Matching,
    QuestionType.CALCULATED: _Calculated,
    QuestionType.FILE_UPLOAD: _FileUpload,
    QuestionType.TEXT_ONLY: _TextBlock,
    QuestionType.ERROR: _TextBlock,
}
