"""Samples have the last digits of NumPy's sums, in whatever parts their numbers come, and take no memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from workers.analysis import moments, psychometrics
from workers.analysis.quiz_statistics import QuizStatistics
from workers.analysis.samples import MOST_DISTINCT, Sample, Tally, known
from workers.analysis.score_table import ScoreTable
from workers.analysis.totals import ItemOption, ScoredItem, Totals

Floats = npt.NDArray[np.float64]

SIZES = [1, 7, 8, 129, 16_384, 16_385, 100_003, 131_072, 131_073, 400_001]


def numbers(size: int) -> Floats:
    dice = np.random.default_rng(size)
    values: Floats = dice.normal(size=size) * 10.0 ** dice.integers(-6, 6, size)
    return values


def in_parts(values: Floats, length: int) -> Sample:
    return Sample(
        values.size, lambda: (values[begin : begin + length] for begin in range(0, values.size, length))
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("length", [4_999, 50_000])
def test_sums_have_the_last_digits_of_numpy(size: int, length: int) -> None:
    values = numbers(size)
    sample = in_parts(values, length)

    assert sample.sum == values.sum()
    assert sample.mean == values.mean()
    assert (sample.least, sample.most) == (values.min(), values.max())
    assert psychometrics.population_variance(sample) == values.var()
    assert np.array_equal(sample.array(), values)
    assert np.array_equal(sample.ascending().array(), np.sort(values))


@pytest.mark.parametrize("size", [20, 100_003, 400_001])
def test_moments_have_the_last_digits_of_deviations_that_are_computed_at_once(size: int) -> None:
    x, y = numbers(size), numbers(size + 1)[1:]
    dx, dy = x - x.mean(), y - y.mean()
    width_x, width_y = np.abs(dx).max(), np.abs(dy).max()
    dx, dy = dx / width_x, dy / width_y

    samples = in_parts(x, 5_000), in_parts(y, 7_000)

    assert moments.covariance(*samples) == (dx * dy).sum() / (size - 1) * width_x * width_y
    assert moments.sample_variance(samples[0]) == (dx * dx).sum() / (size - 1) * width_x * width_x
    assert moments.correlation(*samples) == (dx * dy).sum() / np.sqrt((dx * dx).sum() * (dy * dy).sum())
    assert moments.skewness(samples[0]) == moments.skewness(x)
    assert moments.kurtosis(samples[0]) == moments.kurtosis(x)


def test_no_numbers() -> None:
    empty = known(np.array([np.nan]))

    assert (empty.size, empty.sum, empty.varies, list(empty.parts())) == (0, 0.0, False, [])


def test_numbers_that_are_unknown_are_left_out() -> None:
    values = numbers(300_000)
    values[::3] = np.nan

    assert known(values).sum == values[~np.isnan(values)].sum()


def quiz_of(students: int, items: int) -> tuple[list[ScoredItem], ScoreTable]:
    dice = np.random.default_rng(students)
    table = ScoreTable(items)
    for begin in range(0, students, 10_000):
        size = min(10_000, students - begin)
        chosen = dice.integers(11, 14, size * items)
        responses = {
            "respondent": np.repeat(np.arange(size), items),
            "item": np.tile(np.arange(items), size),
            "answer_id": chosen,
            "points": (chosen == 11) / 3,
            "outcome": np.where(chosen == 11, ord("C"), ord("I")),
        }
        table.add(size, pd.DataFrame(responses))
    options = tuple(ItemOption(str(key), f"Option {key}", key == 11) for key in (11, 12, 13))
    return [
        ScoredItem(number, "?", "multiple_choice_question", 1 / 3, number, is_choice=True, options=options)
        for number in range(items)
    ], table


@pytest.mark.parametrize("distinct", [4, 1_000])
def test_codes_are_kept_in_the_bits_that_they_need(distinct: int) -> None:
    students = 200_000
    dice = np.random.default_rng(distinct)
    points = [dice.integers(0, distinct, size) / 7 for size in (140_000, 59_993, 0, 7)]
    table = ScoreTable(1)
    for given in points:
        of_all = {"answer_id": -1, "outcome": ord("P"), "item": 0}
        table.add(given.size, pd.DataFrame({"respondent": np.arange(given.size), "points": given, **of_all}))

    assert (table.respondents, table.item(0).graded) == (students, students)
    assert np.array_equal(table.item(0).scores.array(), np.concatenate(points))


@pytest.mark.parametrize("points", [[0.0, -0.0], [-0.0, 0.0]])
def test_points_of_zero_have_one_sign_in_any_order(points: list[float]) -> None:
    table = ScoreTable(1)
    of_all = {"answer_id": -1, "outcome": ord("I"), "item": 0}
    table.add(2, pd.DataFrame({"respondent": [0, 1], "points": points, **of_all}))

    assert not np.signbit(table.item(0).scores.array()).any()


def test_minutes_have_the_percentiles_of_numpy() -> None:
    items, table = quiz_of(20, 1)
    for size in (1, 2, 3, 10, 1_001, 140_000):
        minutes = np.random.default_rng(size).integers(60, 5_400, size) / 60

        quiz = QuizStatistics(items, table, Totals(items, table), minutes, {}, minutes).quiz()

        of_quiz = quiz.minutes_lower_quartile, quiz.minutes_median, quiz.minutes_upper_quartile
        assert [figure.value for figure in of_quiz] == [np.percentile(minutes, at) for at in (25, 50, 75)]
        assert quiz.quiz_score_median.value == np.median(minutes)


@pytest.mark.cost
def test_the_figures_take_a_code_of_each_student_and_some_megabytes() -> None:
    students = 300_000
    items, table = quiz_of(students, 4)
    totals = Totals(items, table)
    minutes = Tally()
    minutes.add(np.full(students, 3.0))

    def figures() -> Iterator[object]:
        statistics = QuizStatistics(items, table, totals, minutes.ascending(), {})
        yield statistics.quiz()
        yield from statistics.items()

    # The first figures load what is loaded once.
    list(figures())
    tracemalloc.start()
    try:
        list(figures())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2 * students + 4 * 2**20


@pytest.mark.cost
def test_if_every_total_and_every_duration_differs_the_figures_take_some_numbers_of_each_student() -> None:
    students = 300_000
    dice = np.random.default_rng(5)
    items, _ = quiz_of(20, 4)
    table = ScoreTable(4)
    for begin in range(0, students, 10_000):
        points = dice.integers(0, 200, 40_000) / np.tile([7, 11, 13, 17], 10_000)
        responses = {
            "respondent": np.repeat(np.arange(10_000), 4),
            "item": np.tile(np.arange(4), 10_000),
            "answer_id": 11,
            "points": points,
            # Of some, an item is not graded, so that totals are shares.
            "outcome": np.where(dice.random(40_000) < 0.1, ord("U"), ord("P")),
        }
        table.add(10_000, pd.DataFrame(responses))
        assert table.respondents == begin + 10_000
    minutes = dice.random(students) * 90
    tracemalloc.start()
    try:
        totals = Totals(items, table)
        kept, _ = tracemalloc.get_traced_memory()
        durations = Tally()
        for begin in range(0, students, 10_000):
            durations.add(minutes[begin : begin + 10_000])
        statistics = QuizStatistics(items, table, totals, durations.ascending(), {})
        statistics.quiz()
        statistics.items()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert np.unique(totals.points[:]).size > MOST_DISTINCT
    # The totals and their shares, with room for a sixteenth more, and indices of what each could get.
    assert kept < (2 * 8 * 17 / 16 + 2) * students + 2**20
    # Beside them the durations, the groups, and one array in ascending order.
    assert peak < 64 * students
