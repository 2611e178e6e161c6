"""Arrays of numbers that PostgreSQL sends in its binary format, as the lists that they are."""

from __future__ import annotations

import pyarrow as pa
import pytest

from workers.extract.arrays import number_lists
from workers.extract.snapshot import SnapshotConnection

_LARGEST, _SMALLEST = 2**63 - 1, -(2**63)

IDS = [
    pytest.param([[1, 2, 3], [4, 5, 6]], id="no nulls"),
    pytest.param([[None, 2], [3, None], [None, None]], id="nulls"),
    pytest.param([[1], [], [None, 3, 4], [5, 6]], id="of several lengths, with nulls"),
    pytest.param([[1], [], [2, 3, 4], []], id="of several lengths, without nulls"),
    pytest.param([[], []], id="empty"),
    pytest.param([[_LARGEST, _SMALLEST, -1, 8, None, 0]], id="numbers that look like lengths"),
    pytest.param([[None] * 300 + [7]], id="long"),
]


def literal(numbers: list[int | None]) -> str:
    return "{" + ",".join("NULL" if number is None else str(number) for number in numbers) + "}"


def sent(begun_snapshot: SnapshotConnection, lists: list[list[int | None]], element: str) -> pa.BinaryArray:
    """Return the bytes that PostgreSQL sends for lists of numbers, which are inserted as texts."""
    rows = ", ".join(f"({n}, '{literal(numbers)}'::{element}[])" for n, numbers in enumerate(lists))
    select = "SELECT array_send(numbers) AS numbers FROM"
    table = begun_snapshot.read(f"{select} (VALUES {rows}) AS given (n, numbers) ORDER BY n")
    return table["numbers"].combine_chunks()


@pytest.mark.parametrize("lists", IDS)
def test_ids_are_decoded(begun_snapshot: SnapshotConnection, lists: list[list[int | None]]) -> None:
    decoded = number_lists(sent(begun_snapshot, lists, "bigint"), pa.int64())
    assert decoded.type == pa.list_(pa.int64())
    assert decoded.to_pylist() == lists


@pytest.mark.parametrize("lists", IDS)
def test_points_are_decoded(begun_snapshot: SnapshotConnection, lists: list[list[int | None]]) -> None:
    decoded = number_lists(sent(begun_snapshot, lists, "float8"), pa.float64())
    assert decoded.type == pa.list_(pa.float64())
    assert decoded.to_pylist() == [[None if n is None else float(n) for n in numbers] for numbers in lists]


def test_each_digit_of_points_is_kept(begun_snapshot: SnapshotConnection) -> None:
    arrays = begun_snapshot.read(
        "SELECT array_send('{0.1,-0,1e-308,NULL,0.14285714285714285}'::float8[]) AS a"
    )
    (decoded,) = number_lists(arrays["a"].combine_chunks(), pa.float64()).to_pylist()
    assert [repr(number) for number in decoded] == ["0.1", "-0.0", "1e-308", "None", "0.14285714285714285"]


def test_a_part_of_a_chunk_is_decoded(begun_snapshot: SnapshotConnection) -> None:
    arrays = sent(begun_snapshot, [[1, None], [2, 3], [4]], "bigint")
    assert number_lists(arrays.slice(1), pa.int64()).to_pylist() == [[2, 3], [4]]


@pytest.mark.parametrize("number", [pa.int64(), pa.float64()], ids=str)
def test_a_chunk_without_attempts_is_decoded(number: pa.DataType) -> None:
    assert number_lists(pa.array([], pa.binary()), number).to_pylist() == []


@pytest.mark.parametrize("at", [0, 1])
def test_a_null_array_leaves_the_others_as_they_are(begun_snapshot: SnapshotConnection, at: int) -> None:
    arrays = sent(begun_snapshot, [[8, None]], "bigint").to_pylist()
    arrays.insert(at, None)

    decoded = number_lists(pa.array(arrays, pa.binary()), pa.int64()).to_pylist()

    assert decoded[1 - at] == [8, None]
