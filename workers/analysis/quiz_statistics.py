"""The statistics of a quiz and of its items, for every type of question that carries points.

`Totals` are the totals of the respondents, and tell which items are analysed; `QuizStatistics` computes every
figure from them. What a figure means is in `figures.CONVENTIONS`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from workers.analysis import coefficients, moments, psychometrics
from workers.analysis.figures import FEWEST_RESPONDENTS, SMALLEST_GROUP, Figure, Reason
from workers.analysis.intervals import alpha_interval, correlation_interval, share_interval
from workers.analysis.score_table import NO_OPTION, ItemScores, ScoreTable

Floats = npt.NDArray[np.float64]

_FEWEST_GRADED: Final = 0.5
_FEWEST_ITEMS: Final = 2
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


@dataclass
class OptionCount:
    """How many respondents of each group chose an option; of those with a total, how many and its sum."""

    by_group: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, np.int64))
    totals: int = 0
    sum_of_totals: float = 0.0


_NOT_CHOSEN: Final = OptionCount()


class Totals:
    """The totals of the respondents, and what follows from them.

    An item is analysed if it carries points and at least half of the responses to it are graded. `complete`
    says that every respondent has a graded response to every analysed item. Then `compared` are the totals in
    points, else they are shares of the points that the respondent could get; NaN if there were none.
    """

    def __init__(self, items: Sequence[ScoredItem], table: ScoreTable) -> None:
        self.respondents = table.respondents
        self.points = np.zeros(table.respondents)
        self.analysed = []
        self.complete = True
        # One number as long as it is that of all respondents.
        possible: float | Floats = 0.0
        for index, item in enumerate(items):
            scores = table.item(index)
            self.analysed.append(_is_analysed(item, scores))
            if self.analysed[-1]:
                is_complete = bool(scores.graded.all())
                self.points += scores.scores
                could_get = item.points_possible * (1.0 if is_complete else scores.graded)
                possible = np.add(possible, could_get)
                self.complete &= is_complete
        self.possible = np.broadcast_to(possible, table.respondents)
        np.round(self.points, _DECIMALS, out=self.points)
        self.compared = self.points if self.complete else self.shares()

    def shares(self) -> Floats:
        """Return the totals as shares of the points that each respondent could get."""
        shares = np.full(self.respondents, np.nan)
        np.divide(self.points, self.possible, out=shares, where=self.possible > 0)
        return np.round(shares, _DECIMALS, out=shares)

    @cached_property
    def groups(self) -> npt.NDArray[np.int8]:
        """The group of each respondent: the best and the weakest 27 percent, and the middle."""
        groups = np.full(self.respondents, psychometrics.MIDDLE, np.int8)
        known = ~np.isnan(self.compared)
        totals = self.compared[known]
        groups[known] = psychometrics.score_groups(totals, psychometrics.score_limits(totals))
        return groups

    def rests(self, item: ScoredItem, scores: ItemScores) -> Floats:
        """Return the totals without an item, for its graded responses; NaN if nothing else was graded."""
        points = _where(self.points, scores.graded) - _where(scores.scores, scores.graded)
        if self.complete:
            return np.round(points, _DECIMALS)
        possible = self.possible[scores.graded] - item.points_possible
        rests = np.full(points.size, np.nan)
        np.divide(points, possible, out=rests, where=possible > 0)
        return np.round(rests, _DECIMALS)


def _is_analysed(item: ScoredItem, scores: ItemScores) -> bool:
    shown = int(scores.shown.sum())
    return item.carries_points and bool(shown) and scores.graded.sum() >= _FEWEST_GRADED * shown


@dataclass(frozen=True)
class QuizFigures:
    """The figures of a quiz; `score_distribution` counts respondents by percent of the points."""

    n: int
    items: int
    totals_in: str
    points_possible: float | None
    mean: Figure
    mean_percent: Figure
    median: Figure
    median_percent: Figure
    minimum: Figure
    maximum: Figure
    minimum_percent: Figure
    maximum_percent: Figure
    standard_deviation_population: Figure
    standard_deviation_sample: Figure
    skewness: Figure
    kurtosis: Figure
    alpha: Figure
    standard_error_of_measurement: Figure
    minutes_median: Figure
    minutes_lower_quartile: Figure
    minutes_upper_quartile: Figure
    score_distribution: Mapping[str, int]


@dataclass(frozen=True)
class OptionFigures:
    """The figures of an option; shares are of those who were shown the question.

    `blank` names the blank or the left side that it belongs to, if the question has several.
    """

    key: str
    blank: str
    text: str
    correct: bool
    count: int
    share: Figure
    share_of_top: Figure
    share_of_middle: Figure
    share_of_bottom: Figure
    mean_total: Figure
    point_biserial: Figure


@dataclass(frozen=True)
class ItemFigures:
    """The figures of an item."""

    id: int
    title: str
    question_type: str
    position: int | None
    points_possible: float
    analysed: bool
    answered: int
    omitted: int
    not_shown: int
    not_graded: int
    facility: Figure
    standard_deviation_population: Figure
    standard_deviation_sample: Figure
    point_biserial_total: Figure
    item_rest_correlation: Figure
    d27: Figure
    discriminative_efficiency: Figure
    greatest_rest_covariance: Figure
    effective_weight: Figure
    alpha_if_deleted: Figure
    options: Sequence[OptionFigures]


class QuizStatistics:
    """All figures of a quiz; `minutes` are those of each respondent's attempt, NaN if unknown.

    `option_counts` are the options of items that are no choice, by the index of the item and the key of the
    option; those of choices follow from the table.
    """

    def __init__(
        self,
        items: Sequence[ScoredItem],
        table: ScoreTable,
        totals: Totals,
        minutes: Floats,
        option_counts: Mapping[int, Mapping[str, OptionCount]],
    ) -> None:
        self._items = items
        self._table = table
        self._totals = totals
        self._minutes = minutes[~np.isnan(minutes)]
        self._option_counts = option_counts
        self._analysed = [index for index, analysed in enumerate(totals.analysed) if analysed]
        self._variances: list[float] = []
        self._covariances: list[float] = []
        for index in self._analysed:
            scores = table.item(index)
            self._variances.append(moments.sample_variance(_where(scores.scores, scores.graded)) or 0.0)
            self._covariances.append(_covariance(scores.scores, totals.compared, scores.graded))

    def quiz(self) -> QuizFigures:
        """Return the figures of the quiz."""
        totals, n = self._totals, self._totals.respondents
        points = totals.points[totals.possible > 0]
        percent = 100 * totals.shares()[totals.possible > 0]
        alpha = self._alpha()
        deviation = moments.sample_standard_deviation(totals.points)
        return QuizFigures(
            n=n,
            items=len(self._analysed),
            totals_in="points" if totals.complete else "share of the points that a student could get",
            points_possible=math.fsum(self._items[index].points_possible for index in self._analysed),
            mean=_summary(points, np.mean),
            mean_percent=_summary(percent, np.mean),
            median=_summary(points, np.median),
            median_percent=_summary(percent, np.median),
            minimum=_summary(points, np.min),
            maximum=_summary(points, np.max),
            minimum_percent=_summary(percent, np.min),
            maximum_percent=_summary(percent, np.max),
            standard_deviation_population=_summary(points, psychometrics.standard_deviation),
            standard_deviation_sample=Figure.of(
                moments.sample_standard_deviation(points), Reason.FEW_RESPONDENTS
            ),
            skewness=self._moment(moments.skewness),
            kurtosis=self._moment(moments.kurtosis),
            alpha=alpha,
            standard_error_of_measurement=(
                Figure.none(alpha.reason or Reason.NOT_COMPUTABLE)
                if alpha.value is None or deviation is None
                else Figure.of(
                    coefficients.standard_error_of_measurement(deviation, alpha.value), Reason.NOT_COMPUTABLE
                )
            ),
            minutes_median=self._minutes_at(50),
            minutes_lower_quartile=self._minutes_at(25),
            minutes_upper_quartile=self._minutes_at(75),
            score_distribution=psychometrics.score_distribution(percent),
        )

    def items(self) -> list[ItemFigures]:
        """Return the figures of each item, in the order of the items."""
        weights = coefficients.effective_weights(self._covariances)
        number_of = {index: number for number, index in enumerate(self._analysed)}
        return [
            _ItemCalculation(
                item,
                self._table.item(index),
                self._totals,
                self._variances,
                number_of.get(index),
                weights[number_of[index]] if index in number_of else None,
                self._option_counts.get(index, {}),
            ).figures()
            for index, item in enumerate(self._items)
        ]

    def _moment(self, formula: Any) -> Figure:
        compared = self._totals.compared[~np.isnan(self._totals.compared)]
        if compared.size < FEWEST_RESPONDENTS:
            return Figure.none(Reason.FEW_RESPONDENTS)
        return Figure.of(formula(compared), Reason.EQUAL_TOTALS)

    def _alpha(self) -> Figure:
        n, k = self._totals.respondents, len(self._analysed)
        if n < FEWEST_RESPONDENTS:
            return Figure.none(Reason.FEW_RESPONDENTS)
        if k < _FEWEST_ITEMS:
            return Figure.none(Reason.FEW_ITEMS)
        if not self._totals.complete:
            return Figure.none(Reason.DIFFERENT_ITEMS)
        variance = moments.sample_variance(self._totals.points) or 0.0
        alpha = psychometrics.coefficient_alpha(self._variances, variance)
        return Figure.of(alpha, Reason.EQUAL_TOTALS, None if alpha is None else alpha_interval(alpha, n, k))

    def _minutes_at(self, percent: int) -> Figure:
        if not self._minutes.size:
            return Figure.none(Reason.NO_TIMES)
        return Figure.of(float(np.percentile(self._minutes, percent)), Reason.NO_TIMES)


class _ItemCalculation:
    """The figures of one item; `number` is its index among the analysed items, None if it is not analysed."""

    def __init__(
        self,
        item: ScoredItem,
        scores: ItemScores,
        totals: Totals,
        variances: Sequence[float],
        number: int | None,
        weight: float | None,
        option_counts: Mapping[str, OptionCount],
    ) -> None:
        self._item = item
        self._scores = scores
        self._totals = totals
        self._variances = variances
        self._number = number
        self._weight = weight
        self._option_counts = option_counts
        self._x = _where(scores.scores, scores.graded)

    def figures(self) -> ItemFigures:
        """Return the figures."""
        scores = self._scores
        shown, answered = int(scores.shown.sum()), int(scores.answered.sum())
        return ItemFigures(
            id=self._item.id,
            title=self._item.title,
            question_type=self._item.question_type,
            position=self._item.position,
            points_possible=self._item.points_possible,
            analysed=self._number is not None,
            answered=answered,
            omitted=shown - answered,
            not_shown=scores.shown.size - shown,
            not_graded=shown - int(scores.graded.sum()),
            facility=self._facility(),
            standard_deviation_population=self._coefficient(psychometrics.standard_deviation(self._x)),
            standard_deviation_sample=self._coefficient(moments.sample_standard_deviation(self._x)),
            point_biserial_total=self._correlation(
                _where(self._totals.compared, scores.graded), Reason.EQUAL_TOTALS
            ),
            item_rest_correlation=self._correlation(self._rests, Reason.EQUAL_RESTS),
            d27=self._d27(),
            discriminative_efficiency=self._efficiency(),
            greatest_rest_covariance=self._greatest_rest_covariance(),
            effective_weight=self._coefficient(self._weight, Reason.NEGATIVE_COVARIANCE),
            alpha_if_deleted=self._alpha_if_deleted(),
            options=[self._option(option) for option in self._item.options],
        )

    @cached_property
    def _rests(self) -> Floats:
        return self._totals.rests(self._item, self._scores)

    @cached_property
    def _is_right_or_wrong(self) -> bool:
        return bool(np.isin(self._x, (0.0, self._item.points_possible)).all())

    @property
    def _withheld(self) -> Reason | None:
        """Why the item has no coefficients."""
        if not self._item.carries_points:
            return Reason.NO_POINTS
        if not self._scores.shown.any():
            return Reason.NO_RESPONDENTS
        if self._number is None:
            return Reason.NOT_GRADED
        return Reason.FEW_RESPONDENTS if self._x.size < FEWEST_RESPONDENTS else None

    @property
    def _does_not_vary(self) -> Reason | None:
        """Why the item tells no students apart."""
        if not self._x.size or moments.varies(self._x):
            return None
        if self._x[0] == self._item.points_possible:
            return Reason.ALL_CORRECT
        return Reason.ALL_WRONG if self._x[0] == 0 else Reason.EQUAL_SCORES

    def _facility(self) -> Figure:
        if not self._item.carries_points:
            return Figure.none(Reason.NO_POINTS)
        if not self._x.size:
            return Figure.none(Reason.NOT_GRADED if self._scores.shown.any() else Reason.NO_RESPONDENTS)
        facility = float(self._x.mean()) / self._item.points_possible
        if not 0 <= facility <= 1:
            return Figure.none(Reason.OUT_OF_RANGE)
        correct = int((self._x == self._item.points_possible).sum())
        return Figure.of(
            facility,
            Reason.NOT_COMPUTABLE,
            share_interval(correct, self._x.size) if self._is_right_or_wrong else None,
        )

    def _coefficient(self, value: float | None, reason: Reason = Reason.NOT_COMPUTABLE) -> Figure:
        return Figure.none(self._withheld) if self._withheld else Figure.of(value, reason)

    def _correlation(self, others: Floats, if_equal: Reason) -> Figure:
        if reason := self._withheld or self._does_not_vary:
            return Figure.none(reason)
        known = ~np.isnan(others)
        r = moments.correlation(_where(self._x, known), _where(others, known))
        interval = None if r is None else correlation_interval(r, int(known.sum()))
        return Figure.of(r, if_equal, interval)

    def _d27(self) -> Figure:
        if reason := self._withheld:
            return Figure.none(reason)
        shares = self._x / self._item.points_possible
        d27 = coefficients.discrimination_index(shares, self._totals.groups[self._scores.graded])
        if d27 is not None and abs(d27) > 1:
            return Figure.none(Reason.OUT_OF_RANGE)
        return Figure.of(d27, Reason.EMPTY_GROUP)

    @cached_property
    def _rest_covariances(self) -> tuple[float, float] | None:
        known = ~np.isnan(self._rests)
        return coefficients.rest_covariances(_where(self._x, known), _where(self._rests, known))

    def _efficiency(self) -> Figure:
        if reason := self._withheld or self._does_not_vary:
            return Figure.none(reason)
        covariances = self._rest_covariances
        efficiency = None if covariances is None else coefficients.efficiency(*covariances)
        return Figure.of(efficiency, Reason.EQUAL_RESTS)

    def _greatest_rest_covariance(self) -> Figure:
        if reason := self._withheld or self._does_not_vary:
            return Figure.none(reason)
        covariances = self._rest_covariances
        return Figure.of(None if covariances is None else covariances[1], Reason.EQUAL_RESTS)

    def _alpha_if_deleted(self) -> Figure:
        if reason := self._withheld:
            return Figure.none(reason)
        if not self._totals.complete:
            return Figure.none(Reason.DIFFERENT_ITEMS)
        if len(self._variances) <= _FEWEST_ITEMS or self._number is None:
            return Figure.none(Reason.FEW_ITEMS_LEFT)
        alpha = coefficients.alpha_if_deleted(self._variances, self._number, self._rests)
        return Figure.of(alpha, Reason.EQUAL_RESTS)

    def _option(self, option: ItemOption) -> OptionFigures:
        count = self._counts.get(option.key, _NOT_CHOSEN)
        chosen = int(count.by_group.sum())
        of_top, of_middle, of_bottom = (
            _share(int(count.by_group[group]), int(self._shown_by_group[group]), SMALLEST_GROUP)
            for group in (psychometrics.TOP, psychometrics.MIDDLE, psychometrics.BOTTOM)
        )
        return OptionFigures(
            key=option.key,
            blank=option.blank_text,
            text=option.text,
            correct=option.is_correct,
            count=chosen,
            share=_share(chosen, int(self._shown_by_group.sum())),
            share_of_top=of_top,
            share_of_middle=of_middle,
            share_of_bottom=of_bottom,
            mean_total=(
                Figure.none(Reason.SMALL_GROUP)
                if count.totals < SMALLEST_GROUP
                else self._coefficient(count.sum_of_totals / count.totals)
            ),
            point_biserial=self._option_point_biserial(count.totals, count.sum_of_totals),
        )

    @cached_property
    def _counts(self) -> Mapping[str, OptionCount]:
        return self._count_choices() if self._item.is_choice else self._option_counts

    def _count_choices(self) -> dict[str, OptionCount]:
        chose = self._scores.option_ids != NO_OPTION
        option, option_ids = pd.factorize(self._scores.option_ids[chose])
        cells = option * 3 + self._totals.groups[chose]
        by_group = np.bincount(cells, minlength=3 * option_ids.size).reshape(-1, 3)
        totals = self._totals.compared[chose]
        known = ~np.isnan(totals)
        counts = np.bincount(option, known, option_ids.size)
        sums = np.bincount(_where(option, known), _where(totals, known), option_ids.size)
        return {
            str(option_id): OptionCount(by_group[row], int(counts[row]), float(sums[row]))
            for row, option_id in enumerate(option_ids.tolist())
        }

    @cached_property
    def _shown_by_group(self) -> npt.NDArray[np.int64]:
        return np.bincount(self._totals.groups[self._scores.shown], minlength=3)

    def _option_point_biserial(self, chosen: int, sum_of_totals: float) -> Figure:
        totals = self._answered_totals
        others = totals.size - chosen
        if self._withheld:
            return Figure.none(self._withheld)
        if chosen == 0 or others <= 0:
            return Figure.none(Reason.ALL_OR_NONE)
        if chosen < SMALLEST_GROUP:
            return Figure.none(Reason.SMALL_GROUP)
        r = psychometrics.point_biserial(
            sum_of_totals / chosen,
            (float(totals.sum()) - sum_of_totals) / others,
            psychometrics.standard_deviation(totals),
            chosen,
            others,
        )
        interval = None if r is None else correlation_interval(r, totals.size)
        return Figure.of(None if r is None else min(1.0, max(-1.0, r)), Reason.EQUAL_TOTALS, interval)

    @cached_property
    def _answered_totals(self) -> Floats:
        totals = self._totals.compared[self._scores.answered]
        return totals[~np.isnan(totals)]


def _share(part: int, whole: int, smallest: int = 1) -> Figure:
    if whole < smallest:
        return Figure.none(Reason.SMALL_GROUP if whole else Reason.NO_RESPONDENTS)
    return Figure.of(psychometrics.ratio(part, whole), Reason.NOT_COMPUTABLE)


def _where(values: Floats, mask: npt.NDArray[np.bool_]) -> Floats:
    """Return the values where a mask is set, without a copy if it is set everywhere."""
    return values if mask.all() else values[mask]


def _covariance(x: Floats, y: Floats, graded: npt.NDArray[np.bool_]) -> float:
    known = graded & ~np.isnan(y)
    return moments.covariance(_where(x, known), _where(y, known)) if known.sum() > 1 else 0.0


def _summary(values: Floats, formula: Any) -> Figure:
    return (
        Figure.of(float(formula(values)), Reason.NOT_COMPUTABLE)
        if values.size
        else Figure.none(Reason.NO_RESPONDENTS)
    )
