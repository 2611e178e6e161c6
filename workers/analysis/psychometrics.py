"""Classical test theory: a function for each formula.

Totals are the scores of students in the whole quiz, item scores the points for one question. A function
returns None if its result is undefined.

The examples are those of six students whose answers to four questions are keyed T, D, F and A: ``T B T A``,
``T D F A``, ``F A T C``, ``T D F B``, ``T D F A``, and ``F D`` with the last two left blank. Their totals are
2, 4, 0, 3, 4 and 1.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from workers.analysis.samples import Numbers, Sample, pairwise_sum

Floats = npt.NDArray[np.float64]

BOTTOM: Final = 0
MIDDLE: Final = 1
TOP: Final = 2

_MIDDLE_BEGINS_PERCENT: Final = 27
_TOP_BEGINS_PERCENT: Final = 73


def ratio(part: int, whole: int) -> float:
    """Return the share of a part in a whole, 0.0 for an empty whole.

    The share of correct responses among all responses to an item is its difficulty index (its p value): the
    higher, the easier.
    Source: Crocker, L. and Algina, J. (1986), Introduction to Classical and Modern Test Theory, chapter 14.

    >>> ratio(4, 6)
    0.6666666666666666
    """
    return part / whole if whole else 0.0


def population_variance(values: Numbers) -> float:
    """Return the mean squared deviation from the mean: Σ(x − x̄)²/n.

    The divisor is n, not n − 1 (``ddof=0``), because the students of a quiz are the whole population, not a
    sample. Every variance and standard deviation of Canvas's figures comes from here.

    It takes two passes, the mean and then the deviations, because the one-pass formula Σx²/n − x̄² loses
    digits. The variance of equal values is exactly 0.0, although their computed mean may be off by a
    rounding; that of fewer than two values is 0.0.
    Source: Crocker and Algina (1986), chapter 2.

    >>> first_item = np.array([1.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    >>> population_variance(first_item)
    0.22222222222222224
    """
    sample = Sample.of(values)
    if not sample.varies:
        return 0.0
    mean = sample.mean
    return pairwise_sum((np.square(part - mean) for part in sample.parts()), sample.size) / sample.size


def standard_deviation(values: Numbers) -> float:
    """Return the square root of `population_variance`, in the unit of the values.

    Source: as `population_variance`.

    >>> standard_deviation(np.array([1.0, 1.0, 0.0, 1.0, 1.0, 0.0]))
    0.4714045207910317
    """
    return math.sqrt(population_variance(values))


def variance_of_item(points: float, correct: int, wrong: int) -> float:
    """Return the `population_variance` of the scores for one item: its points if correct, else 0.

    For an item of one point it is p(1 − p), p the share of correct responses.
    Source: Crocker and Algina (1986), chapter 5.

    >>> variance_of_item(1.0, correct=4, wrong=2)
    0.22222222222222224
    """
    if not correct or not wrong:
        return 0.0
    mean = correct * points / (correct + wrong)
    return (correct * (points - mean) ** 2 + wrong * mean**2) / (correct + wrong)


@dataclass(frozen=True)
class Moments:
    """The count, mean and squared deviations of values, of which parts can be merged.

    The variance of values that were given at once is their `population_variance` to the last digit. Merging
    parts keeps the digits that the sums of squares of all values would lose.
    Source: Chan, T. F., Golub, G. H. and LeVeque, R. J. (1983), Algorithms for computing the sample variance,
    The American Statistician 37.

    >>> Moments.of(np.array([1.0, 1.0, 0.0])).merged(Moments.of(np.array([1.0, 1.0, 0.0]))).variance
    0.22222222222222224
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    least: float = math.inf
    most: float = -math.inf

    @classmethod
    def of(cls, values: Floats) -> Self:
        """Return the moments of values, in two passes: the mean, then the deviations from it."""
        if not values.size:
            return cls()
        mean = values.mean()
        squares = np.square(values - mean).sum()
        return cls(values.size, float(mean), float(squares), float(values.min()), float(values.max()))

    def merged(self, other: Self) -> Self:
        """Return the moments of the values of both."""
        if not self.count or not other.count:
            return self if self.count else other
        count = self.count + other.count
        difference = other.mean - self.mean
        return type(self)(
            count,
            self.mean + difference * other.count / count,
            self.squares + other.squares + difference**2 * self.count * other.count / count,
            min(self.least, other.least),
            max(self.most, other.most),
        )

    @property
    def variance(self) -> float:
        """The population variance, 0.0 for equal values and for none."""
        return self.squares / self.count if self.least < self.most else 0.0


def score_distribution(percents: Numbers) -> dict[str, int]:
    """Count scores by their percent of the points possible, rounded half up, in ascending order.

    A percent is rounded to nine decimals first: 29 of 200 points are 14.5 percent, a little less in floats.

    >>> score_distribution(np.array([12.5, 100.0, 12.4, 100.0, 29 / 200 * 100]))
    {'12': 1, '13': 1, '15': 1, '100': 2}
    """
    distribution: Counter[float] = Counter()
    for part in Sample.of(percents).parts():
        values, counts = np.unique(np.floor(np.round(part, 9) + 0.5), return_counts=True)
        distribution.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    return {str(int(value)): count for value, count in sorted(distribution.items())}


def coefficient_alpha(item_variances: Sequence[float], total_variance: float) -> float | None:
    """Return Cronbach's alpha, the internal consistency of a quiz.

    k/(k − 1) · (1 − Σ item variances / Var(T)), with k the number of items. None for fewer than two items,
    or if the totals do not vary, or vary so little that the quotient overflows.
    Source: Cronbach, L. J. (1951), Coefficient alpha and the internal structure of tests, Psychometrika 16.
    For items scored 0 and 1 it equals Kuder and Richardson's formula 20.

    >>> coefficient_alpha([0.25, 0.25, 0.25], 1.5)
    0.75
    """
    k = len(item_variances)
    if k < 2 or total_variance == 0:
        return None
    alpha = k / (k - 1) * (1 - sum(item_variances) / total_variance)
    # Dividing by a tiny variance may overflow to infinity.
    return alpha if math.isfinite(alpha) else None


def point_biserial(
    chosen_mean: float, others_mean: float, deviation: float, chosen: int, others: int
) -> float | None:
    """Return the correlation of choosing an option with the total: (M₁ − M₀)/σ · √(p(1 − p)).

    M₁ is the mean total of the students who chose the option, M₀ of those who chose another one, σ the
    population standard deviation of the totals of both groups together, p the share of the first. Students
    who left the question blank are in neither group. None if a group is empty or σ is zero.
    The factors are multiplied from left to right as written, which decides the last digit.
    Source: Lord, F. M. and Novick, M. R. (1968), Statistical Theories of Mental Test Scores, section 15.5.

    >>> totals = np.array([2.0, 4.0, 0.0, 3.0, 4.0, 1.0])
    >>> point_biserial(3.25, 0.5, standard_deviation(totals), 4, 2)
    0.8696263565463043
    """
    if not chosen or not others or deviation == 0:
        return None
    p = chosen / (chosen + others)
    return (chosen_mean - others_mean) / deviation * math.sqrt(p * (1 - p))


@dataclass(frozen=True)
class ScoreLimits:
    """The lowest totals of the middle and of the top group; infinity if a group is empty."""

    middle: float
    top: float


def score_limits(totals: Numbers) -> ScoreLimits:
    """Return the limits of the groups of all students.

    The N totals are sorted in ascending order. The top begins at index round(0.73·N), the middle at
    round(0.27·N), with halves rounded away from zero, and the bottom at 0. Students with the same total are
    in the same group, the higher one if a group begins among them. A group that begins at N is empty.
    Source: Kelley, T. L. (1939), The selection of upper and lower groups for the validation of test items,
    Journal of Educational Psychology 30, for cutting at 27 percent.

    >>> score_limits(np.array([2.0, 4.0, 0.0, 3.0, 4.0, 1.0]))
    ScoreLimits(middle=2.0, top=4.0)
    """
    totals = Sample.of(totals)
    begins = [_begin(percent, totals.size) for percent in (_MIDDLE_BEGINS_PERCENT, _TOP_BEGINS_PERCENT)]
    lowest = iter(totals.ranked(*(begin for begin in begins if begin < totals.size)))
    return ScoreLimits(*(next(lowest) if begin < totals.size else math.inf for begin in begins))


def score_groups(totals: Floats, limits: ScoreLimits) -> npt.NDArray[np.int8]:
    """Return for each total whether it is in the `TOP`, the `MIDDLE` or the `BOTTOM` group.

    Source: as `score_limits`.

    >>> totals = np.array([2.0, 4.0, 0.0, 3.0, 4.0, 1.0])
    >>> score_groups(totals, score_limits(totals)).tolist()
    [1, 2, 0, 1, 2, 0]
    """
    return (totals >= limits.middle).astype(np.int8) + (totals >= limits.top).astype(np.int8)


def _begin(percent: int, size: int) -> int:
    """Return the index at which a group begins, which may be after the last.

    It is computed in integers, because 0.73·N in floats may fall on the wrong side of a half.
    """
    return (percent * size + 50) // 100
