"""The figures of an item take time by the number of its options, and each is a finite number."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.attempt_frames import ITEM_ATTEMPTS, as_csv, attempt_frame
from workers.analysis.columns import ColumnKind
from workers.analysis.frames import Item, Option
from workers.analysis.item_analysis import ItemAnalysis

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
    began = time.process_time()
    analysed(
        [Item(1, "a", 1.0, 1, True, options)], [float(n) for n in students], [[n] for n in students]
    ).rows()
    return time.process_time() - began


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

    rows = analysis.rows()
    for column in analysis.columns:
        if column.kind is ColumnKind.NUMBER:
            assert not np.isinf(rows[column.name]).any()
    assert rows["Variance"].notna().all()
    assert "nan" not in as_csv(analysis.columns, rows)
