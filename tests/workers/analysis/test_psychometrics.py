"""Formulas against figures worked out by hand, plain loops and published tables."""

import math
import statistics

import numpy as np
import pytest

from workers.analysis.psychometrics import (
    BOTTOM,
    MIDDLE,
    TOP,
    coefficient_alpha,
    point_biserial,
    population_variance,
    ratio,
    score_groups,
    score_limits,
    standard_deviation,
)

# Bock and Lieberman (1970): how many of 1,000 people gave each pattern of answers to the five items of LSAT
# section 7, from 00000 up in binary order.
LSAT_7 = [
    *(12, 19, 1, 7, 3, 19, 3, 17, 10, 5, 3, 7, 7, 23, 8, 28),
    *(7, 39, 11, 34, 14, 51, 15, 90, 6, 25, 7, 35, 18, 136, 32, 308),
]


def groups_of(totals: np.ndarray) -> list[int]:
    groups: list[int] = score_groups(totals, score_limits(totals)).tolist()
    return groups


@pytest.fixture
def lsat() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    patterns = [[int(digit) for digit in f"{pattern:05b}"] for pattern in range(32)]
    return np.repeat(np.array(patterns, dtype=float), LSAT_7, axis=0)


@pytest.mark.contract("8 Item analysis", "LSAT section 7 has the published figures")
def test_lsat_difficulties_are_the_published_ones(lsat: np.ndarray) -> None:
    shares = [ratio(int(item.sum()), item.size) for item in lsat.T]

    assert shares == pytest.approx([0.828, 0.658, 0.772, 0.606, 0.843], abs=1e-12)


@pytest.mark.contract("8 Item analysis", "LSAT section 7 has the published figures")
def test_lsat_totals_vary_as_published(lsat: np.ndarray) -> None:
    totals = lsat.sum(axis=1)

    assert totals.mean() == pytest.approx(3.707, abs=1e-12)
    assert standard_deviation(totals) == pytest.approx(1.197978, abs=5e-7)


@pytest.mark.contract("8 Item analysis", "LSAT section 7 has the published figures")
def test_lsat_alpha_is_the_published_one(lsat: np.ndarray) -> None:
    variances = [population_variance(item) for item in lsat.T]

    alpha = coefficient_alpha(variances, population_variance(lsat.sum(axis=1)))

    assert alpha == pytest.approx(0.453409, abs=5e-7)


def test_a_ratio_of_nothing_is_zero() -> None:
    assert ratio(0, 0) == 0.0
    assert ratio(2, 3) == 0.6666666666666666


@pytest.mark.contract("8 Item analysis", "variance by n, alpha from sixteen questions on, point biserials")
def test_variance_divides_by_n() -> None:
    assert population_variance(np.array([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0])) == 4.0


def test_variance_agrees_with_the_exact_arithmetic_of_the_standard_library() -> None:
    values = np.random.default_rng(7).normal(1e6, 1e-2, 1000)

    assert population_variance(values) == pytest.approx(statistics.pvariance(values.tolist()), rel=1e-9)


@pytest.mark.parametrize("values", [[], [0.1], [0.1, 0.1, 0.1]])
def test_what_does_not_vary_has_variance_zero_exactly(values: list[float]) -> None:
    assert population_variance(np.array(values, dtype=float)) == 0.0


def test_alpha_by_hand() -> None:
    # Three students, items (1 1 0), (1 0 0), (0 1 0): totals 2, 2, 0 vary by 8/9, each item by 2/9.
    assert coefficient_alpha([2 / 9, 2 / 9, 2 / 9], 8 / 9) == pytest.approx(3 / 2 * (1 - 6 / 8), rel=1e-15)


@pytest.mark.parametrize(("variances", "total"), [([], 1.0), ([0.25], 1.0), ([0.0, 0.0], 0.0)])
def test_alpha_does_not_exist_for_one_item_or_equal_totals(variances: list[float], total: float) -> None:
    assert coefficient_alpha(variances, total) is None


def test_point_biserial_is_pearsons_correlation_with_choosing() -> None:
    totals = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0])
    chose = np.array([1, 0, 1, 0, 0, 1, 0, 1], dtype=bool)

    figure = point_biserial(
        totals[chose].mean(), totals[~chose].mean(), standard_deviation(totals), int(chose.sum()), 4
    )

    # Imported here because it takes seconds, and every process that runs tests imports every module.
    from scipy import stats

    assert figure == pytest.approx(stats.pointbiserialr(chose, totals).statistic, rel=1e-12)


@pytest.mark.contract("8 Item analysis", "variance by n, alpha from sixteen questions on, point biserials")
def test_point_biserial_multiplies_from_left_to_right() -> None:
    assert point_biserial(2.0, 3.4, 1.0, 1, 5) == (2.0 - 3.4) / 1.0 * math.sqrt(1 / 6 * (1 - 1 / 6))


@pytest.mark.parametrize(("chosen", "others", "deviation"), [(0, 5, 1.0), (5, 0, 1.0), (2, 3, 0.0)])
def test_point_biserial_needs_both_groups_and_a_spread(chosen: int, others: int, deviation: float) -> None:
    assert point_biserial(2.0, 1.0, deviation, chosen, others) is None


@pytest.mark.parametrize(
    ("totals", "groups"),
    [
        # round(0.27·6) = 2 and round(0.73·6) = 4.
        ([1, 2, 3, 4, 5, 6], [BOTTOM, BOTTOM, MIDDLE, MIDDLE, TOP, TOP]),
        # The same in another order of students.
        ([6, 1, 4, 2, 5, 3], [TOP, BOTTOM, MIDDLE, BOTTOM, TOP, MIDDLE]),
        # The top would begin at the second 5: the first goes up with it.
        ([1, 2, 3, 5, 5, 6], [BOTTOM, BOTTOM, MIDDLE, TOP, TOP, TOP]),
        # The middle would begin at the second 2.
        ([1, 2, 2, 4, 5, 6], [BOTTOM, MIDDLE, MIDDLE, MIDDLE, TOP, TOP]),
        # Nobody is left for the middle, then nobody for anything but the top.
        ([1, 1, 5, 5, 5, 5], [BOTTOM, BOTTOM, TOP, TOP, TOP, TOP]),
        ([3, 3, 3, 3, 3, 3], [TOP] * 6),
        # round(0.73·1) = 1: the top begins after the last, round(0.27·1) = 0.
        ([4], [MIDDLE]),
        # Two begin together: round(0.27·2) = 1 and round(0.73·2) = 1.
        ([4, 7], [BOTTOM, TOP]),
        ([], []),
    ],
)
@pytest.mark.contract("8 Item analysis", "groups at 27 and 73 percent, ties go up")
def test_groups_are_cut_at_27_and_73_percent_and_ties_go_up(totals: list[int], groups: list[int]) -> None:
    assert groups_of(np.array(totals, dtype=float)) == groups


def test_a_beginning_on_a_half_is_rounded_up() -> None:
    # 0.27·50 = 13.5 and 0.73·50 = 36.5.
    groups = groups_of(np.arange(50.0))

    assert (groups.count(BOTTOM), groups.count(MIDDLE), groups.count(TOP)) == (14, 23, 13)
