"""Which of a question's answers a response selected, for the statistics, as compact JSON.

| type of question | selection |
|---|---|
| multiple answers | the ids of the chosen answers: `[8001,8003]` |
| dropdowns, blanks | the answer of each blank that is not empty: `{"color":8001}` |
| matching | the match of each left side that has one: `{"8001":91}` |
| short answer, numerical | the answer that was given: `8001` |

The answer to a numerical question is that of its `answer_id`, else the first that takes the number. Typed
text that is none of the answers is `OTHER`. A response that selected nothing has no selection, and neither
have the other types: a choice is kept by its id, and essays, uploads and formulas have no answers to select
from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from models.content.entry_fit import Entry, read_id
from models.content.html_text import plain_text
from models.content.questions import Question
from models.lms.quizzes import QuestionType

OTHER: Final = -1

Selector = Callable[[Entry], str | None]


def selector_of(question: Question) -> Selector | None:
    """Return what reads the selections of valid responses to a question; None if it has none."""
    make = _SELECTORS.get(question.question_type)
    if make is None:
        return None
    select = make(question)

    def selector(entry: Entry) -> str | None:
        selected = select(entry)
        return None if selected is None else msgspec.json.encode(selected).decode()

    return selector


def is_answered(question_type: QuestionType, entry: Entry, text: str | None) -> bool:
    """Whether a response has an answer, for the types that have no selection and are no choice.

    `text` is that of its cell.
    """
    if question_type is QuestionType.ESSAY:
        return bool(text and text.strip())
    if question_type is QuestionType.FILE_UPLOAD:
        return any(attachment_id not in (None, "") for attachment_id in entry.get("attachment_ids") or ())
    return bool(_text(entry, "text"))


def _multiple_answers(question: Question) -> Callable[[Entry], Any]:
    ids = {f"answer_{answer.id}": answer.id for answer in question.answers}
    return lambda entry: [answer_id for key, answer_id in ids.items() if entry.get(key) == "1"] or None


def _matching(question: Question) -> Callable[[Entry], Any]:
    ids = [answer.id for answer in question.answers]

    def pairs(entry: Entry) -> Iterator[tuple[str, int]]:
        for answer_id in ids:
            if (match_id := read_id(entry, f"answer_{answer_id}")) is not None:
                yield str(answer_id), match_id

    return lambda entry: dict(pairs(entry)) or None


def _dropdowns(question: Question) -> Callable[[Entry], Any]:
    blanks = question.blanks

    def pairs(entry: Entry) -> Iterator[tuple[str, int]]:
        for blank in blanks:
            for key in (f"answer_id_for_{blank}", f"answer_for_{blank}"):
                if (answer_id := read_id(entry, key)) is not None:
                    yield blank, answer_id
                    break

    return lambda entry: dict(pairs(entry)) or None


def _blanks(question: Question) -> Callable[[Entry], Any]:
    known = {(answer.blank_id, _folded(answer.label)): answer.id for answer in reversed(question.answers)}
    blanks = question.blanks

    def pairs(entry: Entry) -> Iterator[tuple[str, int]]:
        for blank in blanks:
            if text := _text(entry, f"answer_for_{blank}"):
                yield blank, known.get((blank, _folded(text)), OTHER)

    return lambda entry: dict(pairs(entry)) or None


def _typed(question: Question) -> Callable[[Entry], Any]:
    ids = frozenset(str(answer.id) for answer in question.answers)
    known = {_folded(answer.label): answer.id for answer in reversed(question.answers)}

    def select(entry: Entry) -> int | None:
        text = _text(entry, "text")
        if not text:
            return None
        answer_id = entry.get("answer_id")
        if isinstance(answer_id, int | str) and str(answer_id) in ids:
            return int(answer_id)
        return known.get(_folded(text), OTHER)

    return select


def _numerical(question: Question) -> Callable[[Entry], Any]:
    select_typed = _typed(question)
    intervals = [(answer.id, *answer.interval) for answer in question.answers if answer.interval]

    def select(entry: Entry) -> Any:
        selected = select_typed(entry)
        if selected != OTHER or (number := _number(_text(entry, "text"))) is None:
            return selected
        return next((answer_id for answer_id, *ends in intervals if _lies_within(number, *ends)), OTHER)

    return select


def _number(text: str) -> float | None:
    try:
        # Python reads 1_0 as ten.
        return float(text.replace("_", " "))
    except ValueError:
        return None


def _lies_within(number: float, least: float, greatest: float) -> bool:
    # 3.14 - 0.01 is a little more than 3.13, which is right all the same.
    return least <= number <= greatest or any(math.isclose(number, end) for end in (least, greatest))


def _text(entry: Entry, key: str) -> str:
    value = entry.get(key)
    return plain_text(str(value)).strip() if value is not None else ""


def _folded(text: str) -> str:
    return text.strip().casefold()


_SELECTORS: Final[Mapping[QuestionType, Callable[[Question], Callable[[Entry], Any]]]] = {
    QuestionType.MULTIPLE_ANSWERS: _multiple_answers,
    QuestionType.MATCHING: _matching,
    QuestionType.DROPDOWNS: _dropdowns,
    QuestionType.FILL_IN_BLANKS: _blanks,
    QuestionType.SHORT_ANSWER: _typed,
    QuestionType.NUMERICAL: _numerical,
}
