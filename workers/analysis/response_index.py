"""Where the responses to an item are in a chunk of attempts.

The responses of an attempt are a list in the order of its question set. Flattened, a chunk is one long
array, and a response is at the start of its attempt plus the offset of the item in the attempt's question
set. Most attempts share a question set, so offsets are computed once for each set and gathered for all
attempts at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ChunkQuestionSets:
    """The question sets of a chunk: each distinct id once, and for each attempt an index into these."""

    ids: list[int]
    of_attempt: Integers

    @classmethod
    def of(cls, question_set_ids: pa.Array) -> Self:
        """Return the question sets of a chunk from its column ``question_set_id``."""
        encoded = question_set_ids.dictionary_encode()
        return cls(encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64))


@dataclass(frozen=True)
class ItemPositions:
    """The responses to one item in a chunk, an element for each attempt.

    ``positions`` index the flat response arrays; null if the attempt's question set lacks the item. ``codes``
    are the codes of the versions in the attempts' question sets; -1 if the set lacks the item.
    """

    positions: pa.Array
    codes: Integers

    def take(self, responses: pa.Array) -> pa.Array:
        """Return each attempt's element of a flat response array, null if its set lacks the item."""
        return responses.take(self.positions)


class ResponseIndex:
    """The positions of the responses in one chunk.

    ``codes`` holds for each of ``question_sets.ids`` the codes of its item versions, in the order of the
    response lists. ``columns`` maps a code to the column of its item; -1 for an item without one. ``lengths``
    are the lengths of the attempts' response lists.

    Raises ValueError if an attempt has more or fewer responses than its question set has questions.
    """

    def __init__(
        self,
        question_sets: ChunkQuestionSets,
        codes: Sequence[Sequence[int]],
        columns: Sequence[int],
        lengths: Integers,
    ) -> None:
        sizes = np.array([len(question_set) for question_set in codes], dtype=np.int64)
        if not np.array_equal(sizes[question_sets.of_attempt], lengths):
            raise ValueError("an attempt has more or fewer responses than its question set has questions")
        self._set_of_attempt = question_sets.of_attempt
        self._attempt_starts = np.cumsum(lengths) - lengths
        self._set_starts = np.cumsum(sizes) - sizes
        self._codes = np.array([code for question_set in codes for code in question_set], dtype=np.int64)
        self._offsets = self._offset_table(np.asarray(columns, dtype=np.int64), sizes)

    def _offset_table(self, columns: Integers, sizes: Integers) -> npt.NDArray[np.int32]:
        """Return for each column and question set the item's offset in the set, -1 if the set lacks it."""
        column = columns[self._codes]
        question_set = np.repeat(np.arange(sizes.size), sizes)
        offset = np.arange(self._codes.size) - self._set_starts[question_set]
        has_column = column >= 0
        table = np.full((int(columns.max(initial=-1)) + 1, sizes.size), -1, dtype=np.int32)
        table[column[has_column], question_set[has_column]] = offset[has_column]
        return table

    def positions(self, column: int) -> ItemPositions:
        """Return where each attempt's response to the item of a column is."""
        if column >= len(self._offsets):
            absent = np.full(self._set_of_attempt.size, -1, dtype=np.int64)
            return ItemPositions(pa.nulls(absent.size, pa.int64()), absent)
        offsets = self._offsets[column].astype(np.int64)
        present = offsets >= 0
        codes = np.full(offsets.size, -1, dtype=np.int64)
        codes[present] = self._codes[self._set_starts[present] + offsets[present]]
        offset = offsets[self._set_of_attempt]
        positions = pa.array(self._attempt_starts + offset, mask=offset < 0)
        return ItemPositions(positions, codes[self._set_of_attempt])
