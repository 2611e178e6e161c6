"""The arrays of an attempt that are read as bytes, decoded for a chunk at once.

The ADBC driver appends arrays element by element, which took half of the time that it needs for an attempt.
So they are read as the bytes of PostgreSQL's binary format, which `array_send` makes: 32 bits each for the
number of dimensions, whether elements are null, their type, the size and the first index, then for each
element its length in 32 bits, -1 for null, and its bytes, all in network order.

An array of numbers takes words of 32 bits, and its elements are found among the words. The elements of an
array of texts begin at any byte, so they are visited one behind the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workers.analysis.frames import Integers

ARRAYS: Final[Mapping[str, pa.DataType]] = {
    "answer_ids": pa.int64(),
    "points": pa.float64(),
    "selections": pa.string(),
}
"""The columns of attempts that are read as bytes, with the types of their elements.

The `texts` are not: they are long, and to copy them together would cost what that saves.
"""


_Words = npt.NDArray[np.int32]

_LENGTH: Final = ">i4"
# Of words of 32 bits, and of bytes.
_WORD_BYTES, _SIZE_AT, _HEADER_WORDS, _ELEMENT_WORDS = 4, 3, 5, 3
_HEADER_BYTES, _SIZE_AT_BYTE, _LENGTH_BYTES = 20, 12, 4
# The lengths of a number and of null, as this machine reads them.
_NUMBER, _NULL = np.array([8, -1], _LENGTH).view(np.int32)
_NUMBERS: Final = {pa.int64(): ">i8", pa.float64(): ">f8"}


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


def number_lists(arrays: pa.BinaryArray, number: pa.DataType) -> pa.ListArray:
    """Return arrays of int64 or float64, in their binary format, as lists; none of the arrays is null.

    >>> one_and_null = bytes.fromhex("00000001 00000001 00000014 00000002 00000001 00000008") + bytes(7)
    >>> arrays = pa.array([one_and_null + bytes.fromhex("01 ffffffff")])
    >>> number_lists(arrays, pa.int64()).to_pylist()
    [[1, None]]
    """
    bounds, words = _words(arrays)
    begins, ends = bounds[:-1], bounds[1:]
    # An empty array has no dimension: it ends where a size would stand.
    filled = ends - begins >= _HEADER_WORDS
    sizes = np.zeros(len(arrays), np.int64)
    sizes[filled] = words.view(_LENGTH)[begins[filled] + _SIZE_AT]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    if (ends - begins)[filled].sum() == filled.sum() * _HEADER_WORDS + offsets[-1] * _ELEMENT_WORDS:
        # Without nulls, elements stand at equal distances.
        first = begins + _HEADER_WORDS - offsets[:-1] * _ELEMENT_WORDS
        elements, absent = np.repeat(first, sizes) + np.arange(offsets[-1]) * _ELEMENT_WORDS, None
    else:
        elements = _number_elements(words, bounds, sizes)
        absent = words[elements] == _NULL
    numbers = _numbers(words, elements + 1, _NUMBERS[number])
    return pa.ListArray.from_arrays(
        pa.array(offsets.astype(np.int32)), pa.array(numbers, number, mask=absent)
    )


def _number_elements(words: _Words, bounds: Integers, sizes: Integers) -> Integers:
    """Return where the length of each element is.

    Each of them is 8 or -1. If an array has as many such words as elements, these are the lengths; but a
    number may consist of such words as well.
    """
    may_be_length = (words == _NUMBER) | (words == _NULL)
    begins = bounds[:-1]
    # A null has no words. The last header may be shorter, and end with the words.
    has_words = begins < bounds[1:]
    begins, lasts = begins[has_words], bounds[1:][has_words] - 1
    for word in range(_HEADER_WORDS):
        may_be_length[np.minimum(begins + word, lasts)] = False
    found = np.flatnonzero(may_be_length)
    if np.array_equal(np.diff(np.searchsorted(found, bounds)), sizes):
        return found
    return _elements_in_turn(words, bounds[:-1] + _HEADER_WORDS, sizes)


def _elements_in_turn(words: _Words, positions: Integers, sizes: Integers) -> Integers:
    """Return where the length of each element is, of arrays whose first elements are at these positions.

    Each element stands behind the one before it, so they are visited in turn, those of all arrays at once.
    """
    width = int(sizes.max(initial=0))
    elements = np.empty((width, sizes.size), np.int64)
    for number in range(width):
        elements[number] = positions
        # Behind the end of a shorter array, any word will do.
        is_null = words[np.minimum(positions, words.size - 1)] == _NULL
        positions = positions + np.where(is_null, 1, _ELEMENT_WORDS)
    in_order: Integers = elements.T[np.arange(width) < sizes[:, None]]
    return in_order


def _numbers(words: _Words, positions: Integers, number: str) -> npt.NDArray[Any]:
    """Return the numbers that begin at these words; behind the last one, that one again."""
    count = max(0, words.size - 1)
    numbers: npt.NDArray[Any] = np.ndarray((count,), number, words, strides=(_WORD_BYTES,))
    read = numbers[np.minimum(positions, count - 1)] if count else np.zeros(positions.size, number)
    return read.astype(read.dtype.newbyteorder("="))


def _words(arrays: pa.BinaryArray) -> tuple[Integers, _Words]:
    """Return the words of arrays, and where each array begins, and the last one ends, in them."""
    offsets = np.frombuffer(arrays.buffers()[1], np.int32)
    bounds = offsets[arrays.offset : arrays.offset + len(arrays) + 1].astype(np.int64)
    data = arrays.buffers()[2]
    if data is None:
        return bounds, np.empty(0, np.int32)
    words = np.frombuffer(data, np.int32, (bounds[-1] - bounds[0]) // _WORD_BYTES, bounds[0])
    return (bounds - bounds[0]) // _WORD_BYTES, words


def text_lists(arrays: pa.BinaryArray) -> pa.ListArray:
    """Return arrays of texts, in their binary format, as lists; none of the arrays is null.

    >>> hi_and_null = bytes.fromhex("00000001 00000001 00000019 00000002 00000001 00000002") + b"Hi"
    >>> text_lists(pa.array([hi_and_null + bytes.fromhex("ffffffff")])).to_pylist()
    [['Hi', None]]
    """
    bounds = np.frombuffer(arrays.buffers()[1], np.int32)[arrays.offset :][: len(arrays) + 1].astype(np.int64)
    data = arrays.buffers()[2] or pa.py_buffer(bytes(_LENGTH_BYTES))
    sizes, begins, lengths = _text_elements(data, bounds)
    # The bytes are cut where a text begins and where it ends, so that every other piece is a text.
    cuts = np.stack([begins, begins + np.maximum(lengths, 0)], axis=1).astype(np.int32).ravel()
    pieces = pa.StringArray.from_buffers(max(0, cuts.size - 1), pa.py_buffer(cuts), data)
    texts = pieces.take(pa.array(np.arange(0, cuts.size, 2), mask=lengths < 0))
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), texts)


def _text_elements(data: pa.Buffer, bounds: Integers) -> tuple[Integers, Integers, Integers]:
    """Return the size of each array, and where each element begins and its length, -1 for null.

    Each element stands behind the one before it, so they are visited in turn, those of all arrays at once.
    """
    last = data.size - _LENGTH_BYTES
    # Lengths stand at any byte, behind texts of any length.
    words = np.ndarray((last + 1,), _LENGTH, data, strides=(1,))
    positions = bounds[:-1] + _HEADER_BYTES
    # An empty array has no dimension: it ends where a size would stand.
    filled = positions <= bounds[1:]
    sizes = np.zeros(len(positions), np.int64)
    sizes[filled] = words[bounds[:-1][filled] + _SIZE_AT_BYTE]
    width = int(sizes.max(initial=0))
    begins, lengths = np.empty((2, width, len(sizes)), np.int64)
    for number in range(width):
        # Behind the end of a shorter array, any length will do.
        lengths[number] = words[np.minimum(positions, last)]
        begins[number] = positions + _LENGTH_BYTES
        positions = begins[number] + np.maximum(lengths[number], 0)
    in_order = np.arange(width) < sizes[:, None]
    return sizes, begins.T[in_order], lengths.T[in_order]
