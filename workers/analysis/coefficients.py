"""Coefficients of classical test theory that are computed from item scores and their totals.

A total T is the sum of a student's scores on the analysed items, a rest R what remains of it without the item
in question. A function returns None if its result is undefined.

The examples are the totals of six students, 2, 4, 0, 3, 4 and 1, and their scores on the first of four items.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from workers.analysis.moments import covariance, sample_variance
from workers.analysis.psychometrics import coefficient_alpha
from workers.analysis.samples import Numbers, Sample

Floats = npt.NDArray[np.float64]


def standard_error_of_measurement(deviation: float, alpha: float) -> float:
    """Return s_T·√(1 − α): how far a total may be from the student's true score, in the unit of the totals.

    Source: Crocker, L. and Algina, J. (1986), Introduction to Classical and Modern Test Theory, chapter 6.

    >>> standard_error_of_measurement(2.0, 0.75)
    1.0
    """
    return deviation * math.sqrt(max(0.0, 1 - alpha))


def alpha_if_deleted(item_variances: Sequence[float], item: int, rests: Numbers) -> float | None:
    """Return coefficient alpha of the items without one of them, given the rests R = T − x of that one.

    As `psychometrics.coefficient_alpha`, with the variance of R in place of that of T. None if fewer than two
    items remain, or if their totals do not vary.
    Source: Crocker and Algina (1986), chapter 14.

    >>> totals, first = np.array([2.0, 4.0, 0.0, 3.0, 4.0, 1.0]), np.array([1.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    >>> round(alpha_if_deleted([0.2666666666666667] * 4, 0, totals - first), 12)
    0.681818181818
    """
    others = [variance for index, variance in enumerate(item_variances) if index != item]
    return coefficient_alpha(others, sample_variance(rests) or 0.0)


def discrimination_index(top: Numbers, bottom: Numbers) -> float | None:
    """Return the mean proportion of an item's points in the top group less that in the bottom group.

    The groups are those of `psychometrics.score_groups`, the best and the weakest 27 percent. None if one of
    them is empty.
    Source: Kelley, T. L. (1939), The selection of upper and lower groups for the validation of test items,
    Journal of Educational Psychology 30.

    >>> discrimination_index(np.array([1.0, 1.0]), np.array([0.0, 0.0]))
    1.0
    """
    if not top.size or not bottom.size:
        return None
    return Sample.of(top).mean - Sample.of(bottom).mean


def discriminative_efficiency(scores: Numbers, rests: Numbers) -> float | None:
    """Return Cov(x, R)/Cov_max(x, R): the covariance as a share of the greatest that these numbers allow.

    The greatest covariance is that of both sorted in ascending order. None if either does not vary. Moodle
    shows 100 times this.
    Source: Moodle developer documentation, Quiz statistics calculations.

    >>> totals, first = np.array([2.0, 4.0, 0.0, 3.0, 4.0, 1.0]), np.array([1.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    >>> round(discriminative_efficiency(first, totals - first), 12)
    1.0
    """
    covariances = rest_covariances(scores, rests)
    return None if covariances is None else efficiency(*covariances)


def rest_covariances(scores: Numbers, rests: Numbers) -> tuple[float, float] | None:
    """Return Cov(x, R), and Cov_max(x, R) of both in ascending order; None if either does not vary.

    Source: as `discriminative_efficiency`.

    >>> totals, first = np.array([2.0, 4.0, 0.0, 3.0, 4.0, 1.0]), np.array([1.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    >>> [round(covariance, 12) for covariance in rest_covariances(first, totals - first)]
    [0.466666666667, 0.466666666667]
    """
    scores, rests = Sample.of(scores), Sample.of(rests)
    if not scores.varies or not rests.varies:
        return None
    return covariance(scores, rests), covariance(scores.ascending(), rests.ascending())


def efficiency(actual: float, greatest: float) -> float | None:
    """Return a covariance as a share of the greatest; None if that has vanished because it is tiny.

    Source: as `discriminative_efficiency`.

    >>> efficiency(0.25, 0.5)
    0.5
    """
    # Rounding may lead over the greatest by the last digit.
    return min(1.0, actual / greatest) if greatest > 0 else None


def effective_weights(covariances: Sequence[float]) -> list[float | None]:
    """Return each item's share in the differences between the totals: √Cov(x, T)/Σ√Cov(x, T).

    Items with a negative covariance have no weight and add nothing to the sum. None for these, and for all if
    the sum is zero.
    Source: Moodle developer documentation, Quiz statistics calculations.

    >>> effective_weights([4.0, 1.0, -0.5, 1.0])
    [0.5, 0.25, None, 0.25]
    """
    roots = [math.sqrt(covariance) if covariance >= 0 else None for covariance in covariances]
    total = math.fsum(root for root in roots if root is not None)
    return [None if root is None or total == 0 else root / total for root in roots]
