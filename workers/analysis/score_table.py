"""The scores of all respondents on all items, gathered chunk by chunk in some bits a response.

A response is kept as a code: a number, for each item, of a combination of chosen option, points and outcome.
An item has few of these: three bits are enough for the codes of five options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from workers.analysis.samples import Sample, in_equal_parts, where

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.unsignedinteger]

NOT_SHOWN: Final = 0

# The outcome of a response is the ASCII code of a letter, in capitals if the respondent gave an answer.
_UNGRADED: Final = ord("U")
_OUTCOMES: Final = 128

# The codes of so few respondents are kept as bytes, since it takes time to pack them.
_MOST_AS_BYTES: Final = 2**17

# No option was chosen.
NO_OPTION: Final = -1

_Key = tuple[int, float, int]


Mask = Callable[[slice, Codes], npt.NDArray[np.bool_]]


class ChunkCodes:
    """The codes of a chunk of respondents, in an array with a row for each item."""

    def __init__(self, codes: Codes) -> None:
        self.respondents = codes.shape[1]
        self._rows: Sequence[Codes | bytes] = list(codes)
        self._dtype = codes.dtype

    def pack(self) -> None:
        """Keep of each item's codes the bits that they need; a byte holds those of eight respondents."""
        self._rows = [row if isinstance(row, bytes) else _packed(row) for row in self._rows]

    def item(self, item: int) -> Codes:
        """Return the codes of an item."""
        row = self._rows[item]
        return _unpacked(row, self.respondents, self._dtype) if isinstance(row, bytes) else row


@dataclass(frozen=True)
class ItemScores:
    """The responses to one item, in the order of the respondents.

    `codes` holds the combination of each response, in parts. By code, `option_id_of` holds the id of the
    chosen option (-1 if there is none), `score_of` the points given, and `outcome_of` the outcome (0 if the
    item was not shown). What needs all responses goes through their parts, since there may be millions.
    """

    codes: Sequence[Codes]
    option_id_of: npt.NDArray[np.int64]
    score_of: Floats
    outcome_of: npt.NDArray[np.uint8]

    @cached_property
    def count_of(self) -> npt.NDArray[np.int64]:
        """The number of responses of each code."""
        counts = np.zeros(self.outcome_of.size, np.int64)
        for codes in self.codes:
            counts += np.bincount(codes, minlength=counts.size)
        return counts

    @cached_property
    def is_answered(self) -> npt.NDArray[np.bool_]:
        """By code, whether the respondent gave an answer."""
        return (self.outcome_of >= ord("A")) & (self.outcome_of <= ord("Z"))

    @cached_property
    def is_graded(self) -> npt.NDArray[np.bool_]:
        """By code, whether a response counts in the figures; one that was left blank does."""
        is_graded: npt.NDArray[np.bool_] = (self.outcome_of != NOT_SHOWN) & (self.outcome_of != _UNGRADED)
        return is_graded

    @property
    def shown(self) -> int:
        """How many respondents were shown the item."""
        return int(self.count_of.sum() - self.count_of[NOT_SHOWN])

    @property
    def answered(self) -> int:
        """How many respondents gave an answer."""
        return int(self.count_of[self.is_answered].sum())

    @property
    def graded(self) -> int:
        """How many responses count in the figures."""
        return int(self.count_of[self.is_graded].sum())

    def parts(self) -> Iterator[tuple[slice, Codes]]:
        """Yield the codes of successive respondents, and which respondents these are."""
        end = 0
        for codes in self.codes:
            begin, end = end, end + codes.size
            yield slice(begin, end), codes

    @cached_property
    def scores(self) -> Sample:
        """The points of the graded responses."""
        return Sample(self.graded, self._scores, self._ascending_scores)

    def sample(self, size: int, values: Callable[[slice, Codes], Floats], mask: Mask | None = None) -> Sample:
        """Return a number of each respondent, or of those for whom a mask is set; `size` is how many."""
        if mask is None:
            return Sample(size, lambda: (values(part, codes) for part, codes in self.parts()))
        return Sample(
            size, lambda: (where(values(part, codes), mask(part, codes)) for part, codes in self.parts())
        )

    def count(self, mask: Mask) -> int:
        """Return for how many respondents a mask is set."""
        return sum(int(np.count_nonzero(mask(part, codes))) for part, codes in self.parts())

    def _scores(self) -> Iterator[Floats]:
        all_are_graded = self.is_graded[self.count_of > 0].all()
        for codes in self.codes:
            yield self.score_of[codes if all_are_graded else codes[self.is_graded[codes]]]

    def _ascending_scores(self) -> Iterator[Floats]:
        graded = np.flatnonzero(self.is_graded)
        for code in graded[np.argsort(self.score_of[graded])].tolist():
            # However many there are, they take the memory of one.
            yield np.broadcast_to(self.score_of[code], int(self.count_of[code]))


class ScoreTable:
    """The responses to a number of items.

    `on_item` is called when the responses to an item are asked for; those of many respondents take a while.

    >>> table = ScoreTable(1)
    >>> responses = {"respondent": [0, 1], "item": [0, 0], "answer_id": [11, 12], "points": [1.0, 0.0]}
    >>> table.add(2, pd.DataFrame(responses | {"outcome": list(b"CI")}))
    >>> table.item(0).scores.sum
    1.0
    """

    def __init__(self, items: int, on_item: Callable[[], None] | None = None) -> None:
        self._on_item = on_item
        # For each item the combinations, by code; the first code is for respondents who lack the item.
        self._codes: list[dict[_Key, int]] = [{} for _ in range(items)]
        self.chunks: list[ChunkCodes] = []
        self.respondents = 0

    def add(self, respondents: int, responses: pd.DataFrame) -> None:
        """Add a chunk of respondents, numbered from 0, with a row for each response.

        The columns are `respondent`, `item` (an index), `answer_id` (-1 if no option was chosen), `points`
        (NaN if none were given) and `outcome`.
        """
        group, keys = _combinations(responses)
        codes = np.array([NOT_SHOWN, *(self._code(item, key) for item, key in keys)])
        chunk = np.zeros((len(self._codes), respondents), dtype=np.min_scalar_type(int(codes.max())))
        chunk[responses["item"].to_numpy(), responses["respondent"].to_numpy()] = codes[1 + group]
        self.chunks.append(ChunkCodes(chunk))
        self.respondents += respondents
        if self.respondents > _MOST_AS_BYTES:
            self.chunks[-1].pack()

    def item(self, item: int) -> ItemScores:
        """Return the responses to an item."""
        if self._on_item is not None:
            self._on_item()
        keys = list(self._codes[item])
        answer_ids, points, outcomes = zip(*keys, strict=True) if keys else ((), (), ())
        return ItemScores(
            list(in_equal_parts((chunk.item(item) for chunk in self.chunks), self.respondents)),
            option_id_of=np.array([NO_OPTION, *answer_ids], np.int64),
            score_of=np.array([0.0, *points]),
            outcome_of=np.array([NOT_SHOWN, *outcomes], np.uint8),
        )

    def _code(self, item: int, key: _Key) -> int:
        return self._codes[item].setdefault(key, len(self._codes[item]) + 1)


def _packed(codes: Codes) -> bytes:
    """Return the bits of codes: the lowest bit of each of them, then the next one of each, and so on."""
    bits = int(codes.max(initial=0)).bit_length()
    return b"".join(np.packbits((codes >> bit & 1).astype(np.bool_)).tobytes() for bit in range(bits))


def _unpacked(packed: bytes, size: int, dtype: np.dtype[np.unsignedinteger]) -> Codes:
    """Return so many codes of their bits."""
    codes = np.zeros(size, dtype)
    length = -(-size // 8)
    for bit, begin in enumerate(range(0, len(packed), length or 1)):
        codes |= (
            np.unpackbits(np.frombuffer(packed, np.uint8, length, begin), count=size).astype(dtype) << bit
        )
    return codes


def _combinations(responses: pd.DataFrame) -> tuple[npt.NDArray[np.int64], list[tuple[int, _Key]]]:
    """Return for each response the number of its combination, and the combinations with their items.

    The columns are combined into one integer, because grouping by four columns takes ten times as long.
    """
    answer, answer_ids = pd.factorize(responses["answer_id"].to_numpy())
    given, points = pd.factorize(responses["points"].fillna(0.0).to_numpy() + 0.0)
    key = responses["item"].to_numpy().astype(np.int64)
    for part, size in ((answer, answer_ids.size), (given, points.size), (responses["outcome"], _OUTCOMES)):
        key = key * size + np.asarray(part)
    group, keys = pd.factorize(key)
    keys, outcome = np.divmod(keys, _OUTCOMES)
    keys, given = np.divmod(keys, max(1, points.size))
    item, answer = np.divmod(keys, max(1, answer_ids.size))
    combinations = zip(answer_ids[answer].tolist(), points[given].tolist(), outcome.tolist(), strict=True)
    return group, list(zip(item.tolist(), combinations, strict=True))
