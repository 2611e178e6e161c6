"""The arrays of an attempt that are read as bytes.

The ADBC driver appends arrays element by element, which took half of the time that it needs for an attempt.
So they are read as the bytes of PostgreSQL's binary format, which `array_send` makes: 32 bits each for the
number of dimensions, whether elements are null, their type, the size and the first index, then for each
element its length in 32 bits, -1 for null, and its bytes, all in network order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from workers.extract.number_arrays import number_lists
from workers.extract.text_arrays import text_lists

ARRAYS: Final[Mapping[str, pa.DataType]] = {
    "answer_ids": pa.int64(),
    "points": pa.float64(),
    "selections": pa.string(),
}
"""The columns of attempts that are read as bytes, with the types of their elements.

The `texts` are not: they are long, and to copy them together would cost what that saves.
"""


def with_lists(attempts: pa.Table) -> pa.Table:
    """Return a table with lists in place of the bytes of arrays."""
    for index, name in enumerate(attempts.column_names):
        if name in ARRAYS:
            attempts = attempts.set_column(index, name, _lists(attempts.column(index), ARRAYS[name]))
    return attempts


def _lists(column: pa.ChunkedArray, element: pa.DataType) -> pa.ListArray:
    # Even a single part would be copied.
    arrays = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return text_lists(arrays) if element == pa.string() else number_lists(arrays, element)
