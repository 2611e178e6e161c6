"""Arrays of numbers that PostgreSQL sends in its binary format, as the lists that they are."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
from sqlalchemy import BigInteger, Double
from sqlalchemy.dialects.postgresql import ARRAY

from models.db.session import Database
from models.lms.attempts import Attempt
from workers.extract.number_arrays import NUMBER_ARRAYS, number_lists
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


@pytest.fixture
def snapshots(database: Database) -> Iterator[SnapshotConnection]:
    connection = SnapshotConnection(database.url, statement_timeout_seconds=30)
    connection.begin()
    yield connection
    connection.close()


def literal(numbers: list[int | None]) -> str:
    return "{" + ",".join("NULL" if number is None else str(number) for number in numbers) + "}"


def sent(snapshots: SnapshotConnection, lists: list[list[int | None]], element: str) -> pa.BinaryArray:
    """Return the bytes that PostgreSQL sends for lists of numbers, which are inserted as texts."""
    rows = ", ".join(f"({n}, '{literal(numbers)}'::{element}[])" for n, numbers in enumerate(lists))
    select = "SELECT array_send(numbers) AS numbers FROM"
    table = snapshots.read(f"{select} (VALUES {rows}) AS given (n, numbers) ORDER BY n")
    return table["numbers"].combine_chunks()


@pytest.mark.parametrize("lists", IDS)
def test_ids_are_decoded(snapshots: SnapshotConnection, lists: list[list[int | None]]) -> None:
    decoded = number_lists(sent(snapshots, lists, "bigint"), pa.int64())
    assert decoded.type == pa.list_(pa.int64())
    assert decoded.to_pylist() == lists


@pytest.mark.parametrize("lists", IDS)
def test_points_are_decoded(snapshots: SnapshotConnection, lists: list[list[int | None]]) -> None:
    decoded = number_lists(sent(snapshots, lists, "float8"), pa.float64())
    assert decoded.type == pa.list_(pa.float64())
    assert decoded.to_pylist() == [[None if n is None else float(n) for n in numbers] for numbers in lists]


def test_each_digit_of_points_is_kept(snapshots: SnapshotConnection) -> None:
    arrays = snapshots.read("SELECT array_send('{0.1,-0,1e-308,NULL,0.14285714285714285}'::float8[]) AS a")
    (decoded,) = number_lists(arrays["a"].combine_chunks(), pa.float64()).to_pylist()
    assert [repr(number) for number in decoded] == ["0.1", "-0.0", "1e-308", "None", "0.14285714285714285"]


def test_a_part_of_a_chunk_is_decoded(snapshots: SnapshotConnection) -> None:
    arrays = sent(snapshots, [[1, None], [2, 3], [4]], "bigint")
    assert number_lists(arrays.slice(1), pa.int64()).to_pylist() == [[2, 3], [4]]


@pytest.mark.parametrize("number", list(NUMBER_ARRAYS.values()), ids=str)
def test_a_chunk_without_attempts_is_decoded(number: pa.DataType) -> None:
    assert number_lists(pa.array([], pa.binary()), number).to_pylist() == []


def test_the_arrays_of_numbers_are_those_of_the_table() -> None:
    types = {BigInteger: pa.int64(), Double: pa.float64()}
    of_table = {
        column.name: element
        for column in Attempt.__table__.columns
        if isinstance(column.type, ARRAY)
        for kind, element in types.items()
        if isinstance(column.type.item_type, kind)
    }
    assert of_table == NUMBER_ARRAYS
