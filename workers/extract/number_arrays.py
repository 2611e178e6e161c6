"""The arrays of numbers of an attempt, decoded for a chunk at once.

The ADBC driver appends them element by element, which took half of the time that it needs for an attempt. So
they are read as the bytes of PostgreSQL's binary format, which `array_send` makes: 32 bits each for the
number of dimensions, whether elements are null, their type, the size and the first index, then for each
element its length in 32 bits, -1 for null, and its bytes, all in network order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workers.analysis.frames import Integers

NUMBER_ARRAYS: Final[Mapping[str, pa.DataType]] = {"answer_ids": pa.int64(), "points": pa.float64()}
"""The columns of attempts that are arrays of numbers, with the types of these."""

_Bytes = npt.NDArray[np.uint8]

_LENGTH: Final = ">i4"
_NUMBERS: Final = {pa.int64(): ">i8", pa.float64(): ">f8"}
_SIZE_AT, _HEADER_BYTES, _LENGTH_BYTES, _NUMBER_BYTES = 12, 20, 4, 8
_ELEMENT_BYTES: Final = _LENGTH_BYTES + _NUMBER_BYTES


def with_lists(attempts: pa.Table) -> pa.Table:
    """Return a table with lists of numbers in place of the bytes of arrays."""
    for index, name in enumerate(attempts.column_names):
        if name in NUMBER_ARRAYS:
            lists = number_lists(attempts.column(index).combine_chunks(), NUMBER_ARRAYS[name])
            attempts = attempts.set_column(index, name, lists)
    return attempts


def number_lists(arrays: pa.BinaryArray, number: pa.DataType) -> pa.ListArray:
    """Return arrays of int64 or float64, in their binary format, as lists; none of the arrays is null.

    >>> one_and_null = bytes.fromhex("00000001 00000001 00000014 00000002 00000001 00000008") + bytes(7)
    >>> arrays = pa.array([one_and_null + bytes.fromhex("01 ffffffff")])
    >>> number_lists(arrays, pa.int64()).to_pylist()
    [[1, None]]
    """
    bounds, data = _bounds(arrays), _data(arrays)
    begins, ends = bounds[:-1], bounds[1:]
    # An empty array has no dimension: it ends where a size would stand.
    filled = ends - begins >= _HEADER_BYTES
    sizes = np.zeros(len(arrays), np.int64)
    sizes[filled] = _read(data, _LENGTH, begins[filled] + _SIZE_AT)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    if (ends - begins)[filled].sum() == filled.sum() * _HEADER_BYTES + offsets[-1] * _ELEMENT_BYTES:
        # Without nulls, elements stand at equal distances.
        first = begins + _HEADER_BYTES + _LENGTH_BYTES - offsets[:-1] * _ELEMENT_BYTES
        starts, absent = np.repeat(first, sizes) + np.arange(offsets[-1]) * _ELEMENT_BYTES, None
    else:
        starts, absent = _elements(data, begins + _HEADER_BYTES, sizes)
    numbers = _read(data, _NUMBERS[number], starts)
    return pa.ListArray.from_arrays(
        pa.array(offsets.astype(np.int32)), pa.array(numbers, number, mask=absent)
    )


def _elements(data: _Bytes, positions: Integers, sizes: Integers) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Return where the number of each element begins, and whether it is null instead.

    Each element stands behind the one before it, so they are visited in turn, those of all arrays at once.
    """
    width = int(sizes.max(initial=0))
    starts = np.empty((width, sizes.size), np.int64)
    absent = np.empty((width, sizes.size), np.bool_)
    for number in range(width):
        # Behind the end of a shorter array, any number will do.
        np.less(_read(data, _LENGTH, positions), 0, out=absent[number])
        np.add(positions, _LENGTH_BYTES, out=starts[number])
        positions = np.where(absent[number], starts[number], starts[number] + _NUMBER_BYTES)
    has_element = np.arange(width) < sizes[:, None]
    return starts.T[has_element], absent.T[has_element]


def _read(data: _Bytes, number: str, positions: Integers) -> npt.NDArray[Any]:
    """Return the numbers that begin at these positions of bytes; behind the last one, that one again."""
    dtype = np.dtype(number)
    count = max(0, data.size - dtype.itemsize + 1)
    numbers: npt.NDArray[Any] = np.ndarray((count,), dtype, data, strides=(1,))
    read = numbers[np.minimum(positions, count - 1)] if count else np.zeros(positions.size, dtype)
    return read.astype(dtype.newbyteorder("="))


def _bounds(arrays: pa.BinaryArray) -> Integers:
    """Return where the bytes of each array begin, and where the last one ends."""
    offsets = np.frombuffer(arrays.buffers()[1], np.int32)
    return offsets[arrays.offset : arrays.offset + len(arrays) + 1].astype(np.int64)


def _data(arrays: pa.BinaryArray) -> _Bytes:
    data = arrays.buffers()[2]
    return np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
