"""The statistics of questions in the shapes of Canvas's API, one for each type of question.

The figures of choice questions are the cells of the item_analysis, so the two never disagree.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from workers.analysis.quiz_statistics import ItemOption, OptionCount
from workers.analysis.score_table import ItemScores

Json = dict[str, Any]


@dataclass(frozen=True)
class NumericAnswer:
    """The numbers that an answer to a numerical question accepts as correct."""

    low: float
    high: float
    margin: float
    is_range: bool

    @property
    def text(self) -> str:
        """The answer as Canvas writes it."""
        return f"[{self.low:.2f}..{self.high:.2f}]" if self.is_range else f"{(self.low + self.high) / 2:.2f}"


@dataclass(frozen=True)
class CanvasQuestion:
    """A question as Canvas's statistics show it.

    `options` are the answers, in the order of the question; `numbers` are those of a numerical question, by
    the key of the option; `key` is the index of the answer that is correct in the item_analysis.
    """

    id: int
    question_type: str
    text: str
    position: int | None
    points_possible: float
    options: tuple[ItemOption, ...] = ()
    numbers: Mapping[str, NumericAnswer] | None = None
    key: int | None = None


Counts = Mapping[str, int]


def question_statistics(
    question: CanvasQuestion,
    scores: ItemScores,
    option_counts: Mapping[str, OptionCount],
    analysis: Mapping[str, Any] | None,
) -> Json:
    """Return the statistics of one question; `analysis` is its row of the item_analysis, for choices."""
    counts = (
        _choices(scores)
        if analysis is not None
        else {key: int(count.by_group.sum()) for key, count in option_counts.items()}
    )
    shape = _SHAPES.get(question.question_type, _graded_by_hand)
    return {
        "id": str(question.id),
        "question_type": question.question_type,
        "question_text": question.text,
        "position": question.position,
        "responses": int(scores.answered.sum()),
        **shape(question, scores, counts),
        **({} if analysis is None else _item_analysis(question, analysis)),
    }


def _choices(scores: ItemScores) -> Counts:
    ids, counts = np.unique(scores.option_ids[scores.answered], return_counts=True)
    return {str(option_id): int(count) for option_id, count in zip(ids.tolist(), counts, strict=True)}


def _item_analysis(question: CanvasQuestion, row: Mapping[str, Any]) -> Json:
    return {
        **{name: row[column] for name, column in _ITEM_ANALYSIS.items()},
        "alpha": _number(row["Alpha"]),
        "point_biserials": list(_point_biserials(question, row)),
    }


def _point_biserials(question: CanvasQuestion, row: Mapping[str, Any]) -> Iterator[Json]:
    if question.key is None:
        return
    others = [index for index in range(len(question.options)) if index != question.key]
    for number, index in enumerate([question.key, *others], 1):
        column = "Point Biserial of Correct" if number == 1 else f"Point Biserial of Distractor {number}"
        yield {
            "answer_id": int(question.options[index].key),
            "point_biserial": _number(row[column]),
            "correct": number == 1,
            "distractor": number != 1,
        }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _answers(
    question: CanvasQuestion, counts: Counts, shown: int, *, other: bool, blank: str | None = None
) -> list[Json]:
    """List the answers with their counts, then other answers and those left blank, if there are any."""
    options = [option for option in question.options if blank is None or option.blank == blank]
    prefix = "" if blank is None else f"{blank}:"
    answers = [
        {
            "id": option.key.removeprefix(prefix),
            "text": option.text,
            "correct": option.is_correct,
            "responses": counts.get(option.key, 0),
        }
        for option in options
    ]
    known = {option.key for option in options}
    # The name of a blank may contain a colon, and so begin with the name of another blank and a colon.
    given = {key: n for key, n in counts.items() if blank is None or key.rpartition(":")[0] == blank}
    if other and (others := sum(count for key, count in given.items() if key not in known)):
        answers.append({"id": "other", "text": "Something Else", "correct": False, "responses": others})
    if blanks := shown - sum(given.values()):
        answers.append(_none(blanks))
    return answers


def _none(responses: int) -> Json:
    return {"id": "none", "text": "No Answer", "correct": False, "responses": responses}


def _choice(question: CanvasQuestion, scores: ItemScores, counts: Counts) -> Json:
    return {"answers": _answers(question, counts, int(scores.shown.sum()), other=True)}


def _short_answer(question: CanvasQuestion, scores: ItemScores, counts: Counts) -> Json:
    return {
        "correct": _outcomes(scores, b"Cc"),
        "answers": _answers(question, counts, int(scores.shown.sum()), other=True),
    }


def _numerical(question: CanvasQuestion, scores: ItemScores, counts: Counts) -> Json:
    numbers = question.numbers or {}
    answers = _answers(question, counts, int(scores.shown.sum()), other=True)
    for answer in answers:
        if number := numbers.get(answer["id"]):
            answer |= {
                "text": number.text,
                "value": [number.low, number.high],
                "margin": number.margin,
                "is_range": number.is_range,
            }
    return {
        "full_credit": _full_credit(question, scores),
        "correct": _outcomes(scores, b"Cc"),
        "incorrect": int(scores.answered.sum()) - _outcomes(scores, b"C"),
        "answers": answers,
    }


def _multiple_answers(question: CanvasQuestion, scores: ItemScores, counts: Counts) -> Json:
    # A student may choose several, so those who chose none cannot be computed from the counts.
    answers = _answers(question, counts, sum(counts.values()), other=False)
    if blanks := int(scores.shown.sum() - scores.answered.sum()):
        answers.append(_none(blanks))
    return {
        "correct": _outcomes(scores, b"Cc"),
        "partially_correct": _outcomes(scores, b"Pp"),
        "answers": answers,
    }


def _several_blanks(question: CanvasQuestion, scores: ItemScores, counts: Counts) -> Json:
    is_matching = question.question_type == "matching_question"
    sets = {option.blank: option.blank_text for option in question.options}
    return {
        "answered": int(scores.answered.sum()),
        "correct": _outcomes(scores, b"Cc"),
        "partially_correct": _outcomes(scores, b"Pp"),
        "incorrect": _outcomes(scores, b"Ii"),
        "answer_sets": [
            {
                "id": blank if is_matching else _digest(blank),
                "text": text,
                "answers": _answers(
                    question, counts, int(scores.shown.sum()), other=not is_matching, blank=blank
                ),
            }
            for blank, text in sets.items()
        ],
    }


def _digest(blank: str) -> str:
    """Return the id that Canvas gives to a blank: the MD5 of its name, which protects nothing."""
    return hashlib.md5(blank.encode(), usedforsecurity=False).hexdigest()


def _graded_by_hand(question: CanvasQuestion, scores: ItemScores, _counts: Counts) -> Json:
    graded = scores.shown & ~np.isin(scores.outcomes, [*b"Uu"])
    values, counts = np.unique(scores.scores[graded], return_counts=True)
    return {
        "graded": int(graded.sum()),
        "full_credit": _full_credit(question, scores),
        "point_distribution": [
            {"score": float(value), "count": int(count)} for value, count in zip(values, counts, strict=True)
        ],
    }


def _full_credit(question: CanvasQuestion, scores: ItemScores) -> int:
    return int((scores.shown & (scores.scores >= question.points_possible)).sum())


def _outcomes(scores: ItemScores, letters: bytes) -> int:
    return int(np.isin(scores.outcomes, [*letters]).sum())


_SHAPES: Final[Mapping[str, Callable[[CanvasQuestion, ItemScores, Counts], Json]]] = {
    "multiple_choice_question": _choice,
    "missing_word_question": _choice,
    "true_false_question": _choice,
    "short_answer_question": _short_answer,
    "numerical_question": _numerical,
    "multiple_answers_question": _multiple_answers,
    "fill_in_multiple_blanks_question": _several_blanks,
    "multiple_dropdowns_question": _several_blanks,
    "matching_question": _several_blanks,
}

# The names of the API for the columns of the item_analysis.
_ITEM_ANALYSIS: Final = {
    "answered_student_count": "Answered Student Count",
    "top_student_count": "Top Student Count",
    "middle_student_count": "Middle Student Count",
    "bottom_student_count": "Bottom Student Count",
    "correct_student_count": "Correct Student Count",
    "incorrect_student_count": "Wrong Student Count",
    "correct_student_ratio": "Correct Student Ratio",
    "incorrect_student_ratio": "Wrong Student Ratio",
    "correct_top_student_count": "Correct Top Student Count",
    "correct_middle_student_count": "Correct Middle Student Count",
    "correct_bottom_student_count": "Correct Bottom Student Count",
    "variance": "Variance",
    "stdev": "Standard Deviation",
    "difficulty_index": "Difficulty Index",
}
