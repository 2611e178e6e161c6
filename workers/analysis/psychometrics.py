"""Classical test theory: a formula, a function.

Totals are students' scores in the whole quiz; item scores are points for one question. Where a figure does
not exist, a function returns None.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BOTTOM: Final = 0
MIDDLE: Final = 1
TOP: Final = 2

_MIDDLE_BEGINS_PERCENT: Final = 27
_TOP_BEGINS_PERCENT: Final = 73


def ratio(part: int, whole: int) -> float:
    """Return the share of a part in a whole, 0.0 of an empty whole.

    With the students who chose right in the students who answered, this is the difficulty index of an item
    (its p value): the higher, the easier.
    """
    return part / whole if whole else 0.0


def population_variance(values: Floats) -> float:
    """Return the mean squared deviation from the mean: Σ(x − x̄)²/n.

    The divisor is n, not n − 1 (``ddof=0``): the students of a quiz are all there are, not a sample of
    others. Every variance and standard deviation of the analysis comes from here.

    Two passes, first the mean, then the deviations: the one-pass question set Σx²/n − x̄² loses digits.
    Values that are all equal have variance 0.0 exactly, although their computed mean may be off by a
    rounding. Below two values: 0.0.
    """
    if values.size < 2 or values.min() == values.max():
        return 0.0
    return float(values.var(ddof=0))


def standard_deviation(values: Floats) -> float:
    """Return the root of `population_variance`, in the unit of the values."""
    return math.sqrt(population_variance(values))


def coefficient_alpha(item_variances: Sequence[float], total_variance: float) -> float | None:
    """Return Cronbach's alpha, the internal consistency of a quiz.

    k/(k − 1) · (1 − Σ item variances / Var(T)), with k the number of items. None for fewer than two items or
    where the totals do not vary.
    Source: Cronbach, L. J. (1951), Coefficient alpha and the internal structure of tests, Psychometrika 16.
    For items scored 0 and 1 it equals Kuder and Richardson's formula 20.
    """
    k = len(item_variances)
    if k < 2 or total_variance == 0:
        return None
    return k / (k - 1) * (1 - sum(item_variances) / total_variance)


def point_biserial(
    chosen_mean: float, others_mean: float, deviation: float, chosen: int, others: int
) -> float | None:
    """Return the correlation of choosing an answer with the total: (M₁ − M₀)/σ · √(p(1 − p)).

    M₁ is the mean total of the students who chose the answer, M₀ of those who chose another one, σ the
    population standard deviation of the totals of both together, p the share of those who chose it. Students
    who left the question blank are in neither group. None where a group is empty or σ is zero.
    The factors are multiplied from left to right as written, which decides the last digit.
    Source: Lord, F. M. and Novick, M. R. (1968), Statistical Theories of Mental Test Scores, section 15.5.
    """
    if not chosen or not others or deviation == 0:
        return None
    p = chosen / (chosen + others)
    return (chosen_mean - others_mean) / deviation * math.sqrt(p * (1 - p))


def score_groups(totals: Floats) -> npt.NDArray[np.int8]:
    """Return for each total whether it is in the `TOP`, the `MIDDLE` or the `BOTTOM` group.

    All N totals are sorted upwards. The top begins at index round(0.73·N), the middle at round(0.27·N), half
    rounded away from zero, the bottom at 0. A beginning moves down over totals that are equal to the one at
    it, so ties go up and students of one total are in one group. A beginning at N takes nobody.
    Cutting at 27 percent follows Kelley, T. L. (1939), The selection of upper and lower groups for the
    validation of test items, Journal of Educational Psychology 30.
    """
    ascending = np.sort(totals)
    in_middle_or_top = totals >= _lowest_total(ascending, _MIDDLE_BEGINS_PERCENT)
    in_top = totals >= _lowest_total(ascending, _TOP_BEGINS_PERCENT)
    return in_middle_or_top.astype(np.int8) + in_top.astype(np.int8)


def _lowest_total(ascending: Floats, percent: int) -> float:
    """Return the total at which a group begins, infinity if it begins after the last.

    In whole numbers, since 0.73·N in floats may fall on the wrong side of a half.
    """
    begin = (percent * ascending.size + 50) // 100
    return float(ascending[begin]) if begin < ascending.size else math.inf
