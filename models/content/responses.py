"""The responses of an attempt as arrays in the order of its question set, with texts ready for a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from sys import getsizeof
from typing import Any, Final, NamedTuple
from weakref import ReferenceType, ref

from models.content.cell_text import READERS, TEXT_VERSION, Reader
from models.content.entry_fit import (
    CHOICE_KEYS,
    SEND_QUIZ_DATA,
    Entry,
    InvalidResponseError,
    Part,
    read_id,
    require_fit,
)
from models.content.questions import Question
from models.content.selections import Selector, is_answered, selector_of
from models.errors import InvalidInputError, IssueKind, ValidationIssue
from models.lms.quizzes import QuestionType
from models.payloads.entries import PushedEntry
from models.payloads.json_values import at, to_number

# An id or a null, and the points given.
_BYTES_OF_RESPONSE: Final = 16

# The labels of most answers are shorter and do not count.
_SHORT_LABEL: Final = 100

_MOST_KEPT_CHARACTERS: Final = 1_000

# Other words are taken, too, and count as correct.
_KNOWN_WORDS: Final = frozenset({"true", "false", "partial", "undefined", "defined", "no_score"})

_NO_ENTRY: Final = "-"
_INCORRECT: Final = "i"
_OUTCOMES: Final = {"partial": "p", "undefined": "u", "defined": "d", "false": _INCORRECT}


@dataclass(slots=True)
class Responses:
    """The responses of one attempt, one element for each question of its question set.

    `answer_ids` holds the chosen answer of choice questions, `texts` the finished plain text of all others,
    `points` the points given, `selections` the selected answers as `models.content.selections` has them; an
    element is None if the attempt has no such value. `outcomes` has a letter for each question, in capitals
    if it is answered: `c` correct, `i` incorrect, `p` partly correct, `d` graded by hand, `u` not graded yet,
    and `-` without an entry. The counts are of entries of `submission_data`;
    `unknown_words` are the numbers of those whose `correct` is not one of Canvas's words, `assumed_sets` of
    those that do not say which set of variables was drawn. `response_bytes` is about how many bytes the
    responses take in a report, with the long labels of chosen answers.
    """

    answer_ids: list[int | None]
    texts: list[str | None]
    points: list[float | None]
    n_correct: int = 0
    n_incorrect: int = 0
    selections: list[str | None] = field(default_factory=list, compare=False)
    outcomes: str = field(default="", compare=False)
    unknown_words: list[int] = field(default_factory=list, compare=False)
    assumed_sets: list[int] = field(default_factory=list, compare=False)
    response_bytes: int = field(default=0, compare=False)

    @property
    def text_version(self) -> int:
        """The version of the rules that made the texts."""
        return TEXT_VERSION


class _Reading(NamedTuple):
    """What one entry says to one question; the first five are the question's elements of `Responses`.

    `reads_attachments` tells whether it depends on the rest of the attempt as well.
    """

    answer_id: int | None = None
    text: str | None = None
    points: float | None = None
    selection: str | None = None
    letter: str = _NO_ENTRY
    n_bytes: int = _BYTES_OF_RESPONSE
    # A question may be large, and is not kept for what was said to it.
    question: ReferenceType[Question] | None = None
    reads_attachments: bool = False
    is_unknown_word: bool = False
    assumes_set: bool = False


_NOTHING: Final = _Reading()


@dataclass(slots=True)
class _QuestionColumn:
    """How the responses to a question are read: as a choice if it has no reader.

    `long_labels` are the bytes of those answers that count; `draws_sets` tells whether the question has sets
    of variables that differ.
    """

    question: ReferenceType[Question]
    question_type: QuestionType
    choices: Mapping[object, int] = field(default_factory=dict)
    long_labels: Mapping[int | None, int] = field(default_factory=dict)
    reader: Reader | None = None
    selector: Selector | None = None
    draws_sets: bool = False


class ResponseParser:
    """Parses the responses of all attempts that have the same question set."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self.size = len(questions)
        self._columns = [_question_column(question) for question in questions]
        self._indexes_by_id = {question.id: index for index, question in enumerate(questions)}
        # By identity: references are equal if their questions are, and to compare large questions takes long.
        self._indexes = {id(column.question): index for index, column in enumerate(self._columns)}

    def read(
        self,
        entries: Sequence[PushedEntry],
        attachments: Mapping[int, str],
        path: str,
        most_issues: int = InvalidInputError.MOST_ISSUES,
    ) -> tuple[Responses, list[ValidationIssue]]:
        """Read an attempt's `submission_data`, the list at `path`; `attachments` are file names by id.

        Returns the responses and the issues of the entries; the responses are valid if there are none.
        Reading stops where there are as many issues as are wanted.
        """
        readings = [_NOTHING] * self.size
        seen = [False] * self.size
        remarkable: list[tuple[int, _Reading]] = []
        issues: list[ValidationIssue] = []
        for number, entry in enumerate(entries):
            try:
                reading: _Reading | None = entry.reading
                index = self._indexes.get(id(reading.question)) if reading is not None else None
                if index is None:
                    # In the question set of another attempt, the question may have another wording.
                    reading, index = None, self._find_index(entry.value)
                if seen[index]:
                    raise InvalidResponseError(
                        "question_id", "is also answered by an earlier entry", IssueKind.REPEATED
                    )
                seen[index] = True
                if reading is None:
                    reading = _read_entry(entry.value, self._columns[index], attachments)
                    if entry.is_known and _may_be_kept(reading):
                        entry.keep(reading, _memory(reading))
                readings[index] = reading
                if reading.is_unknown_word or reading.assumes_set:
                    remarkable.append((number, reading))
            except InvalidResponseError as error:
                entry_path = at(path, number)
                if error.key:
                    entry_path = at(entry_path, error.key)
                issues.append(ValidationIssue(entry_path, error.reason, error.kind))
                if len(issues) >= most_issues:
                    break
        responses = _as_columns(readings)
        responses.unknown_words = [number for number, reading in remarkable if reading.is_unknown_word]
        responses.assumed_sets = [number for number, reading in remarkable if reading.assumes_set]
        return responses, issues

    def _find_index(self, entry: Any) -> int:
        if type(entry) is not dict:
            raise InvalidResponseError("", "must be an object")
        question_id = entry.get("question_id")
        if type(question_id) is not int and (question_id := read_id(entry, "question_id")) is None:
            raise InvalidResponseError("question_id", "is missing", IssueKind.MISSING)
        index = self._indexes_by_id.get(question_id)
        if index is None:
            raise InvalidResponseError(
                "question_id",
                f"{question_id} is not a question of the attempt; {SEND_QUIZ_DATA}",
                IssueKind.UNKNOWN_QUESTION,
            )
        return index


def _as_columns(readings: Sequence[_Reading]) -> Responses:
    if not readings:
        return Responses([], [], [])
    answer_ids, texts, points, selections, letters, n_bytes, *_ = zip(*readings, strict=True)
    outcomes = "".join(letters)
    n_incorrect = outcomes.count(_INCORRECT) + outcomes.count(_INCORRECT.upper())
    return Responses(
        list(answer_ids),
        list(texts),
        list(points),
        n_correct=len(outcomes) - outcomes.count(_NO_ENTRY) - n_incorrect,
        n_incorrect=n_incorrect,
        selections=list(selections),
        outcomes=outcomes,
        response_bytes=sum(n_bytes),
    )


def _long_labels(question: Question) -> Mapping[int | None, int]:
    sizes = {answer.id: len(answer.text) + len(answer.html) for answer in question.answers}
    return {answer_id: size for answer_id, size in sizes.items() if size > _SHORT_LABEL}


def _question_column(question: Question) -> _QuestionColumn:
    if not question.question_type.is_choice:
        return _QuestionColumn(
            ref(question),
            question.question_type,
            reader=READERS[question.question_type](question),
            selector=selector_of(question),
            draws_sets=question.question_type is QuestionType.CALCULATED
            and len({answer.variables for answer in question.answers}) > 1,
        )
    choices: dict[object, int] = {}
    for answer in question.answers:
        choices[answer.id] = choices[str(answer.id)] = answer.id
    return _QuestionColumn(
        ref(question), question.question_type, choices=choices, long_labels=_long_labels(question)
    )


def _read_entry(entry: Entry, column: _QuestionColumn, attachments: Mapping[int, str]) -> _Reading:
    correct = entry.get("correct")
    letter = _outcome(correct)
    points = entry.get("points")
    if points is not None:
        points = _to_points(points)
    answer_id, text, selection = None, None, None
    if column.reader is None:
        answer_id = _choice(entry, column.choices)
        n_bytes = column.long_labels.get(answer_id, 0)
        has_answer = answer_id is not None
    else:
        text = column.reader.read(entry, attachments) or None
        n_bytes = _utf8_bytes(text) if text else 0
        if column.selector is None:
            has_answer = is_answered(column.question_type, entry, text)
        else:
            selection = column.selector(entry)
            has_answer = selection is not None
    return _Reading(
        answer_id,
        text,
        points,
        selection,
        letter.upper() if has_answer else letter,
        n_bytes + _BYTES_OF_RESPONSE,
        column.question,
        reads_attachments=column.question_type is QuestionType.FILE_UPLOAD,
        is_unknown_word=type(correct) is str and correct not in _KNOWN_WORDS,
        assumes_set=column.draws_sets and read_id(entry, "answer_id") is None,
    )


def _may_be_kept(reading: _Reading) -> bool:
    """Whether a reading is the same for every attempt, and small: a short entry may choose a long label."""
    return not reading.reads_attachments and len(reading.text or "") <= _MOST_KEPT_CHARACTERS


def _memory(reading: _Reading) -> int:
    """How many bytes the texts of a reading take, with their UTF-8, which Python keeps if it is needed."""
    texts = [text for text in (reading.text, reading.selection) if text is not None]
    return sum(getsizeof(text) + (0 if text.isascii() else 4 * len(text)) for text in texts)


def _utf8_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _outcome(correct: object) -> str:
    """Return the letter of an outcome; all but an incorrect one count as correct."""
    if correct is True:
        return "c"
    if correct is False or correct is None:
        return _INCORRECT
    if isinstance(correct, str):
        # Canvas has a word for partly correct, for not graded, for graded by hand, and for a text block.
        return _OUTCOMES.get(correct, "c")
    raise InvalidResponseError("correct", "must be true, false, a text or null")


def _to_points(points: object) -> float:
    try:
        return to_number(points)
    except ValueError as error:
        raise InvalidResponseError("points", str(error)) from None


def _choice(entry: Entry, choices: Mapping[object, int]) -> int | None:
    answer_id = entry.get("answer_id")
    # A boolean or a float would be found as well: for Python 1, True and 1.0 are the same key.
    is_id = type(answer_id) is int or type(answer_id) is str
    if is_id and (chosen := choices.get(answer_id)) is not None:
        return chosen
    number = read_id(entry, "answer_id")
    if number is None:
        # The text of a choice is an id, which chooses nothing by itself.
        require_fit(entry, CHOICE_KEYS, Part.CHOICE, reads_text=_is_id(entry.get("text")))
        return None
    if number in choices:
        return number
    raise InvalidResponseError(
        "answer_id",
        f"{number} is not an answer of the question; {SEND_QUIZ_DATA}",
        IssueKind.UNKNOWN_ANSWER,
    )


def _is_id(text: object) -> bool:
    return type(text) is int or (isinstance(text, str) and text.isdecimal())
