"""Numbers of many respondents are exactly those that were added, and take a bounded number of bytes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pytest

from workers.analysis import samples
from workers.analysis.compact import CompactFloats
from workers.analysis.samples import MOST_DISTINCT, Sample, Tally

Floats = npt.NDArray[np.float64]


def chunks(values: Floats, length: int = 5_000) -> Iterator[Floats]:
    return (values[begin : begin + length] for begin in range(0, values.size, length))


def compact(values: Floats) -> CompactFloats:
    kept = CompactFloats()
    for chunk in chunks(values):
        kept.add(chunk)
    return kept


def tally(values: Floats) -> Tally:
    kept = Tally()
    for chunk in chunks(values):
        kept.add(chunk)
    return kept


def few(size: int) -> Floats:
    return np.random.default_rng(size).integers(0, 400, size) / 3


def many(size: int) -> Floats:
    return np.random.default_rng(size).normal(size=size)


@pytest.mark.parametrize("made", [few, many])
@pytest.mark.parametrize("size", [0, 1, 5_000, 70_001, 200_000])
def test_numbers_come_back_as_they_were_added(made: Callable[[int], Floats], size: int) -> None:
    values = made(size)

    kept = compact(values)

    assert kept.size == size
    assert np.array_equal(kept[:], values)
    assert np.array_equal(kept[size // 3 : size // 2], values[size // 3 : size // 2])
    assert np.array_equal(kept.sample.array(), values)
    assert np.array_equal(tally(values).ascending().array(), np.sort(values))


def test_unknown_numbers_are_kept_and_zero_has_one_sign() -> None:
    values = np.array([np.nan, 0.0, -0.0, 1e-300, np.nan])

    assert compact(values)[:].tobytes() == np.array([np.nan, 0.0, 0.0, 1e-300, np.nan]).tobytes()
    assert str(compact(values)[np.array([2, 3])].tolist()) == "[0.0, 1e-300]"


@pytest.mark.parametrize("others", [few(3), many(MOST_DISTINCT + 1)])
@pytest.mark.parametrize("zeros", [[0.0, -0.0], [-0.0, 0.0], [-0.0]])
def test_zero_has_one_sign_in_any_order(others: Floats, zeros: list[float]) -> None:
    numbers = np.abs(others) + 1
    for values in (np.concatenate([zeros, numbers]), np.concatenate([numbers, zeros])):
        assert not np.signbit(compact(values)[:]).any()
        assert not np.signbit(tally(values).ascending().array()).any()


@pytest.mark.parametrize("made", [few, many])
def test_numbers_that_are_in_ascending_order_are_not_counted_or_sorted_again(
    made: Callable[[int], Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = made(200_000)
    ascending = tally(values).ascending()
    monkeypatch.setattr(samples, "Tally", None)

    assert ascending.ranked(0, 199_999) == [values.min(), values.max()]


@pytest.mark.parametrize("distinct", [MOST_DISTINCT, MOST_DISTINCT + 1])
def test_the_last_number_that_still_fits_and_the_first_that_does_not(distinct: int) -> None:
    values = np.arange(distinct, dtype=float)

    assert np.array_equal(compact(values)[:], values)
    assert np.array_equal(tally(values[::-1]).ascending().array(), values)


@pytest.mark.cost
@pytest.mark.parametrize(("made", "compact_bytes", "tally_bytes"), [(few, 2, 0), (many, 8, 8)])
def test_each_number_takes_two_bytes_or_eight_and_one_that_is_only_counted_none_or_eight(
    made: Callable[[int], Floats], compact_bytes: int, tally_bytes: int
) -> None:
    size = 1_000_000
    values = made(size)
    for keep, bytes_of_each in ((compact, compact_bytes), (tally, tally_bytes)):
        tracemalloc.start()
        try:
            kept = keep(values)
            now, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        # Arrays that grow in place have room for a sixteenth more.
        assert now < bytes_of_each * size * 17 / 16 + 2**20
        del kept


@pytest.mark.parametrize("made", [few, many])
@pytest.mark.parametrize("size", [1, 2, 7, 1_000, 150_001, 300_000])
def test_ranks_are_those_of_all_numbers_in_ascending_order(made: Callable[[int], Floats], size: int) -> None:
    values = made(size)
    ranks = [size - 1, 0, size // 2, size // 2]

    sample = Sample(size, lambda: chunks(values))

    assert sample.ranked(*ranks) == np.sort(values)[ranks].tolist()
    assert sample.ranked() == []
