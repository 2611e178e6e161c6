"""The statistics of questions in the shapes of Canvas's API, one for each type of question.

The figures of choice questions are the cells of the item_analysis, so the two never disagree.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from workers.analysis.item_figures import OptionCount
from workers.analysis.score_table import NO_OPTION, NOT_SHOWN, ItemScores
from workers.analysis.totals import ItemOption

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
    # Of a question that was of another type before, a response may be an answer that is no choice.
    responses = sum(counts.values()) if analysis is not None else scores.answered
    return {
        "id": str(question.id),
        "question_type": question.question_type,
        "question_text": question.text,
        "position": question.position,
        "responses": responses,
        **shape(question, scores, counts),
        **({} if analysis is None else _item_analysis(question, analysis)),
    }


def _choices(scores: ItemScores) -> Counts:
    counts: Counter[int] = Counter()
    for option_id, count in zip(scores.option_id_of.tolist(), scores.count_of.tolist(), strict=True):
        counts[option_id] += count
    return {str(option_id): n for option_id, n in sorted(counts.items()) if n and option_id != NO_OPTION}


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


def _answers(options: Iterable[ItemOption], counts: Counts, prefix: str = "") -> list[Json]:
    """List answers with their counts; the keys of those of a blank begin with it and a colon."""
    return [
        {
            "id": option.key.removeprefix(prefix),
            "text": option.text,
            "correct": option.is_correct,
            "responses": counts.get(option.key, 0),
        }
        for option in options
    ]


def _with_rest(answers: list[Json], answered: int, shown: int, *, other: bool = True) -> list[Json]:
    """Add the responses that are none of the answers, and those left blank, if there are any.

    A response to an earlier type of the question may have been several of its answers.
    """
    others = answered - sum(answer["responses"] for answer in answers)
    if other and others > 0:
        answers.append({"id": "other", "text": "Something Else", "correct": False, "responses": others})
    if shown > answered:
        answers.append({"id": "none", "text": "No Answer", "correct": False, "responses": shown - answered})
    return answers


def _choice(question: CanvasQuestion, scores: ItemScores, counts: Counts) -> Json:
    chose, shown = sum(counts.values()), scores.shown
    return {"answers": _with_rest(_answers(question.options, counts), chose, shown)}


def _typed(question: CanvasQuestion, scores: ItemScores, counts: Counts) -> list[Json]:
    answered, shown = scores.answered, scores.shown
    return _with_rest(_answers(question.options, counts), answered, shown)


def _short_answer(question: CanvasQuestion, scores: ItemScores, counts: Counts) -> Json:
    return {"correct": _outcomes(scores, b"Cc"), "answers": _typed(question, scores, counts)}


def _numerical(question: CanvasQuestion, scores: ItemScores, counts: Counts) -> Json:
    numbers = question.numbers or {}
    answers = _typed(question, scores, counts)
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
        "incorrect": scores.answered - _outcomes(scores, b"C"),
        "answers": answers,
    }


def _multiple_answers(question: CanvasQuestion, scores: ItemScores, counts: Counts) -> Json:
    answered, shown = scores.answered, scores.shown
    return {
        "correct": _outcomes(scores, b"Cc"),
        "partially_correct": _outcomes(scores, b"Pp"),
        # A student may choose several.
        "answers": _with_rest(_answers(question.options, counts), answered, shown, other=False),
    }


def _several_blanks(question: CanvasQuestion, scores: ItemScores, counts: Counts) -> Json:
    is_matching = question.question_type == "matching_question"
    shown = scores.shown
    sets: dict[str, list[ItemOption]] = defaultdict(list)
    for option in question.options:
        sets[option.blank].append(option)
    given: Counter[str] = Counter()
    for key, count in counts.items():
        # The name of a blank may contain a colon, the id of an answer does not.
        given[key.rpartition(":")[0]] += count
    return {
        "answered": scores.answered,
        "correct": _outcomes(scores, b"Cc"),
        "partially_correct": _outcomes(scores, b"Pp"),
        "incorrect": _outcomes(scores, b"Ii"),
        "answer_sets": [
            {
                "id": blank if is_matching else _digest(blank),
                "text": options[0].blank_text,
                "answers": _with_rest(
                    _answers(options, counts, f"{blank}:"), given[blank], shown, other=not is_matching
                ),
            }
            for blank, options in sets.items()
        ],
    }


def _digest(blank: str) -> str:
    """Return the id that Canvas gives to a blank: the MD5 of its name, which protects nothing."""
    return hashlib.md5(blank.encode(), usedforsecurity=False).hexdigest()


def _graded_by_hand(question: CanvasQuestion, scores: ItemScores, _counts: Counts) -> Json:
    is_graded = ~np.isin(scores.outcome_of, [NOT_SHOWN, *b"Uu"])
    distribution: Counter[float] = Counter()
    for score, count in zip(
        scores.score_of[is_graded].tolist(), scores.count_of[is_graded].tolist(), strict=True
    ):
        distribution[score] += count
    return {
        "graded": distribution.total(),
        "full_credit": sum(n for score, n in distribution.items() if score >= question.points_possible),
        "point_distribution": [
            {"score": score, "count": n} for score, n in sorted(distribution.items()) if n
        ],
    }


def _full_credit(question: CanvasQuestion, scores: ItemScores) -> int:
    return int(scores.count_of[scores.is_graded & (scores.score_of >= question.points_possible)].sum())


def _outcomes(scores: ItemScores, letters: bytes) -> int:
    return int(scores.count_of[np.isin(scores.outcome_of, [*letters])].sum())


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
