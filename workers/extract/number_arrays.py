"""Arrays of numbers in PostgreSQL's binary format, decoded for a chunk at once.

Each of them is a header and, for each element, its length and its number; all of them take words of 32 bits.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workers.analysis.frames import Integers

_Words = npt.NDArray[np.int32]

_WORD_BYTES, _SIZE_AT, _HEADER_WORDS, _ELEMENT_WORDS = 4, 3, 5, 3
_LENGTH: Final = ">i4"
# The lengths of a number and of null, as this machine reads them.
_NUMBER, _NULL = np.array([8, -1], _LENGTH).view(np.int32)
_NUMBERS: Final = {pa.int64(): ">i8", pa.float64(): ">f8"}


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
        elements = _elements(words, bounds, sizes)
        absent = words[elements] == _NULL
    numbers = _numbers(words, elements + 1, _NUMBERS[number])
    return pa.ListArray.from_arrays(
        pa.array(offsets.astype(np.int32)), pa.array(numbers, number, mask=absent)
    )


def _elements(words: _Words, bounds: Integers, sizes: Integers) -> Integers:
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
