"""Moments of samples: the students of a quiz as a sample of all who might take it.

Every sum of squares here is divided by n − 1. Canvas's own figures divide by n and are in `psychometrics`.
A function returns None if its result is undefined. Deviations are scaled by the largest of them before they
are multiplied, so the square of a very small or large number neither vanishes nor overflows.

The examples are the totals of six students, 2, 4, 0, 3, 4 and 1, and their scores on the first of four items.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def varies(values: Floats) -> bool:
    """Whether there are two values that differ.

    >>> varies(np.array([1.0, 1.0])), varies(np.array([1.0, 2.0]))
    (False, True)
    """
    return bool(values.size > 1 and values.min() < values.max())


def sample_variance(values: Floats) -> float | None:
    """Return Σ(x − x̄)²/(n − 1), None for fewer than two values; of equal values it is exactly 0.0.

    Source: Crocker, L. and Algina, J. (1986), Introduction to Classical and Modern Test Theory, chapter 2.

    >>> sample_variance(np.array([2.0, 4.0, 0.0, 3.0, 4.0, 1.0]))
    2.6666666666666665
    """
    if values.size < 2:
        return None
    return covariance(values, values)


def sample_standard_deviation(values: Floats) -> float | None:
    """Return the square root of `sample_variance`, in the unit of the values.

    >>> sample_standard_deviation(np.array([2.0, 4.0, 0.0, 3.0, 4.0, 1.0]))
    1.632993161855452
    """
    variance = sample_variance(values)
    return None if variance is None else math.sqrt(variance)


def covariance(x: Floats, y: Floats) -> float:
    """Return Σ(x − x̄)(y − ȳ)/(n − 1), for two or more pairs; 0.0 if either does not vary.

    Source: Crocker and Algina (1986), chapter 2.

    >>> first_item = np.array([1.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    >>> covariance(first_item, np.array([2.0, 4.0, 0.0, 3.0, 4.0, 1.0]))
    0.7333333333333334
    """
    (dx, width_x), (dy, width_y) = _scaled_deviations(x), _scaled_deviations(y)
    return _sum_of_products(dx, dy) / (x.size - 1) * width_x * width_y


def correlation(x: Floats, y: Floats) -> float | None:
    """Return Pearson's correlation, Σ(x − x̄)(y − ȳ)/√(Σ(x − x̄)²·Σ(y − ȳ)²); None if either does not vary.

    Where x has two values it is the point biserial correlation.
    Source: Crocker and Algina (1986), chapter 2; Lord, F. M. and Novick, M. R. (1968), section 15.5.

    >>> first_item = np.array([1.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    >>> round(correlation(first_item, np.array([2.0, 4.0, 0.0, 3.0, 4.0, 1.0])), 12)
    0.869626356546
    """
    if not varies(x) or not varies(y):
        return None
    (dx, _), (dy, _) = _scaled_deviations(x), _scaled_deviations(y)
    r = _sum_of_products(dx, dy) / math.sqrt(_sum_of_products(dx, dx) * _sum_of_products(dy, dy))
    # Rounding may lead out of the range by the last digit.
    return min(1.0, max(-1.0, r))


def skewness(values: Floats) -> float | None:
    """Return the skewness k₃/k₂^1.5, with the unbiased cumulants.

    With m_j = Σ(x − x̄)^j/n, k₂ = n·m₂/(n − 1) and k₃ = n²·m₃/((n − 1)(n − 2)). None for fewer than three
    values, or if they do not vary.
    Source: Moodle developer documentation, Quiz statistics calculations; Fisher, R. A. (1930), The moments
    of the distribution for normal samples of measures of departure from normality.

    >>> round(skewness(np.array([1.0, 2.0, 3.0, 10.0])), 12)
    1.763632614804
    """
    n = values.size
    if n < 3 or not varies(values):
        return None
    deviations, _ = _scaled_deviations(values)
    k2 = n * _moment(deviations, 2) / (n - 1)
    k3 = n**2 * _moment(deviations, 3) / ((n - 1) * (n - 2))
    return float(k3 / k2**1.5)


def kurtosis(values: Floats) -> float | None:
    """Return the excess kurtosis k₄/k₂², with the unbiased cumulants; that of a normal distribution is 0.

    With m_j = Σ(x − x̄)^j/n, k₂ = n·m₂/(n − 1) and
    k₄ = n²·((n + 1)·m₄ − 3(n − 1)·m₂²)/((n − 1)(n − 2)(n − 3)). None for fewer than four values, or if they
    do not vary.
    Source: as `skewness`.

    >>> round(kurtosis(np.array([1.0, 2.0, 3.0, 10.0])), 12)
    3.228
    """
    n = values.size
    if n < 4 or not varies(values):
        return None
    deviations, _ = _scaled_deviations(values)
    m2, m4 = _moment(deviations, 2), _moment(deviations, 4)
    k2 = n * m2 / (n - 1)
    k4 = n**2 * ((n + 1) * m4 - 3 * (n - 1) * m2**2) / ((n - 1) * (n - 2) * (n - 3))
    return float(k4 / k2**2)


def _sum_of_products(x: Floats, y: Floats) -> float:
    """Return Σxy, added up in pairs.

    For a product of long vectors (`x @ y`) the linear algebra library would start a thread on each processor:
    they wait for each other longer than they compute, and their number decides the last digits.
    """
    return float((x * y).sum())


def _moment(deviations: Floats, power: int) -> float:
    return float((deviations**power).mean())


def _scaled_deviations(values: Floats) -> tuple[Floats, float]:
    """Return the deviations from the mean divided by the largest of them, and that divisor.

    Equal values have deviations of exactly zero, although their computed mean may be off by a rounding.
    """
    if not varies(values):
        return np.zeros(values.size), 1.0
    deviations = values - values.mean()
    width = float(np.abs(deviations).max())
    return deviations / width, width
