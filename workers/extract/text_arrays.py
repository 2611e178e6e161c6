"""Arrays of texts in PostgreSQL's binary format, decoded for a chunk at once."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from workers.analysis.frames import Integers

_HEADER_BYTES: Final = 20
_SIZE_AT: Final = 12
_LENGTH_BYTES: Final = 4
_LENGTH: Final = ">i4"


def text_lists(arrays: pa.BinaryArray) -> pa.ListArray:
    """Return arrays of texts, in their binary format, as lists; none of the arrays is null.

    >>> hi_and_null = bytes.fromhex("00000001 00000001 00000019 00000002 00000001 00000002") + b"Hi"
    >>> text_lists(pa.array([hi_and_null + bytes.fromhex("ffffffff")])).to_pylist()
    [['Hi', None]]
    """
    bounds = np.frombuffer(arrays.buffers()[1], np.int32)[arrays.offset :][: len(arrays) + 1].astype(np.int64)
    data = arrays.buffers()[2] or pa.py_buffer(bytes(_LENGTH_BYTES))
    sizes, begins, lengths = _elements(data, bounds)
    # The bytes are cut where a text begins and where it ends, so that every other piece is a text.
    cuts = np.stack([begins, begins + np.maximum(lengths, 0)], axis=1).astype(np.int32).ravel()
    pieces = pa.StringArray.from_buffers(max(0, cuts.size - 1), pa.py_buffer(cuts), data)
    texts = pieces.take(pa.array(np.arange(0, cuts.size, 2), mask=lengths < 0))
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), texts)


def _elements(data: pa.Buffer, bounds: Integers) -> tuple[Integers, Integers, Integers]:
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
    sizes[filled] = words[bounds[:-1][filled] + _SIZE_AT]
    width = int(sizes.max(initial=0))
    begins, lengths = np.empty((2, width, len(sizes)), np.int64)
    for number in range(width):
        # Behind the end of a shorter array, any length will do.
        lengths[number] = words[np.minimum(positions, last)]
        begins[number] = positions + _LENGTH_BYTES
        positions = begins[number] + np.maximum(lengths[number], 0)
    in_order = np.arange(width) < sizes[:, None]
    return sizes, begins.T[in_order], lengths.T[in_order]
