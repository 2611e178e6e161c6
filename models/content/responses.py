"""The responses of an attempt as arrays in the order of its question set, with texts ready for a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

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
from models.payloads.json_values import MOST_NUMBER, at, to_number

# An id or a null, and the points given.
_BYTES_OF_RESPONSE: Final = 16

# The labels of most answers are shorter and do not count.
_SHORT_LABEL: Final = 100

# Other words are taken, too, and count as correct.
_KNOWN_WORDS: Final = frozenset({"true", "false", "partial", "undefined", "defined", "no_score"})

_NO_ENTRY: Final = "-"
_OUTCOMES: Final = {"partial": "p", "undefined": "u", "defined": "d", "false": "i"}


@dataclass(slots=True)
class Responses:
    """The responses of one attempt, one element for each question of its question set.

    `answer_ids` holds the chosen answer of choice questions, `texts` the finished plain text of all others,
    `points` the points given, `selections` the selected answers as `models.content.selections` has them; an
    element is None if the attempt has no such value. `outcomes` has a letter for each question, in capitals
    if it is answered: `c` correct, `i` incorrect, `p` partly correct, `d` graded by hand, `u` not graded yet,
    and `-` without an entry. The counts are of entries of `submission_data`;
    `unknown_words` are the numbers of those whose `correct` is not one of Canvas's words. `response_bytes` is
    about how many bytes the responses take in a report, with the long labels of chosen answers.
    """

    answer_ids: list[int | None]
    texts: list[str | None]
    points: list[float | None]
    n_correct: int = 0
    n_incorrect: int = 0
    selections: list[str | None] = field(default_factory=list, compare=False)
    outcome_letters: list[str] = field(default_factory=list, compare=False)
    unknown_words: list[int] = field(default_factory=list, compare=False)
    response_bytes: int = field(default=0, compare=False)

    @property
    def text_version(self) -> int:
        """The version of the rules that made the texts."""
        return TEXT_VERSION

    @property
    def outcomes(self) -> str:
        """The outcomes as one text."""
        return "".join(self.outcome_letters)


@dataclass(slots=True)
class _QuestionColumn:
    """A question's index in the arrays, and how its responses are read: as a choice if it has no reader."""

    index: int
    question_type: QuestionType
    choices: Mapping[object, int] = field(default_factory=dict)
    reader: Reader | None = None
    selector: Selector | None = None


class ResponseParser:
    """Parses the responses of all attempts that have the same question set."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self.size = len(questions)
        self._long_labels = {
            index: sizes for index, question in enumerate(questions) if (sizes := _long_labels(question))
        }
        self._columns = {
            question.id: _question_column(index, question) for index, question in enumerate(questions)
        }

    def read(
        self,
        entries: Sequence[Any],
        attachments: Mapping[int, str],
        path: str,
        most_issues: int = InvalidInputError.MOST_ISSUES,
    ) -> tuple[Responses, list[ValidationIssue]]:
        """Read an attempt's `submission_data`, the list at `path`; `attachments` are file names by id.

        Returns the responses and the issues of the entries; the responses are valid if there are none.
        Reading stops where there are as many issues as are wanted.
        """
        responses = Responses(
            [None] * self.size,
            [None] * self.size,
            [None] * self.size,
            selections=[None] * self.size,
            outcome_letters=[_NO_ENTRY] * self.size,
        )
        issues: list[ValidationIssue] = []
        seen = [False] * self.size
        for number, entry in enumerate(entries):
            try:
                column = self._find_column(entry)
                if seen[column.index]:
                    raise InvalidResponseError(
                        "question_id", "is also answered by an earlier entry", IssueKind.REPEATED
                    )
                seen[column.index] = True
                _read_entry(entry, column, attachments, responses)
                if type(correct := entry.get("correct")) is str and correct not in _KNOWN_WORDS:
                    responses.unknown_words.append(number)
            except InvalidResponseError as error:
                entry_path = at(path, number)
                if error.key:
                    entry_path = at(entry_path, error.key)
                issues.append(ValidationIssue(entry_path, error.reason, error.kind))
                if len(issues) >= most_issues:
                    break
        responses.response_bytes = self._bytes_of(responses)
        return responses, issues

    def _bytes_of(self, responses: Responses) -> int:
        texts = sum(len(text) if text.isascii() else len(text.encode()) for text in responses.texts if text)
        labels = sum(sizes.get(responses.answer_ids[index], 0) for index, sizes in self._long_labels.items())
        return texts + labels + _BYTES_OF_RESPONSE * self.size

    def _find_column(self, entry: Any) -> _QuestionColumn:
        if type(entry) is not dict:
            raise InvalidResponseError("", "must be an object")
        question_id = entry.get("question_id")
        if type(question_id) is not int and (question_id := read_id(entry, "question_id")) is None:
            raise InvalidResponseError("question_id", "is missing", IssueKind.MISSING)
        column = self._columns.get(question_id)
        if column is None:
            raise InvalidResponseError(
                "question_id",
                f"{question_id} is not a question of the attempt; {SEND_QUIZ_DATA}",
                IssueKind.UNKNOWN_QUESTION,
            )
        return column


def _long_labels(question: Question) -> Mapping[int | None, int]:
    if not question.question_type.is_choice:
        return {}
    sizes = {answer.id: len(answer.text) + len(answer.html) for answer in question.answers}
    return {answer_id: size for answer_id, size in sizes.items() if size > _SHORT_LABEL}


def _question_column(index: int, question: Question) -> _QuestionColumn:
    if not question.question_type.is_choice:
        return _QuestionColumn(
            index,
            question.question_type,
            reader=READERS[question.question_type](question),
            selector=selector_of(question),
        )
    choices: dict[object, int] = {}
    for answer in question.answers:
        choices[answer.id] = choices[str(answer.id)] = answer.id
    return _QuestionColumn(index, question.question_type, choices=choices)


def _read_entry(
    entry: Entry, column: _QuestionColumn, attachments: Mapping[int, str], responses: Responses
) -> None:
    if _is_counted_correct(entry.get("correct")):
        responses.n_correct += 1
    else:
        responses.n_incorrect += 1
    points = entry.get("points")
    if points is not None:
        is_given = type(points) is float and -MOST_NUMBER <= points <= MOST_NUMBER
        responses.points[column.index] = points if is_given else _to_points(points)
    if column.reader is not None:
        responses.texts[column.index] = column.reader.read(entry, attachments) or None
    else:
        responses.answer_ids[column.index] = _choice(entry, column.choices)
    letter = _outcome(entry.get("correct"))
    responses.outcome_letters[column.index] = (
        letter.upper() if _read_selection(entry, column, responses) else letter
    )


def _read_selection(entry: Entry, column: _QuestionColumn, responses: Responses) -> bool:
    """Read which answers a response selected; return whether it has an answer at all."""
    if column.reader is None:
        return responses.answer_ids[column.index] is not None
    if column.selector is None:
        return is_answered(column.question_type, entry)
    responses.selections[column.index] = column.selector(entry)
    return responses.selections[column.index] is not None


def _outcome(correct: object) -> str:
    if isinstance(correct, str):
        return _OUTCOMES.get(correct, "c")
    return "c" if correct else "i"


def _is_counted_correct(correct: object) -> bool:
    if correct is True:
        return True
    if correct is False or correct is None:
        return False
    if isinstance(correct, str):
        # Canvas has a word for partly correct, for not graded, for graded by hand, and for a text block.
        return correct != "false"
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
