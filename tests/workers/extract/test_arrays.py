"""The columns of attempts that are read as bytes, and decoded to lists."""

from __future__ import annotations

import pyarrow as pa
from sqlalchemy import BigInteger, Double, Text
from sqlalchemy.dialects.postgresql import ARRAY

from models.lms.attempts import Attempt
from workers.extract.arrays import ARRAYS, with_lists

_TEXTS = bytes.fromhex("00000001 00000000 00000019 00000001 00000001 00000002") + b"Hi"
_IDS = bytes.fromhex("00000001 00000000 00000014 00000001 00000001 00000008 0000000000000007")


def test_the_arrays_are_those_of_the_table_but_the_texts() -> None:
    types = {BigInteger: pa.int64(), Double: pa.float64(), Text: pa.string()}
    of_table = {
        column.name: element
        for column in Attempt.__table__.columns
        if isinstance(column.type, ARRAY)
        for kind, element in types.items()
        if isinstance(column.type.item_type, kind)
    }
    assert of_table == {**ARRAYS, "texts": pa.string()}


def test_other_columns_stay_as_they_are() -> None:
    table = pa.table({"attempt": [3], "answer_ids": [_IDS], "selections": [_TEXTS], "texts": [["Ho"]]})
    lists = {"attempt": [3], "answer_ids": [[7]], "selections": [["Hi"]], "texts": [["Ho"]]}
    assert with_lists(table).to_pydict() == lists


def test_a_chunk_that_came_in_parts_is_decoded() -> None:
    parts = pa.chunked_array([pa.array([_TEXTS]), pa.array([_TEXTS, _TEXTS])])
    assert with_lists(pa.table({"selections": parts})).to_pydict() == {"selections": [["Hi"]] * 3}
