"""The item_analysis report: a row for each choice question."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from workers.analysis import psychometrics
from workers.analysis.frames import (
    Cell,
    Column,
    ColumnKind,
    Integers,
    Item,
    frame_of_rows,
    frames_of,
    responses,
    shortened,
)
from workers.analysis.psychometrics import Floats, Moments
from workers.analysis.response_index import ChunkQuestionSets, OptionIndex, ResponseIndex, padded
from workers.analysis.samples import Sample, Sliceable, slices

_ALPHA_NEEDS_MORE_ITEMS_THAN: Final = 15
_NOT_AVAILABLE: Final = "N/A"

# The top, the middle and the bottom group.
_GROUPS: Final = 3

# Students are added up once there are so many, or so many responses: few calls over long frames.
_STUDENTS_AT_ONCE: Final = 4_096
_RESPONSES_AT_ONCE: Final = 2**20

CONVENTIONS: Final = (
    "A student who did not choose an answer to a question counts nowhere in its figures.",
    "The correct answer is the option of the highest weight, the first of equals.",
    "Of all students, sorted by the attempt's score, the top group begins at 73 %, the middle one at 27 %.",
    "Students of equal score are in the higher group.",
    "Variances and standard deviations are those of a population: they divide by n.",
    "Alpha is given for more than 15 questions only.",
    "A point biserial is (M1 - M0) / s * sqrt(p * (1 - p)); M1 is the mean score of those who chose it.",
    "M0 is that of those who chose another one, s the deviation of both, p the share of the former.",
    "The score is that of the whole attempt, the question included.",
)
QUESTION_COLUMNS: Final = (
    Column("Question Id", ColumnKind.INTEGER, meaning="The question's id in the LMS."),
    Column(
        "Question Title",
        ColumnKind.TEXT,
        meaning="The question's text; in the further tables, its first 200 characters.",
    ),
)
OPTION: Final = Column("Option", ColumnKind.INTEGER, meaning="The option's place in the question, from 1.")
_COLUMNS: Final = (
    *QUESTION_COLUMNS,
    Column("Answered Student Count", ColumnKind.INTEGER, meaning="The students who chose an answer."),
    Column("Top Student Count", ColumnKind.INTEGER, meaning="Those of them in the top group."),
    Column("Middle Student Count", ColumnKind.INTEGER, meaning="Those of them in the middle group."),
    Column("Bottom Student Count", ColumnKind.INTEGER, meaning="Those of them in the bottom group."),
    Column("Quiz Question Count", ColumnKind.INTEGER, meaning="The number of analysed questions."),
    Column("Correct Student Count", ColumnKind.INTEGER, meaning="The students who chose the correct answer."),
    Column("Wrong Student Count", ColumnKind.INTEGER, meaning="The students who chose another answer."),
    Column("Correct Student Ratio", ColumnKind.NUMBER, meaning="The share of the correct answers."),
    Column("Wrong Student Ratio", ColumnKind.NUMBER, meaning="The share of the wrong answers."),
    Column("Correct Top Student Count", ColumnKind.INTEGER, meaning="The correct answers in the top group."),
    Column("Correct Middle Student Count", ColumnKind.INTEGER, meaning="Those in the middle group."),
    Column("Correct Bottom Student Count", ColumnKind.INTEGER, meaning="Those in the bottom group."),
    Column("Variance", ColumnKind.NUMBER, meaning="The variance of the question's points."),
    Column("Standard Deviation", ColumnKind.NUMBER, meaning="The root of the variance."),
    Column("Difficulty Index", ColumnKind.NUMBER, meaning="The share of the correct answers."),
    Column("Alpha", ColumnKind.NUMBER, missing=_NOT_AVAILABLE, meaning="Coefficient alpha of all questions."),
    Column(
        "Point Biserial of Correct",
        ColumnKind.NUMBER,
        meaning="The correlation of the choice of the correct answer with the score.",
    ),
)
_DISTRACTOR: Final = "That of another option, in the question's order."

OPTION_COLUMNS: Final = (
    *QUESTION_COLUMNS,
    OPTION,
    Column("Option Text", ColumnKind.TEXT, meaning="The option's text."),
    Column("Option Key", ColumnKind.TEXT, meaning="Whether the option is correct or a distractor."),
    Column("Option Weight", ColumnKind.NUMBER, meaning="The option's weight: 100 is correct."),
    Column("Chosen Student Count", ColumnKind.INTEGER, meaning="The students who chose the option."),
    Column("Chosen Top Student Count", ColumnKind.INTEGER, meaning="Those of them in the top group."),
    Column("Chosen Middle Student Count", ColumnKind.INTEGER, meaning="Those of them in the middle group."),
    Column("Chosen Bottom Student Count", ColumnKind.INTEGER, meaning="Those of them in the bottom group."),
    Column("Chosen Student Ratio", ColumnKind.NUMBER, meaning="Their share of those who chose an answer."),
    Column(
        "Point Biserial",
        ColumnKind.NUMBER,
        meaning="The correlation of the choice of the option with the score.",
    ),
)
"""The columns of `ItemAnalysis.option_frames`."""


class ItemAnalysis:
    """The analysis of a quiz's choice questions, fed chunk by chunk.

    ``items`` are the analysed items, with the weights and points that decide what is correct.
    ``question_sets`` maps the id of a question set to the ids of its items, in the order of the response
    lists; a set is looked up when a chunk refers to it. ``totals`` are the scores of all students, null until
    graded: they decide the groups before the first student is counted, so that of a chunk only counts, sums
    and moments are kept.

    >>> from workers.analysis.frames import Option
    >>> import pyarrow as pa
    >>> item = Item(1, "Cells divide.", 1.0, 1, True, (Option(11, "True", 100.0), Option(12, "False", 0.0)))
    >>> analysis = ItemAnalysis([item], {5: [1]}, np.array([1.0, 0.0]))
    >>> lists = pd.Series([[11], [12]], dtype=pd.ArrowDtype(pa.list_(pa.int64())))
    >>> analysis.add(pd.DataFrame({"score": [1.0, 0.0], "question_set_id": [5, 5], "answer_ids": lists}))
    >>> analysis.rows()[["Question Title", "Difficulty Index", "Alpha"]].to_dict("records")
    [{'Question Title': 'Cells divide.', 'Difficulty Index': 0.5, 'Alpha': nan}]
    """

    def __init__(
        self, items: Sequence[Item], question_sets: Mapping[int, Sequence[int]], totals: Sliceable
    ) -> None:
        self._items = sorted(items, key=_row_order)
        self._question_sets = question_sets
        self._column_of = {item.id: column for column, item in enumerate(self._items)}
        self._options = OptionIndex([[option.id for option in item.options] for item in self._items])
        scores = Sample(
            totals.size, lambda: (np.nan_to_num(totals[part], nan=0.0) for part in slices(totals.size))
        )
        self._limits = psychometrics.score_limits(scores)
        self._total_variance = psychometrics.population_variance(scores)
        # The slots of an item: first responses that are none of its options, then its options in order.
        widths = [1 + len(item.options) for item in self._items]
        self._begins = np.cumsum([0, *widths])
        self._counts = np.zeros((self._begins[-1], _GROUPS), dtype=np.int64)
        self._sums = np.zeros(self._begins[-1])
        self._moments = [Moments() for _ in self._items]
        self._pending: list[tuple[Integers, Floats]] = []

    @property
    def columns(self) -> Sequence[Column]:
        """The columns of the report: as many distractors as the item with most options needs."""
        distractors = range(2, self._most_options() + 1)
        return [
            *_COLUMNS,
            *(
                Column(f"Point Biserial of Distractor {n}", ColumnKind.NUMBER, meaning=_DISTRACTOR)
                for n in distractors
            ),
        ]

    def add(self, attempts: pd.DataFrame) -> None:
        """Add a chunk of students, one row each, with the columns of `frames.ITEM_ATTEMPTS`.

        A null score counts as 0.0. Raises ValueError if responses do not fit their question set, KeyError if
        the question set is unknown.
        """
        lengths, (answer_ids,) = responses(attempts, ["answer_ids"])
        question_sets = ChunkQuestionSets.of(attempts["question_set_id"])
        # An item's code is its column; all items without a column share one code.
        no_column = len(self._items)
        codes = [
            [self._column_of.get(item_id, no_column) for item_id in self._question_sets[question_set_id]]
            for question_set_id in question_sets.ids
        ]
        columns = np.array([*range(no_column), -1])
        index = ResponseIndex(codes, question_sets.of_attempt, columns, lengths)
        slots = padded(self._slots(index.codes, answer_ids), -1)[index.positions(no_column)]
        self._pending.append((slots, attempts["score"].to_numpy(np.float64, na_value=0.0)))
        students = sum(totals.size for _, totals in self._pending)
        if students >= _STUDENTS_AT_ONCE or students * no_column >= _RESPONSES_AT_ONCE:
            self._add_up()

    def rows(self) -> pd.DataFrame:
        """Return a row for each item, by position (items without one last), then title, then id."""
        return frame_of_rows(self.columns, list(self._rows()))

    def row_frames(self) -> Iterator[pd.DataFrame]:
        """Yield the rows of ``rows`` in frames of limited size: a question may have thousands of options."""
        return frames_of(self.columns, self._rows())

    def option_frames(self) -> Iterator[pd.DataFrame]:
        """Yield a row for each option of each item, with the columns of ``OPTION_COLUMNS``."""
        return frames_of(OPTION_COLUMNS, (row for item in self._statistics() for row in item.options()))

    def _rows(self) -> Iterator[list[Cell]]:
        statistics = self._statistics()
        alpha = self._alpha([item.variance for item in statistics])
        count, options = len(statistics), self._most_options()
        for item in statistics:
            yield [*item.figures(count), alpha, *item.point_biserials(options)]

    def _statistics(self) -> "list[_ItemStatistics]":
        """Return the figures of each item."""
        self._add_up()
        return [
            _ItemStatistics(item, self._counts[begin:end], self._sums[begin:end], math.sqrt(moments.variance))
            for item, begin, end, moments in zip(
                self._items, self._begins[:-1], self._begins[1:], self._moments, strict=True
            )
        ]

    def _slots(self, columns: Integers, answer_ids: pd.Series) -> Integers:
        """Return the slot of each response, -1 if it is blank or its item is not analysed."""
        numbers = self._options.find(columns, answer_ids.to_numpy(np.int64, na_value=0))
        # Each item before has a slot more than it has options.
        slots = np.where(numbers >= 0, numbers + columns + 1, self._begins[columns])
        slots[(columns == len(self._items)) | answer_ids.isna().to_numpy()] = -1
        return slots

    def _add_up(self) -> None:
        """Add the pending students to the counts, the sums and the moments."""
        if not self._pending:
            return
        slots = np.concatenate([slots for slots, _ in self._pending], axis=1)
        totals = np.concatenate([totals for _, totals in self._pending])
        self._pending.clear()
        answered = slots >= 0
        # One key of two is grouped in half the time of both.
        groups = psychometrics.score_groups(totals, self._limits)
        keys = (slots * _GROUPS + groups)[answered]
        chosen = pd.Series(np.broadcast_to(totals, slots.shape)[answered])
        added = chosen.groupby(keys, sort=False).agg(["size", "sum"])
        option, group = np.divmod(added.index.to_numpy(), _GROUPS)
        self._counts[option, group] += added["size"].to_numpy()
        np.add.at(self._sums, option, added["sum"].to_numpy())
        # The sums of the moments decide last digits, so NumPy adds them up.
        self._moments = [
            moments.merged(Moments.of(totals[of_item]))
            for moments, of_item in zip(self._moments, answered, strict=True)
        ]

    def _most_options(self) -> int:
        """Return the number of options of the item that has the most, at least 1."""
        return max((len(item.options) for item in self._items), default=1) or 1

    def _alpha(self, item_variances: Sequence[float]) -> float | None:
        """Return the cell of alpha: None for a quiz of few items, or if alpha is undefined."""
        if len(item_variances) <= _ALPHA_NEEDS_MORE_ITEMS_THAN:
            return None
        return psychometrics.coefficient_alpha(item_variances, self._total_variance)


class _ItemStatistics:
    """The figures of one item, from the counts by slot and group, the sums by slot, and a deviation.

    The deviation is that of the totals of the students who chose an answer.
    """

    def __init__(self, item: Item, by_group: Integers, sums: Floats, deviation: float) -> None:
        self._item = item
        self._by_group = by_group
        self._answered_by_group = by_group.sum(axis=0)
        self._answered = int(self._answered_by_group.sum())
        self._counts = by_group.sum(axis=1)
        self._sums = sums
        self._other_sums = _sums_of_others(sums)
        self._deviation = deviation

        key = _key(item)
        self._correct_by_group = np.zeros(3, np.int64) if key is None else by_group[1 + key]
        self._correct = int(self._correct_by_group.sum())
        self.variance = psychometrics.variance_of_item(
            item.points_possible, self._correct, self._answered - self._correct
        )

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
        figures = [self._point_biserial(1 + index) for index in order]
        return figures + [None] * (columns - len(figures))

    def options(self) -> Iterator[list[Cell]]:
        """Yield the cells of each option, in the question's order."""
        key, title = _key(self._item), shortened(self._item.title)
        for index, option in enumerate(self._item.options):
            chosen = int(self._counts[1 + index])
            yield [
                self._item.id,
                title,
                1 + index,
                option.text,
                "correct" if index == key else "distractor",
                option.weight,
                chosen,
                *_top_first(self._by_group[1 + index]),
                psychometrics.ratio(chosen, self._answered),
                self._point_biserial(1 + index),
            ]

    def _point_biserial(self, slot: int) -> float | None:
        """Return the point biserial of the responses of a slot."""
        chosen = int(self._counts[slot])
        unchosen = self._answered - chosen
        if not chosen or not unchosen:
            return None
        return psychometrics.point_biserial(
            float(self._sums[slot] / chosen),
            float(self._other_sums[slot] / unchosen),
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
