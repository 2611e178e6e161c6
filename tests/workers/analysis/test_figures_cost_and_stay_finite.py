"""The figures of an item take time by the number of its options, and each is a finite number."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.attempt_frames import ITEM_ATTEMPTS, as_csv, attempt_frame
from tests.cost import cpu_seconds
from workers.analysis import moments
from workers.analysis.frames import ColumnKind, Item, Option
from workers.analysis.item_analysis import ItemAnalysis
from workers.analysis.psychometrics import population_variance

NUMBERS = st.floats(-1e12, 1e12)


def analysed(items: list[Item], scores: list[float], chosen: list[list[int]]) -> ItemAnalysis:
    analysis = ItemAnalysis(items, {1: [item.id for item in items]}, np.array(scores))
    rows = [
        {"score": score, "question_set_id": 1, "answer_ids": ids}
        for score, ids in zip(scores, chosen, strict=True)
    ]
    analysis.add(attempt_frame(rows, ITEM_ATTEMPTS))
    return analysis


def seconds(n_options: int) -> float:
    options = tuple(Option(number, "a", 0.0) for number in range(1, n_options + 1))
    students = [*range(1, n_options + 1)] * 2
    items, scores = [Item(1, "a", 1.0, 1, True, options)], [float(n) for n in students]
    return cpu_seconds(lambda: analysed(items, scores, [[n] for n in students]).rows())


@pytest.mark.cost
@pytest.mark.no_cover
def test_time_follows_the_number_of_options() -> None:
    seconds(100)

    assert seconds(20_000) < 40 * max(seconds(2_000), 0.02)


@given(
    st.lists(st.tuples(NUMBERS, st.integers(1, 3)), min_size=1, max_size=12),
    st.lists(NUMBERS, min_size=20, max_size=20),
    st.lists(NUMBERS, min_size=3, max_size=3),
)
def test_no_file_holds_what_is_no_number(
    students: list[tuple[float, int]], points: list[float], weights: list[float]
) -> None:
    options = tuple(Option(number, "a", weight) for number, weight in enumerate(weights, 1))
    items = [Item(number, "a", given, 1, True, options) for number, given in enumerate(points)]

    analysis = analysed(items, [score for score, _ in students], [[code] * 20 for _, code in students])

    rows, by_option = analysis.rows(), pd.concat(analysis.option_frames())
    numbers = [column.name for column in analysis.columns if column.kind is ColumnKind.NUMBER]
    assert not np.isinf(rows[numbers]).any(axis=None)
    # NaN stands for an empty cell, so it is only where a cell may be empty.
    assert rows[numbers[: numbers.index("Alpha")]].notna().all(axis=None)
    chosen = by_option["Chosen Student Count"]
    has_figure = chosen.between(1, len(students) - 1)
    if population_variance(np.array([score for score, _ in students])) == 0:
        has_figure[:] = False
    assert by_option["Point Biserial"].notna().equals(has_figure)
    assert "nan" not in as_csv(analysis.columns, rows)


@pytest.mark.cost
@pytest.mark.no_cover
def test_moments_of_many_values_start_no_threads() -> None:
    # The threads of a library count in the time of the process, and not in that of this thread.
    x = np.random.default_rng(5).normal(size=200_000)
    moments.correlation(x, x[::-1])

    def takes_only_this_thread() -> bool:
        process, thread = time.process_time(), time.thread_time()
        for _ in range(20):
            moments.correlation(x, x[::-1])
            moments.covariance(x, x[::-1])
        return time.process_time() - process < 1.2 * (time.thread_time() - thread)

    # A thread that an earlier test left may work during one of them.
    assert any(takes_only_this_thread() for _ in range(5))
