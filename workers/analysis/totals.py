"""The totals of the respondents of a quiz, the items that they are of, and the best and weakest groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from typing import Final

import numpy as np
import numpy.typing as npt

from workers.analysis import psychometrics
from workers.analysis.compact import CompactFloats
from workers.analysis.samples import Sample, Sliceable, known, slices, where
from workers.analysis.score_table import ChunkCodes, ItemScores, ScoreTable

Floats = npt.NDArray[np.float64]

_FEWEST_GRADED: Final = 0.5
# Students with the same points have the same total, in whatever order their points are added.
_DECIMALS: Final = 9


@dataclass(frozen=True)
class ItemOption:
    """An answer to a question: a key that is unique in the question, its text, and whether it is correct.

    If the question has several blanks or left sides, `blank` is the key of the one that it belongs to, and
    `blank_text` its name.
    """

    key: str
    text: str
    is_correct: bool
    blank: str = ""
    blank_text: str = ""


@dataclass(frozen=True)
class ScoredItem:
    """A question that carries points, in the version by which it is analysed."""

    id: int
    title: str
    question_type: str
    points_possible: float
    position: int | None
    is_choice: bool
    options: tuple[ItemOption, ...] = ()

    @property
    def carries_points(self) -> bool:
        """Whether the item is worth enough for shares of its points to be numbers."""
        return self.points_possible >= 10**-_DECIMALS

    @property
    def chance(self) -> float:
        """The facility that guessing would give: one of the options is chosen at random."""
        return 1 / len(self.options) if self.is_choice and self.options else 0.0


class Totals:
    """The totals of the respondents, and what follows from them.

    An item is analysed if it carries points and at least half of the responses to it are graded. `complete`
    says that every respondent has a graded response to every analysed item. Then `compared` are the totals in
    points, else they are shares of the points that the respondent could get; NaN if there were none.
    """

    def __init__(self, items: Sequence[ScoredItem], table: ScoreTable) -> None:
        self.respondents = table.respondents
        self.analysed = []
        self.complete = True
        # By the code of the response, what it adds to the points of a respondent, and to those possible.
        given: dict[int, Floats] = {}
        possible: dict[int, Floats] = {}
        for index, item in enumerate(items):
            scores = table.item(index)
            self.analysed.append(_is_analysed(item, scores))
            if self.analysed[-1]:
                given[index] = np.where(scores.is_graded, scores.score_of, 0.0)
                possible[index] = np.where(scores.is_graded, item.points_possible, 0.0)
                self.complete &= scores.graded == self.respondents
        self.points = CompactFloats()
        if self.complete:
            self.compared = self.points
            everything = sum(item.points_possible for item in compress(items, self.analysed))
            self._possible: Sliceable = np.broadcast_to(np.float64(everything), self.respondents)
        else:
            self.compared = CompactFloats()
            self._possible = of_each = CompactFloats()
        for codes in table.chunks:
            points = np.round(_sums(codes, given), _DECIMALS)
            self.points.add(points)
            if not self.complete:
                could_get = _sums(codes, possible)
                of_each.add(could_get)
                self.compared.add(_rounded_shares(points, could_get))

    def shares(self, part: slice) -> Floats:
        """Return the totals of some respondents as shares of the points that each of them could get."""
        return _rounded_shares(self.points[part], self._possible[part])

    def could_get_points(self, part: slice, besides: float = 0.0) -> npt.NDArray[np.bool_]:
        """Return for each of some respondents whether there were points to get, besides those of an item."""
        return self._possible[part] > besides

    @cached_property
    def known(self) -> Sample:
        """The totals in `compared` of the respondents who have one."""
        return known(self.compared)

    @cached_property
    def groups(self) -> npt.NDArray[np.int8]:
        """The group of each respondent: the best and the weakest 27 percent, and the middle."""
        limits = psychometrics.score_limits(self.known)
        groups = np.empty(self.respondents, np.int8)
        for part in slices(self.respondents):
            totals = self.compared[part]
            groups[part] = psychometrics.score_groups(totals, limits)
            groups[part][np.isnan(totals)] = psychometrics.MIDDLE
        return groups

    @cached_property
    def has_best_and_weakest(self) -> bool:
        """Whether there are students in the top and in the bottom group; ties may leave one empty."""
        sizes = np.zeros(3, np.int64)
        for part in slices(self.respondents):
            sizes += np.bincount(where(self.groups[part], ~np.isnan(self.compared[part])), minlength=3)
        return bool(sizes[psychometrics.TOP] and sizes[psychometrics.BOTTOM])

    def rests(self, item: ScoredItem, part: slice, scores: Floats) -> Floats:
        """Return the totals of some respondents without an item, given their scores on it.

        NaN if nothing else was graded. Of a response that is not graded there is no rest.
        """
        points = self.points[part] - scores
        if self.complete:
            return np.round(points, _DECIMALS, out=points)
        return _rounded_shares(points, self._possible[part] - item.points_possible)


def _sums(codes: ChunkCodes, numbers_of: Mapping[int, Floats]) -> Floats:
    """Add up for each respondent of a chunk the numbers that the codes of some items stand for."""
    sums = np.zeros(codes.respondents)
    for index, number_of in numbers_of.items():
        sums += number_of[codes.item(index)]
    return sums


def _rounded_shares(points: Floats, possible: Floats) -> Floats:
    shares = np.full(points.size, np.nan)
    np.divide(points, possible, out=shares, where=possible > 0)
    return np.round(shares, _DECIMALS, out=shares)


def _is_analysed(item: ScoredItem, scores: ItemScores) -> bool:
    shown = scores.shown
    return item.carries_points and bool(shown) and scores.graded >= _FEWEST_GRADED * shown
