"""Arrays of texts that PostgreSQL sends in its binary format, as the lists that they are."""

from __future__ import annotations

import pyarrow as pa
import pytest

from workers.extract.arrays import text_lists
from workers.extract.snapshot import SnapshotConnection

TEXTS = [
    pytest.param([["Mitosis", "Meiosis"], ["a", "bc"]], id="no nulls"),
    pytest.param([[None, "b"], ["c", None], [None, None]], id="nulls"),
    pytest.param([["a"], [], [None, "c", "de"], ["f", "g"]], id="of several lengths"),
    pytest.param([["a", "b", None], ["c"]], id="the last one the shortest"),
    pytest.param([[], []], id="empty"),
    pytest.param([["", None, ""], [""]], id="empty texts"),
    pytest.param([["Zellkörper 🔬", "é", "細胞"], [None, "\n", ',"']], id="beyond ASCII"),
    pytest.param([["\x7f\x7f\x7f\x7f" * 5, "\x01\x01\x01\x01"], ["x"]], id="texts that look like lengths"),
    pytest.param([[None] * 300 + ["end"], ["x" * 100_000]], id="long"),
]


def literal(texts: list[str | None]) -> str:
    elements = ",".join("NULL" if text is None else f"E'{escaped(text)}'" for text in texts)
    return f"ARRAY[{elements}]::text[]"


def escaped(text: str) -> str:
    return "".join(f"\\U{ord(character):08x}" for character in text)


def sent(begun_snapshot: SnapshotConnection, lists: list[list[str | None]]) -> pa.BinaryArray:
    """Return the bytes that PostgreSQL sends for lists of texts."""
    rows = ", ".join(f"({n}, {literal(texts)})" for n, texts in enumerate(lists))
    select = "SELECT array_send(texts) AS texts FROM"
    table = begun_snapshot.read(f"{select} (VALUES {rows}) AS given (n, texts) ORDER BY n")
    return table["texts"].combine_chunks()


@pytest.mark.parametrize("lists", TEXTS)
def test_texts_are_decoded(begun_snapshot: SnapshotConnection, lists: list[list[str | None]]) -> None:
    decoded = text_lists(sent(begun_snapshot, lists))
    decoded.validate(full=True)
    assert decoded.type == pa.list_(pa.string())
    assert decoded.to_pylist() == lists


def test_a_part_of_a_chunk_is_decoded(begun_snapshot: SnapshotConnection) -> None:
    arrays = sent(begun_snapshot, [["a", None], ["bc", "d"], ["e"]])
    assert text_lists(arrays.slice(1)).to_pylist() == [["bc", "d"], ["e"]]
    assert text_lists(arrays.slice(0, 1)).to_pylist() == [["a", None]]


def test_a_chunk_without_attempts_is_decoded() -> None:
    assert text_lists(pa.array([], pa.binary())).to_pylist() == []


@pytest.mark.parametrize("at", [0, 1])
def test_a_null_array_leaves_the_others_as_they_are(begun_snapshot: SnapshotConnection, at: int) -> None:
    arrays = sent(begun_snapshot, [["a", None]]).to_pylist()
    arrays.insert(at, None)

    decoded = text_lists(pa.array(arrays, pa.binary())).to_pylist()

    assert decoded[1 - at] == ["a", None]
