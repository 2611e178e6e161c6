"""The figures of an item and of its options; what each means is in `figures.CONVENTIONS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from workers.analysis import coefficients, moments, psychometrics
from workers.analysis.figures import FEWEST_RESPONDENTS, SMALLEST_GROUP, Figure, Reason
from workers.analysis.intervals import alpha_interval, correlation_interval, share_interval
from workers.analysis.samples import Sample
from workers.analysis.score_table import NO_OPTION, NOT_SHOWN, Codes, ItemScores
from workers.analysis.totals import ItemOption, ScoredItem, Totals

Floats = npt.NDArray[np.float64]

FEWEST_ITEMS: Final = 2

Pair = tuple[Sample, Sample]


@dataclass
class OptionCount:
    """How many respondents of each group chose an option; of those with a total, how many and its sum."""

    by_group: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, np.int64))
    totals: int = 0
    sum_of_totals: float = 0.0


_NOT_CHOSEN: Final = OptionCount()


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


class ItemCalculation:
    """The figures of one item; `number` is its index among the analysed items, None if it is not analysed."""

    def __init__(
        self,
        item: ScoredItem,
        scores: ItemScores,
        totals: Totals,
        variances: Sequence[float],
        number: int | None,
        weight: Figure,
        option_counts: Mapping[str, OptionCount],
    ) -> None:
        self._item = item
        self._scores = scores
        self._totals = totals
        self._variances = variances
        self._number = number
        self._weight = weight
        self._option_counts = option_counts
        self._x = scores.scores

    def figures(self) -> ItemFigures:
        """Return the figures."""
        scores = self._scores
        return ItemFigures(
            id=self._item.id,
            title=self._item.title,
            question_type=self._item.question_type,
            position=self._item.position,
            points_possible=self._item.points_possible,
            analysed=self._number is not None,
            answered=scores.answered,
            omitted=scores.shown - scores.answered,
            not_shown=self._totals.respondents - scores.shown,
            not_graded=scores.shown - scores.graded,
            facility=self._facility(),
            standard_deviation_population=self._coefficient(psychometrics.standard_deviation(self._x)),
            standard_deviation_sample=self._coefficient(moments.sample_standard_deviation(self._x)),
            point_biserial_total=self._correlation(self._with_totals, Reason.EQUAL_TOTALS),
            item_rest_correlation=self._correlation(self._with_rests, Reason.EQUAL_RESTS),
            d27=self._d27(),
            discriminative_efficiency=self._efficiency(),
            greatest_rest_covariance=self._greatest_rest_covariance(),
            effective_weight=self._effective_weight(),
            alpha_if_deleted=self._alpha_if_deleted(),
            options=[self._option(option) for option in self._item.options],
        )

    @cached_property
    def _with_totals(self) -> Pair:
        return pair_with_totals(self._scores, self._totals)

    @cached_property
    def _with_rests(self) -> Pair:
        """The graded scores and the totals without the item."""
        score_of = self._scores.score_of

        def rests(part: slice, codes: Codes) -> Floats:
            return self._totals.rests(self._item, part, score_of[codes])

        totals, points_possible = self._totals, self._item.points_possible
        return _pair(
            self._scores,
            rests,
            None if totals.complete else lambda part: totals.could_get_points(part, besides=points_possible),
        )

    @cached_property
    def _graded_scores(self) -> Floats:
        """The scores that were given, one for each code."""
        return self._scores.score_of[self._scores.is_graded & (self._scores.count_of > 0)]

    @cached_property
    def _is_right_or_wrong(self) -> bool:
        return bool(np.isin(self._graded_scores, (0.0, self._item.points_possible)).all())

    @property
    def _withheld(self) -> Reason | None:
        """Why the item has no coefficients."""
        if not self._item.carries_points:
            return Reason.NO_POINTS
        if not self._scores.shown:
            return Reason.NO_RESPONDENTS
        if self._number is None:
            return Reason.NOT_GRADED
        return Reason.FEW_RESPONDENTS if self._x.size < FEWEST_RESPONDENTS else None

    def _does_not_vary(self, x: Sample) -> Reason | None:
        """Return why these scores of the item tell no students apart."""
        if not x.size or x.varies:
            return None
        if x.least == self._item.points_possible:
            return Reason.ALL_CORRECT
        return Reason.ALL_WRONG if x.least == 0 else Reason.EQUAL_SCORES

    def _not_compared(self, pair: Pair) -> Reason | None:
        """Why the scores cannot be compared with the totals or the rests."""
        if self._withheld:
            return self._withheld
        x, _ = pair
        return Reason.FEW_RESPONDENTS if x.size < FEWEST_RESPONDENTS else self._does_not_vary(x)

    def _facility(self) -> Figure:
        if not self._item.carries_points:
            return Figure.none(Reason.NO_POINTS)
        if not self._x.size:
            return Figure.none(Reason.NOT_GRADED if self._scores.shown else Reason.NO_RESPONDENTS)
        facility = self._x.mean / self._item.points_possible
        if not 0 <= facility <= 1:
            return Figure.none(Reason.OUT_OF_RANGE)
        is_correct = self._scores.is_graded & (self._scores.score_of == self._item.points_possible)
        correct = int(self._scores.count_of[is_correct].sum())
        return Figure.of(
            facility,
            Reason.NOT_COMPUTABLE,
            share_interval(correct, self._x.size) if self._is_right_or_wrong else None,
        )

    def _coefficient(self, value: float | None, reason: Reason = Reason.NOT_COMPUTABLE) -> Figure:
        return Figure.none(self._withheld) if self._withheld else Figure.of(value, reason)

    def _correlation(self, pair: Pair, if_equal: Reason) -> Figure:
        if reason := self._not_compared(pair):
            return Figure.none(reason)
        x, others = pair
        r = moments.correlation(x, others)
        interval = None if r is None else correlation_interval(r, x.size)
        return Figure.of(r, if_equal, interval)

    def _d27(self) -> Figure:
        if reason := self._withheld:
            return Figure.none(reason)
        if not self._totals.has_best_and_weakest:
            return Figure.none(Reason.EMPTY_GROUP)
        top, bottom = (self._proportions(group) for group in (psychometrics.TOP, psychometrics.BOTTOM))
        if min(top.size, bottom.size) < SMALLEST_GROUP:
            return Figure.none(Reason.FEW_IN_GROUP)
        d27 = coefficients.discrimination_index(top, bottom)
        if d27 is not None and abs(d27) > 1:
            return Figure.none(Reason.OUT_OF_RANGE)
        return Figure.of(d27, Reason.NOT_COMPUTABLE)

    def _proportions(self, group: int) -> Sample:
        """Return the shares that those of a group whose responses are graded got of the item's points."""
        proportion_of, is_graded = self._scores.score_of / self._item.points_possible, self._scores.is_graded
        return self._scores.sample(
            int(self._count_by_group[is_graded, group].sum()),
            lambda _, codes: proportion_of[codes],
            lambda part, codes: is_graded[codes] & (self._totals.groups[part] == group),
        )

    @cached_property
    def _rest_covariances(self) -> tuple[float, float] | None:
        return coefficients.rest_covariances(*self._with_rests)

    def _efficiency(self) -> Figure:
        if reason := self._not_compared(self._with_rests):
            return Figure.none(reason)
        if self._rest_covariances is None:
            return Figure.none(Reason.EQUAL_RESTS)
        return Figure.of(coefficients.efficiency(*self._rest_covariances), Reason.NOT_COMPUTABLE)

    def _greatest_rest_covariance(self) -> Figure:
        if reason := self._not_compared(self._with_rests):
            return Figure.none(reason)
        covariances = self._rest_covariances
        return Figure.of(None if covariances is None else covariances[1], Reason.EQUAL_RESTS)

    def _effective_weight(self) -> Figure:
        reason = self._withheld
        if reason is None and self._weight.value is None:
            reason = self._does_not_vary(self._x)
        return Figure.none(reason) if reason else self._weight

    def _alpha_if_deleted(self) -> Figure:
        if reason := self._withheld:
            return Figure.none(reason)
        if not self._totals.complete:
            return Figure.none(Reason.DIFFERENT_ITEMS)
        if len(self._variances) <= FEWEST_ITEMS or self._number is None:
            return Figure.none(Reason.FEW_ITEMS_LEFT)
        _, rests = self._with_rests
        alpha = coefficients.alpha_if_deleted(self._variances, self._number, rests)
        others = len(self._variances) - 1
        interval = None if alpha is None else alpha_interval(alpha, self._x.size, others)
        return Figure.of(alpha, Reason.EQUAL_RESTS, interval)

    def _option(self, option: ItemOption) -> OptionFigures:
        count = self._counts.get(option.key, _NOT_CHOSEN)
        chosen = int(count.by_group.sum())
        of_top, of_middle, of_bottom = (
            self._share_of_group(int(count.by_group[group]), int(self._shown_by_group[group]))
            for group in (psychometrics.TOP, psychometrics.MIDDLE, psychometrics.BOTTOM)
        )
        return OptionFigures(
            key=option.key,
            blank=option.blank_text,
            text=option.text,
            correct=option.is_correct,
            count=chosen,
            share=_share(chosen, self._scores.shown),
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

    def _share_of_group(self, chosen: int, shown: int) -> Figure:
        if self._scores.shown < FEWEST_RESPONDENTS:
            return Figure.none(Reason.FEW_RESPONDENTS if self._scores.shown else Reason.NO_RESPONDENTS)
        return Figure.none(Reason.SMALL_GROUP) if shown < SMALLEST_GROUP else _share(chosen, shown)

    @cached_property
    def _counts(self) -> Mapping[str, OptionCount]:
        return self._count_choices() if self._item.is_choice else self._option_counts

    def _count_choices(self) -> dict[str, OptionCount]:
        option_ids, option_of = np.unique(self._scores.option_id_of, return_inverse=True)
        by_group = np.zeros((option_ids.size, 3), np.int64)
        np.add.at(by_group, option_of, self._count_by_group)
        counts = np.zeros(option_ids.size, np.int64)
        sums = np.zeros(option_ids.size)
        for part, codes in self._scores.parts():
            totals = self._totals.compared[part]
            if not self._totals.complete:
                codes, totals = codes[~np.isnan(totals)], totals[~np.isnan(totals)]
            option = option_of[codes]
            counts += np.bincount(option, minlength=counts.size)
            # Sums go on from what they are, so that the parts do not decide the last digits.
            rows, added = np.concatenate([np.arange(sums.size), option]), np.concatenate([sums, totals])
            sums[:] = np.bincount(rows, added)
        return {
            str(option_id): OptionCount(by_group[row], int(counts[row]), float(sums[row]))
            for row, option_id in enumerate(option_ids.tolist())
            if option_id != NO_OPTION
        }

    @cached_property
    def _count_by_group(self) -> npt.NDArray[np.int64]:
        """The number of responses of each code in each group."""
        counts = np.zeros(3 * self._scores.count_of.size, np.int64)
        for part, codes in self._scores.parts():
            counts += np.bincount(
                3 * codes.astype(np.int64) + self._totals.groups[part], minlength=counts.size
            )
        return counts.reshape(-1, 3)

    @cached_property
    def _shown_by_group(self) -> npt.NDArray[np.int64]:
        shown: npt.NDArray[np.int64] = self._count_by_group.sum(axis=0) - self._count_by_group[NOT_SHOWN]
        return shown

    def _option_point_biserial(self, chosen: int, sum_of_totals: float) -> Figure:
        totals = self._answered_totals
        others = totals.size - chosen
        if self._withheld:
            return Figure.none(self._withheld)
        if totals.size < FEWEST_RESPONDENTS:
            return Figure.none(Reason.FEW_RESPONDENTS)
        if chosen == 0 or others <= 0:
            return Figure.none(Reason.ALL_OR_NONE)
        if chosen < SMALLEST_GROUP:
            return Figure.none(Reason.SMALL_GROUP)
        r = psychometrics.point_biserial(
            sum_of_totals / chosen,
            (totals.sum - sum_of_totals) / others,
            self._answered_deviation,
            chosen,
            others,
        )
        interval = None if r is None else correlation_interval(r, totals.size)
        return Figure.of(None if r is None else min(1.0, max(-1.0, r)), Reason.EQUAL_TOTALS, interval)

    @cached_property
    def _answered_totals(self) -> Sample:
        totals, is_answered = self._totals, self._scores.is_answered

        def mask(part: slice, codes: Codes) -> npt.NDArray[np.bool_]:
            answered: npt.NDArray[np.bool_] = is_answered[codes]
            return answered if totals.complete else answered & ~np.isnan(totals.compared[part])

        size = self._scores.answered if totals.complete else self._scores.count(mask)
        return self._scores.sample(size, lambda part, _: totals.compared[part], mask)

    @cached_property
    def _answered_deviation(self) -> float:
        return psychometrics.standard_deviation(self._answered_totals)


def pair_with_totals(scores: ItemScores, totals: Totals) -> Pair:
    """Return the graded scores on an item and the totals of the same respondents, if these have a total."""
    if totals.complete and scores.graded == totals.respondents:
        return scores.scores, totals.known
    return _pair(
        scores,
        lambda part, _: totals.compared[part],
        None if totals.complete else lambda part: ~np.isnan(totals.compared[part]),
    )


def _pair(
    scores: ItemScores,
    others: Callable[[slice, Codes], Floats],
    is_known: Callable[[slice], npt.NDArray[np.bool_]] | None,
) -> Pair:
    """Return the graded scores on an item and other numbers of the same respondents, if known."""
    score_of, is_graded = scores.score_of, scores.is_graded

    def mask(part: slice, codes: Codes) -> npt.NDArray[np.bool_]:
        graded: npt.NDArray[np.bool_] = is_graded[codes]
        return graded if is_known is None else graded & is_known(part)

    size = scores.graded if is_known is None else scores.count(mask)
    if size == scores.graded:
        is_known = None
        x = scores.scores
    else:
        x = scores.sample(size, lambda _, codes: score_of[codes], mask)
    everyone = size == scores.count_of.sum()
    return x, scores.sample(size, others, None if everyone else mask)


def _share(part: int, whole: int) -> Figure:
    if not whole:
        return Figure.none(Reason.NO_RESPONDENTS)
    return Figure.of(psychometrics.ratio(part, whole), Reason.NOT_COMPUTABLE)
