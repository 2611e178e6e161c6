"""Where the responses to an item are in a chunk of attempts, and which options were chosen.

The responses of an attempt are a list in the order of its question set. Flattened, a chunk is one long
array, and a response is at the start of its attempt plus the offset of the item in the attempt's question
set. Most attempts share a question set, so offsets are computed once for each set and gathered for all
attempts and all items at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from workers.analysis.frames import Integers

_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True)
class ChunkQuestionSets:
    """The question sets of a chunk: each distinct id once, and for each attempt an index into these."""

    ids: tuple[int, ...]
    of_attempt: Integers

    @classmethod
    def of(cls, question_set_ids: pd.Series) -> Self:
        """Return the question sets of a chunk from its column ``question_set_id``."""
        of_attempt, ids = pd.factorize(question_set_ids.to_numpy(np.int64))
        return cls(tuple(ids.tolist()), of_attempt)


class ResponseIndex:
    """The positions of the responses in one chunk.

    ``question_sets`` holds for each of the chunk's question sets the codes of its item versions, in the order
    of the response lists, and ``of_attempt`` the index of each attempt's set. ``columns`` maps a code to the
    column of its item; -1 for an item without one. ``lengths`` are the lengths of the attempts' response
    lists.

    Raises ValueError if an attempt has more or fewer responses than its question set has questions.
    """

    def __init__(
        self,
        question_sets: Sequence[Sequence[int]],
        of_attempt: Integers,
        columns: Integers,
        lengths: Integers,
    ) -> None:
        sizes = np.array([len(question_set) for question_set in question_sets], dtype=np.int64)
        if not np.array_equal(sizes[of_attempt], lengths):
            raise ValueError("an attempt has more or fewer responses than its question set has questions")
        self._set_of_attempt = of_attempt
        self._lengths = lengths
        self._attempt_starts = np.cumsum(lengths) - lengths
        self._set_starts = np.cumsum(sizes) - sizes
        self._codes = np.array([code for codes in question_sets for code in codes], dtype=np.int64)
        self._offsets = self._offset_table(columns, sizes)

    @property
    def codes(self) -> Integers:
        """The code of the item version of each response, in the order of the flat response arrays."""
        begins = self._set_starts[self._set_of_attempt] - self._attempt_starts
        codes: Integers = self._codes[np.repeat(begins, self._lengths) + np.arange(self._lengths.sum())]
        return codes

    def positions(self, columns: int) -> Integers:
        """Return for each column and attempt the position of the response in the flat response arrays.

        The array has a row for each column of an item; -1 if the attempt's question set lacks the item.
        """
        positions = np.full((columns, self._set_of_attempt.size), -1, dtype=np.int64)
        offsets = self._offsets[:columns, self._set_of_attempt]
        np.add(offsets, self._attempt_starts, out=positions[: len(offsets)], where=offsets >= 0)
        return positions

    def _offset_table(self, columns: Integers, sizes: Integers) -> Integers:
        """Return for each column and question set the item's offset in the set, -1 if the set lacks it."""
        column = columns[self._codes]
        question_set = np.repeat(np.arange(sizes.size), sizes)
        offset = np.arange(self._codes.size) - self._set_starts[question_set]
        has_column = column >= 0
        table = np.full((int(columns.max(initial=-1)) + 1, sizes.size), -1, dtype=np.int64)
        table[column[has_column], question_set[has_column]] = offset[has_column]
        return table


class OptionIndex:
    """The options of items, found by the code of an item and the id of an option.

    ``options`` holds for each code the ids of its options. The options are numbered through, in this order;
    if an item has an id twice, the first one counts. One id may belong to several items.
    """

    def __init__(self, options: Sequence[Sequence[int]]) -> None:
        codes = np.repeat(np.arange(len(options)), [len(ids) for ids in options])
        option_ids = np.array([option_id for ids in options for option_id in ids], dtype=np.int64)
        ranks, distinct = pd.factorize(option_ids)
        pairs = pd.Series(codes * len(distinct) + ranks).drop_duplicates()
        self._ids = pd.Index(distinct)
        self._pairs = pd.Index(pairs)
        self._numbers = pairs.index.to_numpy()
        self._codes = padded(codes, -1)
        # Most ids belong to one item: the first option that has the id is the one that is meant.
        self._first = padded(np.flatnonzero(~pd.Series(ranks).duplicated().to_numpy()), -1)

    def find(self, codes: Integers, answer_ids: Integers) -> Integers:
        """Return the number of each chosen option, -1 if the item does not have it."""
        ranks = self._ids.get_indexer(pd.Index(answer_ids))
        numbers: Integers = self._first[ranks]
        others = np.flatnonzero((self._codes[numbers] != codes) & (ranks >= 0))
        if others.size:
            pairs = self._pairs.get_indexer(pd.Index(codes[others] * len(self._ids) + ranks[others]))
            numbers[others] = np.where(pairs >= 0, self._numbers[pairs], -1)
        return numbers


def padded(values: npt.NDArray[_Scalar], last: float) -> npt.NDArray[_Scalar]:
    """Return an array with one more element at its end, which the position -1 finds."""
    return np.append(values, values.dtype.type(last))
