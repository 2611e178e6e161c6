"""The statistics of a quiz, for every type of question that carries points.

`QuizStatistics` computes every figure of the quiz and of its items from the totals of the respondents. What a
figure means is in `figures.CONVENTIONS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from workers.analysis import coefficients, moments, psychometrics
from workers.analysis.figures import FEWEST_RESPONDENTS, Figure, Reason
from workers.analysis.intervals import alpha_interval
from workers.analysis.item_figures import (
    FEWEST_ITEMS,
    ItemCalculation,
    ItemFigures,
    OptionCount,
    pair_with_totals,
)
from workers.analysis.samples import Sample, Sliceable, known, masked
from workers.analysis.score_table import ScoreTable
from workers.analysis.totals import ScoredItem, Totals

Floats = npt.NDArray[np.float64]
Formula = Callable[[Sample], float | None]

_NO_SCORES: Final = np.empty(0)


@dataclass(frozen=True)
class QuizFigures:
    """The figures of a quiz.

    The distributions count respondents by whole percents of the points that they could get, and by whole
    points. The figures of `quiz_score` are of the scores that the quiz itself gave.
    """

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
    quiz_score_mean: Figure
    quiz_score_median: Figure
    quiz_score_minimum: Figure
    quiz_score_maximum: Figure
    quiz_score_standard_deviation_population: Figure
    quiz_score_standard_deviation_sample: Figure
    minutes_median: Figure
    minutes_lower_quartile: Figure
    minutes_upper_quartile: Figure
    score_distribution: Mapping[str, int]
    score_distribution_points: Mapping[str, int]


class QuizStatistics:
    """All figures of a quiz; `minutes` are those of the attempts, NaN if unknown, in any order.

    `option_counts` are the options of items that are no choice, by the index of the item and the key of the
    option; those of choices follow from the table. `quiz_scores` are the scores that the quiz itself gave for
    the same attempts, NaN for one that has none.
    """

    def __init__(
        self,
        items: Sequence[ScoredItem],
        table: ScoreTable,
        totals: Totals,
        minutes: Sliceable | Sample,
        option_counts: Mapping[int, Mapping[str, OptionCount]],
        quiz_scores: Sliceable = _NO_SCORES,
    ) -> None:
        self._items = items
        self._table = table
        self._totals = totals
        self._quiz_scores = known(quiz_scores)
        self._minutes = known(minutes)
        self._option_counts = option_counts
        self._analysed = [index for index, analysed in enumerate(totals.analysed) if analysed]
        self._variances: list[float] = []
        self._covariances: list[float] = []
        for index in self._analysed:
            scores = table.item(index)
            x, compared = pair_with_totals(scores, totals)
            self._variances.append(moments.sample_variance(scores.scores) or 0.0)
            self._covariances.append(moments.covariance(x, compared) if x.size > 1 else 0.0)

    def quiz(self) -> QuizFigures:
        """Return the figures of the quiz."""
        totals, n = self._totals, self._totals.respondents
        points = masked(n, totals.points.__getitem__, totals.could_get_points)
        percent = masked(n, lambda part: totals.shares(part) * 100, totals.could_get_points)
        no_totals = Reason.NO_ITEMS if n else Reason.NO_RESPONDENTS
        alpha = self._alpha()
        deviation = moments.sample_standard_deviation(totals.points.sample)
        return QuizFigures(
            n=n,
            items=len(self._analysed),
            totals_in="points" if totals.complete else "share of the points that a student could get",
            points_possible=math.fsum(self._items[index].points_possible for index in self._analysed),
            mean=_summary(points, _mean, no_totals),
            mean_percent=_summary(percent, _mean, no_totals),
            median=_summary(points, _median, no_totals),
            median_percent=_summary(percent, _median, no_totals),
            minimum=_summary(points, _minimum, no_totals),
            maximum=_summary(points, _maximum, no_totals),
            minimum_percent=_summary(percent, _minimum, no_totals),
            maximum_percent=_summary(percent, _maximum, no_totals),
            standard_deviation_population=_summary(points, psychometrics.standard_deviation, no_totals),
            standard_deviation_sample=_summary(points, moments.sample_standard_deviation, no_totals),
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
            **self._quiz_score_figures(),
            minutes_median=self._minutes_at(50),
            minutes_lower_quartile=self._minutes_at(25),
            minutes_upper_quartile=self._minutes_at(75),
            score_distribution=psychometrics.score_distribution(percent),
            score_distribution_points=psychometrics.score_distribution(points),
        )

    def items(self) -> list[ItemFigures]:
        """Return the figures of each item, in the order of the items."""
        weights = dict(zip(self._analysed, self._weights(), strict=True))
        number_of = {index: number for number, index in enumerate(self._analysed)}
        return [
            ItemCalculation(
                item,
                self._table.item(index),
                self._totals,
                self._variances,
                number_of.get(index),
                weights.get(index, Figure.none(Reason.NOT_GRADED)),
                self._option_counts.get(index, {}),
            ).figures()
            for index, item in enumerate(self._items)
        ]

    def _weights(self) -> Iterator[Figure]:
        """Yield the effective weight of each analysed item."""
        totals_vary = self._totals.known.varies
        for weight, covariance in zip(
            coefficients.effective_weights(self._covariances), self._covariances, strict=True
        ):
            if covariance < 0:
                yield Figure.none(Reason.NEGATIVE_COVARIANCE)
            else:
                yield Figure.of(weight, Reason.NOT_COMPUTABLE if totals_vary else Reason.EQUAL_TOTALS)

    def _quiz_score_figures(self) -> dict[str, Figure]:
        none = Reason.NO_SCORES if self._totals.respondents else Reason.NO_RESPONDENTS
        formulas: Mapping[str, Formula] = {
            "mean": _mean,
            "median": _median,
            "minimum": _minimum,
            "maximum": _maximum,
            "standard_deviation_population": psychometrics.standard_deviation,
            "standard_deviation_sample": moments.sample_standard_deviation,
        }
        return {
            f"quiz_score_{name}": _summary(self._quiz_scores, formula, none)
            for name, formula in formulas.items()
        }

    def _moment(self, formula: Formula) -> Figure:
        if not self._analysed:
            return Figure.none(Reason.NO_ITEMS if self._totals.respondents else Reason.NO_RESPONDENTS)
        if self._totals.known.size < FEWEST_RESPONDENTS:
            return Figure.none(Reason.FEW_RESPONDENTS)
        return Figure.of(formula(self._totals.known), Reason.EQUAL_TOTALS)

    def _alpha(self) -> Figure:
        n, k = self._totals.respondents, len(self._analysed)
        if n < FEWEST_RESPONDENTS:
            return Figure.none(Reason.FEW_RESPONDENTS)
        if k < FEWEST_ITEMS:
            return Figure.none(Reason.FEW_ITEMS)
        if not self._totals.complete:
            return Figure.none(Reason.DIFFERENT_ITEMS)
        variance = moments.sample_variance(self._totals.points.sample) or 0.0
        alpha = psychometrics.coefficient_alpha(self._variances, variance)
        return Figure.of(alpha, Reason.EQUAL_TOTALS, None if alpha is None else alpha_interval(alpha, n, k))

    def _minutes_at(self, percent: int) -> Figure:
        if not self._minutes.size:
            return Figure.none(Reason.NO_TIMES)
        return Figure.of(_percentile(self._minutes, percent), Reason.NO_TIMES)


def _mean(sample: Sample) -> float:
    return sample.mean


def _median(sample: Sample) -> float:
    return float(np.median(sample.ranked((sample.size - 1) // 2, sample.size // 2)))


def _percentile(sample: Sample, percent: int) -> float:
    """Return what `np.percentile` does, between the two numbers that are next to it."""
    at = percent / 100 * (sample.size - 1)
    below = math.floor(at)
    return float(np.quantile(sample.ranked(below, min(below + 1, sample.size - 1)), at - below))


def _minimum(sample: Sample) -> float:
    return sample.least


def _maximum(sample: Sample) -> float:
    return sample.most


def _summary(values: Sample, formula: Formula, if_none: Reason) -> Figure:
    """Return a figure of values, or the reason why there are none; a formula may need more than one."""
    if not values.size:
        return Figure.none(if_none)
    value = formula(values)
    return Figure.of(value, Reason.FEW_RESPONDENTS)
