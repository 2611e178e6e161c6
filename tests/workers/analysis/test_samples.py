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
from workers.analysis.samples import Sample, known
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


def test_the_figures_take_a_number_and_a_code_of_each_student_and_some_megabytes() -> None:
    students = 300_000
    items, table = quiz_of(students, 4)
    totals = Totals(items, table)
    minutes = np.full(students, 3.0)

    def figures() -> Iterator[object]:
        statistics = QuizStatistics(items, table, totals, minutes, {})
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

    assert peak < (8 + 1) * students + 4 * 2**20
