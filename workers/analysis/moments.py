"""Moments of samples: the students of a quiz as a sample of all who might take it.

Every sum of squares here is divided by n − 1. Canvas's own figures divide by n and are in `psychometrics`.
A function returns None if its result is undefined. Deviations are scaled by the largest of them before they
are multiplied, so the square of a very small or large number neither vanishes nor overflows.

Numbers are given as an array, or as a `Sample`, which takes no memory for each of them and keeps its sums.

The examples are the totals of six students, 2, 4, 0, 3, 4 and 1, and their scores on the first of four items.
"""

from __future__ import annotations

import math

import numpy as np

from workers.analysis.samples import Numbers, Sample, pairwise_sum


def sample_variance(values: Numbers) -> float | None:
    """Return Σ(x − x̄)²/(n − 1), None for fewer than two values; of equal values it is exactly 0.0.

    Source: Crocker, L. and Algina, J. (1986), Introduction to Classical and Modern Test Theory, chapter 2.

    >>> sample_variance(np.array([2.0, 4.0, 0.0, 3.0, 4.0, 1.0]))
    2.6666666666666665
    """
    sample = Sample.of(values)
    if sample.size < 2:
        return None
    return sample.scaled_squares / (sample.size - 1) * sample.width * sample.width


def sample_standard_deviation(values: Numbers) -> float | None:
    """Return the square root of `sample_variance`, in the unit of the values.

    Source: as `sample_variance`.

    >>> sample_standard_deviation(np.array([2.0, 4.0, 0.0, 3.0, 4.0, 1.0]))
    1.632993161855452
    """
    variance = sample_variance(values)
    return None if variance is None else math.sqrt(variance)


def covariance(x: Numbers, y: Numbers) -> float:
    """Return Σ(x − x̄)(y − ȳ)/(n − 1), for two or more pairs; 0.0 if either does not vary.

    Source: Crocker and Algina (1986), chapter 2.

    >>> first_item = np.array([1.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    >>> covariance(first_item, np.array([2.0, 4.0, 0.0, 3.0, 4.0, 1.0]))
    0.7333333333333334
    """
    x, y = Sample.of(x), Sample.of(y)
    return _sum_of_products(x, y) / (x.size - 1) * x.width * y.width


def correlation(x: Numbers, y: Numbers) -> float | None:
    """Return Pearson's correlation, Σ(x − x̄)(y − ȳ)/√(Σ(x − x̄)²·Σ(y − ȳ)²); None if either does not vary.

    Where x has two values it is the point biserial correlation.
    Source: Crocker and Algina (1986), chapter 2; Lord, F. M. and Novick, M. R. (1968), section 15.5.

    >>> first_item = np.array([1.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    >>> round(correlation(first_item, np.array([2.0, 4.0, 0.0, 3.0, 4.0, 1.0])), 12)
    0.869626356546
    """
    x, y = Sample.of(x), Sample.of(y)
    if not x.varies or not y.varies:
        return None
    r = _sum_of_products(x, y) / math.sqrt(x.scaled_squares * y.scaled_squares)
    # Rounding may lead out of the range by the last digit.
    return min(1.0, max(-1.0, r))


def skewness(values: Numbers) -> float | None:
    """Return the skewness k₃/k₂^1.5, with the unbiased cumulants.

    With m_j = Σ(x − x̄)^j/n, k₂ = n·m₂/(n − 1) and k₃ = n²·m₃/((n − 1)(n − 2)). None for fewer than three
    values, or if they do not vary.
    Source: Moodle developer documentation, Quiz statistics calculations; Fisher, R. A. (1930), The moments
    of the distribution for normal samples of measures of departure from normality.

    >>> round(skewness(np.array([1.0, 2.0, 3.0, 10.0])), 12)
    1.763632614804
    """
    sample = Sample.of(values)
    n = sample.size
    if n < 3 or not sample.varies:
        return None
    k2 = n * _moment(sample, 2) / (n - 1)
    k3 = n**2 * _moment(sample, 3) / ((n - 1) * (n - 2))
    return float(k3 / k2**1.5)


def kurtosis(values: Numbers) -> float | None:
    """Return the excess kurtosis k₄/k₂², with the unbiased cumulants; that of a normal distribution is 0.

    With m_j = Σ(x − x̄)^j/n, k₂ = n·m₂/(n − 1) and
    k₄ = n²·((n + 1)·m₄ − 3(n − 1)·m₂²)/((n − 1)(n − 2)(n − 3)). None for fewer than four values, or if they
    do not vary.
    Source: as `skewness`.

    >>> round(kurtosis(np.array([1.0, 2.0, 3.0, 10.0])), 12)
    3.228
    """
    sample = Sample.of(values)
    n = sample.size
    if n < 4 or not sample.varies:
        return None
    m2, m4 = _moment(sample, 2), _moment(sample, 4)
    k2 = n * m2 / (n - 1)
    k4 = n**2 * ((n + 1) * m4 - 3 * (n - 1) * m2**2) / ((n - 1) * (n - 2) * (n - 3))
    return float(k4 / k2**2)


def _sum_of_products(x: Sample, y: Sample) -> float:
    """Return the sum of the products of scaled deviations, added up in pairs.

    For a product of long vectors (`x @ y`) the linear algebra library would start a thread on each processor:
    they wait for each other longer than they compute, and their number decides the last digits.
    """
    return pairwise_sum(map(np.multiply, x.scaled_deviations(), y.scaled_deviations()), x.size)


def _moment(sample: Sample, power: int) -> float:
    powers = (deviations**power for deviations in sample.scaled_deviations())
    return pairwise_sum(powers, sample.size) / sample.size
