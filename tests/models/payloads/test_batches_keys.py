"""The keys of a request: exact however many they are, in little memory, and with nothing left behind."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from models.errors import TemporaryFileError
from models.payloads import batches
from models.payloads.batches import AttemptKeys
from tests.full_disk import largest_file
from tests.lms import MEGABYTE

IN_MEMORY = 100


@pytest.fixture(autouse=True)
def _few_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_KEYS_IN_MEMORY", IN_MEMORY)


def add(keys: AttemptKeys, count: int) -> None:
    for number in range(count):
        keys.add((number, 1))


@pytest.mark.parametrize("count", [IN_MEMORY, IN_MEMORY + 1, 30 * IN_MEMORY])
def test_a_key_is_added_once_in_memory_or_in_a_file(count: int, tmp_path: Path) -> None:
    given = [((-1) ** n * 10**18 + n * 7919 % count, 1 + n % 2) for n in range(count)]
    with AttemptKeys(str(tmp_path)) as keys:
        assert all(keys.add(key) for key in given)
        assert not any(keys.add(key) for key in given)
        # The other attempt of each submission is another key.
        assert all(keys.add((submission_id, 3 - attempt)) for submission_id, attempt in given)


def test_the_whole_range_of_keys_is_held_in_a_file(tmp_path: Path) -> None:
    extremes = [(-(2**63), -(2**63)), (2**63 - 1, 2**63 - 1)]
    with AttemptKeys(str(tmp_path)) as keys:
        add(keys, 2 * IN_MEMORY)

        assert [keys.add(key) for key in [*extremes, *extremes]] == [True, True, False, False]


def test_the_file_has_no_name(tmp_path: Path) -> None:
    with AttemptKeys(str(tmp_path)) as keys:
        add(keys, 2 * IN_MEMORY)

        assert list(tmp_path.iterdir()) == []


@pytest.mark.cost
@pytest.mark.no_cover
def test_memory_stays_level_however_many_keys_there_are(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        tracemalloc.reset_peak()
        with AttemptKeys(str(tmp_path)) as keys:
            add(keys, count)
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        few, many = peak(2 * IN_MEMORY), peak(100_000)
    finally:
        tracemalloc.stop()

    # A set of so many keys takes some 15 MB.
    assert many < few + MEGABYTE


def test_a_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_CACHE_KIB", 2**8)
    with AttemptKeys(str(tmp_path)) as keys, largest_file(2**20), pytest.raises(TemporaryFileError):
        # More than the cache of the file holds.
        add(keys, 200_000)


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with AttemptKeys(str(tmp_path / "absent")) as keys, pytest.raises(TemporaryFileError):
        add(keys, IN_MEMORY + 1)
