"""The item_analysis report: one row a choice question."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workers.analysis import psychometrics
from workers.analysis.frames import ITEM_ATTEMPTS, Question, responses, single_chunk, to_arrow
from workers.analysis.psychometrics import Floats
from workers.analysis.response_index import ChunkQuestionSets, Integers, Layout

AnswerCodes = npt.NDArray[np.unsignedinteger]
Cell = int | float | str | None

# What a student's answer to an item is coded as: nothing, an answer that the question does not have, or the
# index of the answer in the question's order beyond these two.
_BLANK: Final = 0
_UNKNOWN: Final = 1
_FIRST_ANSWER: Final = 2

_ALPHA_NEEDS_MORE_ITEMS_THAN: Final = 15

_COLUMNS: Final = (
    ("Question Id", pa.int64()),
    ("Question Title", pa.large_string()),
    ("Answered Student Count", pa.int64()),
    ("Top Student Count", pa.int64()),
    ("Middle Student Count", pa.int64()),
    ("Bottom Student Count", pa.int64()),
    ("Quiz Question Count", pa.int64()),
    ("Correct Student Count", pa.int64()),
    ("Wrong Student Count", pa.int64()),
    ("Correct Student Ratio", pa.float64()),
    ("Wrong Student Ratio", pa.float64()),
    ("Correct Top Student Count", pa.int64()),
    ("Correct Middle Student Count", pa.int64()),
    ("Correct Bottom Student Count", pa.int64()),
    ("Variance", pa.float64()),
    ("Standard Deviation", pa.float64()),
    ("Difficulty Index", pa.float64()),
)


class ItemAnalysis:
    """The analysis of one quiz's choice questions, fed chunk by chunk.

    ``questions`` are the analysed questions with the weights and points to judge by. ``question sets`` maps a
    question set id to the question ids of its response arrays, in order; it is read when a chunk needs a
    question set. Between chunks a student costs eight bytes and one byte a question (two from 255 answers
    on).
    """

    def __init__(self, questions: Sequence[Question], question_sets: Mapping[int, Sequence[int]]) -> None:
        self._questions = sorted(questions, key=_row_order)
        self._question_sets = question_sets
        self._column_of = {question.id: column for column, question in enumerate(self._questions)}
        self._totals: list[Floats] = []
        self._codes: list[list[AnswerCodes]] = [[] for _ in self._questions]

    def add(self, attempts: pd.DataFrame) -> None:
        """Take in a chunk of students, one row each, with the columns of `frames.ITEM_ATTEMPTS`.

        A null score counts as 0.0. Raises ValueError where the responses do not fit the question set,
        KeyError for an unknown question set.
        """
        table = to_arrow(attempts, ITEM_ATTEMPTS)
        lengths, (answer_ids,) = responses(table, ["answer_ids"])
        chunk_sets = ChunkQuestionSets.of(single_chunk(table["question_set_id"]))
        elsewhere = len(self._questions)
        coded = [
            [self._column_of.get(question, elsewhere) for question in self._question_sets[question_set]]
            for question_set in chunk_sets.ids
        ]
        layout = Layout(chunk_sets, coded, [*range(elsewhere), -1], lengths)
        self._totals.append(pc.fill_null(single_chunk(table["score"]), 0.0).to_numpy())
        for column, question in enumerate(self._questions):
            self._codes[column].append(_answer_codes(question, layout.places(column).take(answer_ids)))

    def header(self) -> list[str]:
        """Return the names of the columns, in order."""
        return [field.name for field in self._schema(pa.float64())]

    def rows(self) -> pa.Table:
        """Return a row a question: by position (none is last), then title, then id."""
        totals = np.concatenate([np.empty(0), *self._totals])
        groups = psychometrics.score_groups(totals).astype(np.int64)
        items = [
            _Item(question, np.concatenate([np.empty(0, np.uint8), *codes]), totals, groups)
            for question, codes in zip(self._questions, self._codes, strict=True)
        ]
        alpha = self._alpha([item.variance for item in items], psychometrics.population_variance(totals))
        answers = self._answer_columns()
        rows = [[*item.figures(len(items)), alpha, *item.point_biserials(answers)] for item in items]
        schema = self._schema(pa.large_string() if isinstance(alpha, str) else pa.float64())
        columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
        return pa.Table.from_arrays(
            [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)],
            schema=schema,
        )

    def _answer_columns(self) -> int:
        """Return how many point biserials a row has: as many as the question with most answers needs."""
        return max((len(question.answers) for question in self._questions), default=1) or 1

    def _schema(self, alpha: pa.DataType) -> pa.Schema:
        """Return the report's columns; alpha is a number or a remark."""
        distractors = [f"Point Biserial of Distractor {n}" for n in range(2, self._answer_columns() + 1)]
        correlations = ["Point Biserial of Correct", *distractors]
        return pa.schema([*_COLUMNS, ("Alpha", alpha), *((name, pa.float64()) for name in correlations)])

    @staticmethod
    def _alpha(item_variances: Sequence[float], total_variance: float) -> float | str:
        """Return the cell of alpha: few items say too little about a quiz for a figure."""
        if len(item_variances) <= _ALPHA_NEEDS_MORE_ITEMS_THAN:
            return "N/A"
        alpha = psychometrics.coefficient_alpha(item_variances, total_variance)
        return "N/A" if alpha is None else alpha


class _Item:
    """The figures of one question: ``codes``, ``totals`` and ``groups`` have an element a student."""

    def __init__(self, question: Question, codes: AnswerCodes, totals: Floats, groups: Integers) -> None:
        self._question = question
        width = _FIRST_ANSWER + len(question.answers)
        indices = codes.astype(np.int64)
        by_group = np.bincount(groups * width + indices, minlength=3 * width).reshape(3, width)
        by_group[:, _BLANK] = 0
        self._answered_by_group = by_group.sum(axis=1)
        self._counts = by_group.sum(axis=0)
        self._sums = np.bincount(indices, weights=totals, minlength=width)

        key = _key(question)
        self._right_by_group = np.zeros(3, np.int64) if key is None else by_group[:, _FIRST_ANSWER + key]
        self._right = int(self._right_by_group.sum())
        self._answered = int(self._counts.sum())

        answered = codes != _BLANK
        right = np.zeros(self._answered, bool) if key is None else codes[answered] == _FIRST_ANSWER + key
        self._deviation = psychometrics.standard_deviation(totals[answered])
        self.variance = psychometrics.population_variance(np.where(right, question.points_possible, 0.0))

    def figures(self, question_count: int) -> list[Cell]:
        """Return the cells before alpha."""
        wrong = self._answered - self._right
        difficulty = psychometrics.ratio(self._right, self._answered)
        return [
            self._question.id,
            self._question.title,
            self._answered,
            *_top_first(self._answered_by_group),
            question_count,
            self._right,
            wrong,
            difficulty,
            psychometrics.ratio(wrong, self._answered),
            *_top_first(self._right_by_group),
            self.variance,
            math.sqrt(self.variance),
            difficulty,
        ]

    def point_biserials(self, columns: int) -> list[float | None]:
        """Return the point biserial of the correct answer and of the others in the question's order."""
        key = _key(self._question)
        if key is None:
            return [None] * columns
        order = [key, *(index for index in range(len(self._question.answers)) if index != key)]
        figures = [self._point_biserial(_FIRST_ANSWER + index) for index in order]
        return figures + [None] * (columns - len(figures))

    def _point_biserial(self, code: int) -> float | None:
        """Return the point biserial of the answer with a code."""
        others = np.arange(self._counts.size) != code
        others[_BLANK] = False
        chosen, unchosen = int(self._counts[code]), int(self._counts[others].sum())
        if not chosen or not unchosen:
            return None
        return psychometrics.point_biserial(
            float(self._sums[code] / chosen),
            float(self._sums[others].sum() / unchosen),
            self._deviation,
            chosen,
            unchosen,
        )


def _row_order(question: Question) -> tuple[bool, int, str, int]:
    """Return what rows are sorted by."""
    return question.position is None, question.position or 0, question.title, question.id


def _key(question: Question) -> int | None:
    """Return the index of the correct answer, the first of highest weight; None without answers."""
    weights = [answer.weight for answer in question.answers]
    return weights.index(max(weights)) if weights else None


def _top_first(by_group: Integers) -> list[int]:
    """Return the counts of the top, the middle and the bottom group."""
    groups = (psychometrics.TOP, psychometrics.MIDDLE, psychometrics.BOTTOM)
    return [int(by_group[group]) for group in groups]


def _answer_codes(question: Question, answer_ids: pa.Array) -> AnswerCodes:
    """Return the chosen answers of an item as the smallest integers that can hold them."""
    known = pa.array([answer.id for answer in question.answers], pa.int64())
    index = pc.fill_null(pc.index_in(answer_ids, value_set=known), _UNKNOWN - _FIRST_ANSWER)
    codes = pc.if_else(pc.is_valid(answer_ids), pc.add(index, _FIRST_ANSWER), _BLANK).to_numpy()
    smallest: AnswerCodes = codes.astype(np.min_scalar_type(_FIRST_ANSWER + len(known) - 1))
    return smallest
