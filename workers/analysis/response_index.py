"""Where the responses to a question stand in a chunk of attempts.

An attempt's responses are one list in the order of its question set. Laid flat, a chunk is one long array,
and a question is found in it by the attempt's beginning plus the question's slot in the attempt's question
set. Most attempts share a question set, so slots are worked out once a question set and gathered for all
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
    """The question sets of a chunk: each distinct id once, and for each attempt its index there."""

    ids: list[int]
    of_attempt: Integers

    @classmethod
    def of(cls, question_set_ids: pa.Array) -> Self:
        """Return the question sets of a chunk from its column ``question_set_id``."""
        encoded = question_set_ids.dictionary_encode()
        return cls(encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64))


@dataclass(frozen=True)
class Places:
    """One question in a chunk of attempts.

    ``positions`` point into the flat response arrays, null where the attempt's set lacks the question;
    ``items`` are the codes of the versions that the attempts had, -1 there.
    """

    positions: pa.Array
    items: Integers

    def take(self, responses: pa.Array) -> pa.Array:
        """Return each attempt's element of a flat response array, null where its set lacks the question."""
        return responses.take(self.positions)


class Layout:
    """The places of the questions in one chunk.

    Each form is given as item codes (an item is a version of a question) in the order of its response
    arrays, aligned with ``question_sets.ids``. ``columns`` maps an item code to its column; -1 is an
    item of no interest. ``lengths`` are the lengths of the attempts' response lists.

    Raises ValueError where an attempt has not as many responses as its form has questions.
    """

    def __init__(
        self,
        question_sets: ChunkQuestionSets,
        coded: Sequence[Sequence[int]],
        columns: Sequence[int],
        lengths: Integers,
    ) -> None:
        sizes = np.array([len(question_set) for question_set in coded], dtype=np.int64)
        if not np.array_equal(sizes[question_sets.of_attempt], lengths):
            raise ValueError("an attempt has not as many responses as its form has questions")
        self._set_of_attempt = question_sets.of_attempt
        self._attempt_starts = np.cumsum(lengths) - lengths
        self._set_starts = np.cumsum(sizes) - sizes
        self._items = np.array([code for question_set in coded for code in question_set], dtype=np.int64)
        self._columns = self._slot_table(np.asarray(columns, dtype=np.int64), sizes)

    def _slot_table(self, columns: Integers, sizes: Integers) -> npt.NDArray[np.int32]:
        """Return for each column and question set the question's index in the set, -1 where it lacks it."""
        column = columns[self._items]
        question_set = np.repeat(np.arange(sizes.size), sizes)
        slot = np.arange(self._items.size) - self._set_starts[question_set]
        wanted = column >= 0
        table = np.full((int(columns.max(initial=-1)) + 1, sizes.size), -1, dtype=np.int32)
        table[column[wanted], question_set[wanted]] = slot[wanted]
        return table

    def places(self, column: int) -> Places:
        """Return where the question of a column stands in each attempt."""
        if column >= len(self._columns):
            nowhere = np.full(self._set_of_attempt.size, -1, dtype=np.int64)
            return Places(pa.nulls(nowhere.size, pa.int64()), nowhere)
        slots = self._columns[column].astype(np.int64)
        had = slots >= 0
        items = np.full(slots.size, -1, dtype=np.int64)
        items[had] = self._items[self._set_starts[had] + slots[had]]
        slot = slots[self._set_of_attempt]
        positions = pa.array(self._attempt_starts + slot, mask=slot < 0)
        return Places(positions, items[self._set_of_attempt])
