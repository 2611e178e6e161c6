"""Where the responses to a question stand in a chunk of attempts.

An attempt's responses are one list in the order of its form. Laid flat, a chunk is one long array, and a
question is found in it by the attempt's beginning plus the question's slot in the attempt's form. Most
attempts share a form, so slots are worked out once a form and gathered for all attempts at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ChunkForms:
    """The forms of a chunk: each distinct form id once, and for each attempt the index of its form there."""

    ids: list[int]
    of_attempt: Integers

    @classmethod
    def of(cls, form_ids: pa.Array) -> Self:
        """Return the forms of a chunk from its column ``form_id``."""
        encoded = form_ids.dictionary_encode()
        return cls(encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64))


@dataclass(frozen=True)
class Places:
    """One question in a chunk of attempts.

    ``positions`` point into the flat response arrays, null where an attempt's form lacks the question;
    ``items`` are the codes of the versions that the attempts had, -1 there.
    """

    positions: pa.Array
    items: Integers

    def take(self, responses: pa.Array) -> pa.Array:
        """Return each attempt's element of a flat response array, null where its form lacks the question."""
        return responses.take(self.positions)


class Layout:
    """The places of the questions in one chunk.

    Each form is given as item codes (an item is a version of a question) in the order of its response
    arrays, aligned with ``forms.ids``. ``columns`` maps an item code to its question's column; -1 is an
    item of no interest. ``lengths`` are the lengths of the attempts' response lists.

    Raises ValueError where an attempt has not as many responses as its form has questions.
    """

    def __init__(
        self, forms: ChunkForms, coded: Sequence[Sequence[int]], columns: Sequence[int], lengths: Integers
    ) -> None:
        sizes = np.array([len(form) for form in coded], dtype=np.int64)
        if not np.array_equal(sizes[forms.of_attempt], lengths):
            raise ValueError("an attempt has not as many responses as its form has questions")
        self._form_of_attempt = forms.of_attempt
        self._attempt_starts = np.cumsum(lengths) - lengths
        self._form_starts = np.cumsum(sizes) - sizes
        self._items = np.array([code for form in coded for code in form], dtype=np.int64)
        self._slots = self._slot_table(np.asarray(columns, dtype=np.int64), sizes)

    def _slot_table(self, columns: Integers, sizes: Integers) -> npt.NDArray[np.int32]:
        """Return for each column and form the question's index in that form, -1 where the form lacks it."""
        column = columns[self._items]
        form = np.repeat(np.arange(sizes.size), sizes)
        slot = np.arange(self._items.size) - self._form_starts[form]
        wanted = column >= 0
        table = np.full((int(columns.max(initial=-1)) + 1, sizes.size), -1, dtype=np.int32)
        table[column[wanted], form[wanted]] = slot[wanted]
        return table

    def places(self, column: int) -> Places:
        """Return where the question of a column stands in each attempt."""
        if column >= len(self._slots):
            nowhere = np.full(self._form_of_attempt.size, -1, dtype=np.int64)
            return Places(pa.nulls(nowhere.size, pa.int64()), nowhere)
        slots = self._slots[column].astype(np.int64)
        had = slots >= 0
        items = np.full(slots.size, -1, dtype=np.int64)
        items[had] = self._items[self._form_starts[had] + slots[had]]
        slot = slots[self._form_of_attempt]
        positions = pa.array(self._attempt_starts + slot, mask=slot < 0)
        return Places(positions, items[self._form_of_attempt])
