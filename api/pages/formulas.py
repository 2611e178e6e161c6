"""How a figure is computed, with the numbers of the item or the quiz in the formula.

The numbers are those of the document. A formula is shown only where they give the figure: all students must
have been shown the question and be graded, and some formulas hold only for a question that has one correct
answer and is scored right or wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Json = Mapping[str, Any]

_PERCENTS: Final = 100


@dataclass(frozen=True)
class Worked:
    """A formula with a place in braces for each of its numbers, and the numbers."""

    template: str
    numbers: Sequence[float]


WORDS: Final = {
    "facility": "Students with the correct answer ÷ (answered + left blank)",
    "d27": "Share of the best with the correct answer − share of the weakest with it",
    "point_biserial_total": "(mean total of those with the correct answer − mean total) ÷ standard deviation"
    " of the totals × √(share of correct answers ÷ share of others)",
    "item_rest_correlation": "(r × s − t) ÷ √(s² + t² − 2 × r × s × t); r is the correlation with the total,"
    " s and t are the standard deviations of the totals and of the question, dividing by n − 1",
    "discriminative_efficiency": "d × t × u ÷ c; d is the discrimination, t and u are the standard deviations"
    " of the question and of the rest, c is the greatest covariance of the two that the same points allow",
    "effective_weight": "√(r × s × t) ÷ the sum of these of all questions; r, s and t as for discrimination",
    "alpha_if_deleted": "(k − 1) ÷ (k − 2) × (1 − (V − t²) ÷ u²); k and V as for alpha, t and u are the"
    " standard deviations of the question and of the rest",
    "standard_deviation_population": "Points × √(share of correct answers × share of others)",
}
"""The formulas of items in words, by the name of the figure, as keys of translations."""

QUIZ_WORDS: Final = {
    "mean": "The points of all students ÷ the number of students",
    "median": "The total in the middle; of an even number of students, half the sum of the two in the middle",
    "standard_deviation_population": "√(Q ÷ n); n is the number of students, Q the sum of the squared"
    " differences between their totals and the mean",
    "standard_deviation_sample": "√(Q ÷ (n − 1)); n is the number of students, Q the sum of the squared"
    " differences between their totals and the mean",
    "alpha": "k ÷ (k − 1) × (1 − V ÷ s²); k is the number of questions, V the sum of their variances, s the"
    " standard deviation of the totals, dividing by n − 1",
    "standard_error_of_measurement": "s × √(1 − alpha); s as for alpha",
    "skewness": "n × C ÷ ((n − 1) × (n − 2) × s³); n is the number of students, C the sum of the cubed"
    " differences between their totals and the mean, s as for alpha; SKEW in a spreadsheet gives the same",
    "kurtosis": "n × (n + 1) × F ÷ ((n − 1) × (n − 2) × (n − 3) × s⁴) − 3 × (n − 1)² ÷ ((n − 2) × (n − 3));"
    " n is the number of students, F the sum of the fourth powers of the differences between their totals and"
    " the mean, s as for alpha; KURT in a spreadsheet gives the same",
}
"""The formulas of the quiz in words, in the same way."""


@dataclass(frozen=True)
class Sums:
    """Sums over the analysed items: mean points, variances, and roots of the covariances with the total.

    NaN if an item lacks a number; nothing is equal to what follows from it.
    """

    points: float
    variances: float
    covariance_roots: float

    @classmethod
    def of(cls, items: Sequence[Json], quiz: Json) -> Sums:
        """Add up the items of a document."""
        analysed = [item for item in items if item["analysed"]]
        return cls(
            _sum_over(analysed, lambda item: item["facility"]["value"] * item["points_possible"]),
            _sum_over(analysed, lambda item: item["standard_deviation_sample"]["value"] ** 2),
            _sum_over(analysed, lambda item: _root_of_covariance(item, quiz)),
        )


def _sum_over(items: Sequence[Json], term: Callable[[Json], float]) -> float:
    try:
        return math.fsum(map(term, items))
    except TypeError:
        return math.nan


@dataclass(frozen=True)
class Totals:
    """The totals of the students in ascending order, each with the number of students who have it.

    A document has their distribution by whole percents. The totals follow from it if each is a multiple of
    the points of the smallest question and the quiz is worth at most a hundred times that; whether they do
    is seen from their mean and standard deviation. Otherwise there are none.
    """

    counts: Sequence[tuple[float, int]] = ()

    @classmethod
    def of(cls, items: Sequence[Json], quiz: Json) -> Totals:
        """Read the totals back from a document."""
        points = [item["points_possible"] for item in items if item["analysed"]]
        step = min(points, default=0.0)
        if not 0 < math.fsum(points) <= _PERCENTS * step or quiz["totals_in"] != "points":
            return cls()
        steps = math.fsum(points) / step
        percents = sorted((int(percent), count) for percent, count in quiz["score_distribution"].items())
        totals = cls([(round(percent / _PERCENTS * steps) * step, count) for percent, count in percents])
        return totals if totals._are_those_of(quiz) else cls()

    def sum_of_powers(self, mean: float, power: int) -> float:
        """Return the sum of a power of the differences to the mean; raises ValueError without totals."""
        if not self.counts:
            raise ValueError
        return math.fsum(count * (total - mean) ** power for total, count in self.counts)

    def at(self, position: int) -> float:
        """Return the total of one student in the ascending order; raises ValueError if there is none."""
        for total, count in self.counts:
            position -= count
            if position < 0:
                return total
        raise ValueError

    def _are_those_of(self, quiz: Json) -> bool:
        n, mean = quiz["n"], quiz["mean"]["value"]
        deviation = quiz["standard_deviation_population"]["value"]
        if not n or mean is None or deviation is None or sum(count for _, count in self.counts) != n:
            return False
        return math.isclose(self.sum_of_powers(mean, 1), 0, abs_tol=1e-9 * n) and math.isclose(
            self.sum_of_powers(mean, 2), n * deviation**2, rel_tol=1e-9
        )


def worked_formulas(item: Json, quiz: Json, sums: Sums) -> Mapping[str, Worked]:
    """Return the formulas of an item's figures, by the name of the figure."""
    if not item["analysed"] or quiz["totals_in"] != "points":
        return {}
    correct = [option for option in item["options"] if option["correct"]]
    worked = _worked(_OF_ITEM, item, item, quiz, sums)
    return worked | _worked(_OF_KEY, item, item, correct[0], quiz) if len(correct) == 1 else worked


def worked_quiz_formulas(quiz: Json, sums: Sums, totals: Totals) -> Mapping[str, Worked]:
    """Return the formulas of the quiz's figures, by the name of the figure."""
    return {} if quiz["totals_in"] != "points" else _worked(_OF_QUIZ, quiz, quiz, sums, totals)


def _worked(
    formulas: Mapping[str, Callable[..., tuple[Worked, float]]], figures: Json, *numbers: Any
) -> dict[str, Worked]:
    """Keep the formulas that give the figures, to nine decimals."""
    worked = {}
    for name, formula in formulas.items():
        try:
            shown, result = formula(*numbers)
        except (TypeError, ZeroDivisionError, ValueError):
            # One of the numbers has no value, or the totals do not differ.
            continue
        value = figures[name]["value"]
        if value is not None and math.isclose(result, value, abs_tol=1e-9):
            worked[name] = shown
    return worked


def _facility(item: Json, key: Json, _quiz: Json) -> tuple[Worked, float]:
    count, answered, omitted = key["count"], item["answered"], item["omitted"]
    return Worked("{} ÷ ({} + {})", (count, answered, omitted)), count / (answered + omitted)


def _d27(_item: Json, key: Json, _quiz: Json) -> tuple[Worked, float]:
    top, bottom = key["share_of_top"]["value"], key["share_of_bottom"]["value"]
    return Worked("{} − {}", (top, bottom)), top - bottom


def _point_biserial(_item: Json, key: Json, quiz: Json) -> tuple[Worked, float]:
    right, mean = key["mean_total"]["value"], quiz["mean"]["value"]
    deviation, share = quiz["standard_deviation_population"]["value"], key["share"]["value"]
    return (
        Worked("({} − {}) ÷ {} × √({} ÷ {})", (right, mean, deviation, share, 1 - share)),
        (right - mean) / deviation * math.sqrt(share / (1 - share)),
    )


def _standard_deviation(item: Json, key: Json, _quiz: Json) -> tuple[Worked, float]:
    points, share = item["points_possible"], key["share"]["value"]
    return (
        Worked("{} × √({} × {})", (points, share, 1 - share)),
        points * math.sqrt(share * (1 - share)),
    )


def _item_rest(item: Json, quiz: Json, _sums: Sums) -> tuple[Worked, float]:
    r, s, t = _correlation_and_deviations(item, quiz)
    return (
        Worked("({} × {} − {}) ÷ √({}² + {}² − 2 × {} × {} × {})", (r, s, t, s, t, r, s, t)),
        (r * s - t) / _deviation_of_rest(r, s, t),
    )


def _efficiency(item: Json, quiz: Json, _sums: Sums) -> tuple[Worked, float]:
    r, s, t = _correlation_and_deviations(item, quiz)
    d, u = item["item_rest_correlation"]["value"], _deviation_of_rest(r, s, t)
    greatest = item["greatest_rest_covariance"]["value"]
    return Worked("{} × {} × {} ÷ {}", (d, t, u, greatest)), d * t * u / greatest


def _weight(item: Json, quiz: Json, sums: Sums) -> tuple[Worked, float]:
    r, s, t = _correlation_and_deviations(item, quiz)
    roots = sums.covariance_roots
    return Worked("√({} × {} × {}) ÷ {}", (r, s, t, roots)), math.sqrt(r * s * t) / roots


def _alpha_if_deleted(item: Json, quiz: Json, sums: Sums) -> tuple[Worked, float]:
    r, s, t = _correlation_and_deviations(item, quiz)
    k, variances, u = quiz["items"], sums.variances, _deviation_of_rest(r, s, t)
    return (
        Worked("{} ÷ {} × (1 − ({} − {}²) ÷ {}²)", (k - 1, k - 2, variances, t, u)),
        (k - 1) / (k - 2) * (1 - (variances - t**2) / u**2),
    )


def _mean(quiz: Json, sums: Sums, _totals: Totals) -> tuple[Worked, float]:
    n = quiz["n"]
    return Worked("{} ÷ {}", (n * sums.points, n)), sums.points


def _median(quiz: Json, _sums: Sums, totals: Totals) -> tuple[Worked, float]:
    half, is_odd = divmod(quiz["n"], 2)
    if is_odd:
        raise ValueError("the median is a total, so there is nothing to compute")
    below, above = totals.at(half - 1), totals.at(half)
    return Worked("({} + {}) ÷ 2", (below, above)), (below + above) / 2


def _population_deviation(quiz: Json, _sums: Sums, totals: Totals) -> tuple[Worked, float]:
    n, squares = quiz["n"], totals.sum_of_powers(quiz["mean"]["value"], 2)
    return Worked("√({} ÷ {})", (squares, n)), math.sqrt(squares / n)


def _sample_deviation(quiz: Json, _sums: Sums, totals: Totals) -> tuple[Worked, float]:
    n, squares = quiz["n"], totals.sum_of_powers(quiz["mean"]["value"], 2)
    return Worked("√({} ÷ {})", (squares, n - 1)), math.sqrt(squares / (n - 1))


def _skewness(quiz: Json, _sums: Sums, totals: Totals) -> tuple[Worked, float]:
    n, s = quiz["n"], quiz["standard_deviation_sample"]["value"]
    cubes = totals.sum_of_powers(quiz["mean"]["value"], 3)
    return (
        Worked("{} × {} ÷ ({} × {} × {}³)", (n, cubes, n - 1, n - 2, s)),
        n * cubes / ((n - 1) * (n - 2) * s**3),
    )


def _kurtosis(quiz: Json, _sums: Sums, totals: Totals) -> tuple[Worked, float]:
    n, s = quiz["n"], quiz["standard_deviation_sample"]["value"]
    fourths = totals.sum_of_powers(quiz["mean"]["value"], 4)
    return (
        Worked(
            "{} × {} × {} ÷ ({} × {} × {} × {}⁴) − 3 × {}² ÷ ({} × {})",
            (n, n + 1, fourths, n - 1, n - 2, n - 3, s, n - 1, n - 2, n - 3),
        ),
        n * (n + 1) * fourths / ((n - 1) * (n - 2) * (n - 3) * s**4) - 3 * (n - 1) ** 2 / ((n - 2) * (n - 3)),
    )


def _alpha(quiz: Json, sums: Sums, _totals: Totals) -> tuple[Worked, float]:
    k, variances, s = quiz["items"], sums.variances, quiz["standard_deviation_sample"]["value"]
    return (
        Worked("{} ÷ {} × (1 − {} ÷ {}²)", (k, k - 1, variances, s)),
        k / (k - 1) * (1 - variances / s**2),
    )


def _standard_error(quiz: Json, _sums: Sums, _totals: Totals) -> tuple[Worked, float]:
    s, alpha = quiz["standard_deviation_sample"]["value"], quiz["alpha"]["value"]
    return Worked("{} × √(1 − {})", (s, alpha)), s * math.sqrt(1 - alpha)


def _correlation_and_deviations(item: Json, quiz: Json) -> tuple[float, float, float]:
    """Return r, s and t: the correlation with the total, and the deviations of the totals and of the item."""
    return (
        item["point_biserial_total"]["value"],
        quiz["standard_deviation_sample"]["value"],
        item["standard_deviation_sample"]["value"],
    )


def _deviation_of_rest(r: float, s: float, t: float) -> float:
    return math.sqrt(s**2 + t**2 - 2 * r * s * t)


def _root_of_covariance(item: Json, quiz: Json) -> float:
    """Return the root of an item's covariance with the total; one that is negative adds nothing."""
    r, s, t = _correlation_and_deviations(item, quiz)
    # An item that tells no students apart has no correlation.
    return math.sqrt(max(0.0, r * s * t)) if t else 0.0


_OF_KEY: Final[Mapping[str, Callable[[Json, Json, Json], tuple[Worked, float]]]] = {
    "facility": _facility,
    "d27": _d27,
    "point_biserial_total": _point_biserial,
    "standard_deviation_population": _standard_deviation,
}
_OF_ITEM: Final[Mapping[str, Callable[[Json, Json, Sums], tuple[Worked, float]]]] = {
    "item_rest_correlation": _item_rest,
    "discriminative_efficiency": _efficiency,
    "effective_weight": _weight,
    "alpha_if_deleted": _alpha_if_deleted,
}
_OF_QUIZ: Final[Mapping[str, Callable[[Json, Sums, Totals], tuple[Worked, float]]]] = {
    "mean": _mean,
    "median": _median,
    "standard_deviation_population": _population_deviation,
    "standard_deviation_sample": _sample_deviation,
    "alpha": _alpha,
    "standard_error_of_measurement": _standard_error,
    "skewness": _skewness,
    "kurtosis": _kurtosis,
}
