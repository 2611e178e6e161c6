"""The item_analysis report: a row for each choice question."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workers.analysis import psychometrics
from workers.analysis.frames import ITEM_ATTEMPTS, Item, responses, single_chunk, to_arrow
from workers.analysis.psychometrics import Floats
from workers.analysis.response_index import ChunkQuestionSets, Integers, ResponseIndex

ResponseCodes = npt.NDArray[np.unsignedinteger]
Cell = int | float | str | None

# The codes of responses: no response, an option that the item does not have, and from here on the item's
# options in order.
_BLANK: Final = 0
_UNKNOWN: Final = 1
_FIRST_OPTION: Final = 2

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
    """The analysis of a quiz's choice questions, fed chunk by chunk.

    ``items`` are the analysed items, with the weights and points that decide what is correct.
    ``question_sets`` maps the id of a question set to the ids of its items, in the order of the response
    lists; a set is looked up when a chunk refers to it. Between chunks, a student takes eight bytes and one
    byte for each item (two from 255 options on).

    >>> from workers.analysis.frames import Option
    >>> item = Item(1, "Cells divide.", 1.0, 1, True, (Option(11, "True", 100.0), Option(12, "False", 0.0)))
    >>> analysis = ItemAnalysis([item], {5: [1]})
    >>> responses = {"score": [1.0, 0.0], "question_set_id": [5, 5], "answer_ids": [[11], [12]]}
    >>> analysis.add(pd.DataFrame(responses))
    >>> analysis.rows().select(["Question Title", "Difficulty Index", "Alpha"]).to_pylist()
    [{'Question Title': 'Cells divide.', 'Difficulty Index': 0.5, 'Alpha': 'N/A'}]
    """

    def __init__(self, items: Sequence[Item], question_sets: Mapping[int, Sequence[int]]) -> None:
        self._items = sorted(items, key=_row_order)
        self._question_sets = question_sets
        self._column_of = {item.id: column for column, item in enumerate(self._items)}
        self._totals: list[Floats] = []
        self._codes: list[list[ResponseCodes]] = [[] for _ in self._items]

    def add(self, attempts: pd.DataFrame) -> None:
        """Add a chunk of students, one row each, with the columns of `frames.ITEM_ATTEMPTS`.

        A null score counts as 0.0. Raises ValueError if responses do not fit their question set, KeyError if
        the question set is unknown.
        """
        table = to_arrow(attempts, ITEM_ATTEMPTS)
        lengths, (answer_ids,) = responses(table, ["answer_ids"])
        chunk_sets = ChunkQuestionSets.of(single_chunk(table["question_set_id"]))
        # An item's code is its column; all items without a column share one code.
        no_column = len(self._items)
        codes = [
            [self._column_of.get(item_id, no_column) for item_id in self._question_sets[question_set_id]]
            for question_set_id in chunk_sets.ids
        ]
        index = ResponseIndex(chunk_sets, codes, [*range(no_column), -1], lengths)
        self._totals.append(pc.fill_null(single_chunk(table["score"]), 0.0).to_numpy())
        for column, item in enumerate(self._items):
            self._codes[column].append(_response_codes(item, index.positions(column).take(answer_ids)))

    def header(self) -> list[str]:
        """Return the names of the columns, in order."""
        return [field.name for field in self._schema(pa.float64())]

    def rows(self) -> pa.Table:
        """Return a row for each item, by position (items without one last), then title, then id."""
        totals = np.concatenate([np.empty(0), *self._totals])
        groups = psychometrics.score_groups(totals).astype(np.int64)
        statistics = [
            _ItemStatistics(item, np.concatenate([np.empty(0, np.uint8), *codes]), totals, groups)
            for item, codes in zip(self._items, self._codes, strict=True)
        ]
        alpha = self._alpha([item.variance for item in statistics], psychometrics.population_variance(totals))
        count, options = len(statistics), self._most_options()
        rows = [[*item.figures(count), alpha, *item.point_biserials(options)] for item in statistics]
        schema = self._schema(pa.large_string() if isinstance(alpha, str) else pa.float64())
        columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
        return pa.Table.from_arrays(
            [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)],
            schema=schema,
        )

    def _most_options(self) -> int:
        """Return the number of options of the item that has the most, at least 1."""
        return max((len(item.options) for item in self._items), default=1) or 1

    def _schema(self, alpha: pa.DataType) -> pa.Schema:
        """Return the report's columns; alpha is a number or a text."""
        distractors = [f"Point Biserial of Distractor {n}" for n in range(2, self._most_options() + 1)]
        correlations = ["Point Biserial of Correct", *distractors]
        return pa.schema([*_COLUMNS, ("Alpha", alpha), *((name, pa.float64()) for name in correlations)])

    @staticmethod
    def _alpha(item_variances: Sequence[float], total_variance: float) -> float | str:
        """Return the cell of alpha: N/A for a quiz of few items, or if alpha is undefined."""
        if len(item_variances) <= _ALPHA_NEEDS_MORE_ITEMS_THAN:
            return "N/A"
        alpha = psychometrics.coefficient_alpha(item_variances, total_variance)
        return "N/A" if alpha is None else alpha


class _ItemStatistics:
    """The figures of one item; ``codes``, ``totals`` and ``groups`` have an element for each student."""

    def __init__(self, item: Item, codes: ResponseCodes, totals: Floats, groups: Integers) -> None:
        self._item = item
        width = _FIRST_OPTION + len(item.options)
        indices = codes.astype(np.int64)
        by_group = np.bincount(groups * width + indices, minlength=3 * width).reshape(3, width)
        by_group[:, _BLANK] = 0
        self._answered_by_group = by_group.sum(axis=1)
        self._counts = by_group.sum(axis=0)
        self._sums = np.bincount(indices, weights=totals, minlength=width)
        self._other_sums = _sums_of_others(np.where(np.arange(width) == _BLANK, 0.0, self._sums))

        key = _key(item)
        self._correct_by_group = np.zeros(3, np.int64) if key is None else by_group[:, _FIRST_OPTION + key]
        self._correct = int(self._correct_by_group.sum())
        self._answered = int(self._counts.sum())

        answered = codes != _BLANK
        correct = np.zeros(self._answered, bool) if key is None else codes[answered] == _FIRST_OPTION + key
        self._deviation = psychometrics.standard_deviation(totals[answered])
        self.variance = psychometrics.population_variance(np.where(correct, item.points_possible, 0.0))

    def figures(self, question_count: int) -> list[Cell]:
        """Return the cells before alpha."""
        wrong = self._answered - self._correct
        difficulty = psychometrics.ratio(self._correct, self._answered)
        return [
            self._item.id,
            self._item.title,
            self._answered,
            *_top_first(self._answered_by_group),
            question_count,
            self._correct,
            wrong,
            difficulty,
            psychometrics.ratio(wrong, self._answered),
            *_top_first(self._correct_by_group),
            self.variance,
            math.sqrt(self.variance),
            difficulty,
        ]

    def point_biserials(self, columns: int) -> list[float | None]:
        """Return the point biserials of the correct option and of the others in order, padded with None."""
        key = _key(self._item)
        if key is None:
            return [None] * columns
        order = [key, *(index for index in range(len(self._item.options)) if index != key)]
        figures = [self._point_biserial(_FIRST_OPTION + index) for index in order]
        return figures + [None] * (columns - len(figures))

    def _point_biserial(self, code: int) -> float | None:
        """Return the point biserial of the responses with a code."""
        chosen = int(self._counts[code])
        unchosen = self._answered - chosen
        if not chosen or not unchosen:
            return None
        return psychometrics.point_biserial(
            float(self._sums[code] / chosen),
            float(self._other_sums[code] / unchosen),
            self._deviation,
            chosen,
            unchosen,
        )


def _sums_of_others(sums: Floats) -> Floats:
    """Return for each element the sum of all the others: of those before it and those after it.

    Subtracting the element from the sum of all would lose digits.
    """
    before = np.concatenate([[0.0], np.cumsum(sums)[:-1]])
    after = np.concatenate([np.cumsum(sums[::-1])[-2::-1], [0.0]])
    total: Floats = before + after
    return total


def _row_order(item: Item) -> tuple[bool, int, str, int]:
    """Return the sort key of an item's row."""
    return item.position is None, item.position or 0, item.title, item.id


def _key(item: Item) -> int | None:
    """Return the index of the correct option, the first of the highest weight; None without options."""
    weights = [option.weight for option in item.options]
    return weights.index(max(weights)) if weights else None


def _top_first(by_group: Integers) -> list[int]:
    """Return the counts of the top, the middle and the bottom group."""
    groups = (psychometrics.TOP, psychometrics.MIDDLE, psychometrics.BOTTOM)
    return [int(by_group[group]) for group in groups]


def _response_codes(item: Item, answer_ids: pa.Array) -> ResponseCodes:
    """Return the codes of the responses to an item, in the smallest integer type that can hold them."""
    known = pa.array([option.id for option in item.options], pa.int64())
    index = pc.fill_null(pc.index_in(answer_ids, value_set=known), _UNKNOWN - _FIRST_OPTION)
    codes = pc.if_else(pc.is_valid(answer_ids), pc.add(index, _FIRST_OPTION), _BLANK).to_numpy()
    smallest: ResponseCodes = codes.astype(np.min_scalar_type(_FIRST_OPTION + len(known) - 1))
    return smallest
