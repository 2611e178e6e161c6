"""Samples of numbers that are made part by part, so that millions take no more memory than some thousands.

Their sums have the same last digits as `np.sum` of all numbers at once. NumPy adds up in pairs: it halves an
array again and again, adds up the short arrays that remain, and then the sums of each two halves. The parts
of a sample are the halves of some ten thousand numbers.
Source: Higham, N. J. (1993), The accuracy of floating point summation, SIAM Journal on Scientific Computing
14, for adding up in pairs.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Any, Final, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)

# A part and what is computed from it fit into a processor's cache.
_MOST_AT_ONCE: Final = 2**14
# So few numbers are kept, a megabyte of them: they would be made several times.
_MOST_KEPT: Final = 2**17
# An index of so many numbers takes two bytes.
MOST_DISTINCT: Final = 2**16


class Sample:
    """Numbers that are made whenever they are needed; `made` gives all of them, in parts of any length.

    `ascending` gives them in ascending order, if that is known without sorting. None of them is NaN. The mean
    and the limits are those of one number or more.

    >>> totals = Sample(6, lambda: [np.array([2.0, 4.0, 0.0]), np.array([3.0, 4.0, 1.0])])
    >>> totals.sum, totals.least, totals.most, list(totals.parts())
    (14.0, 0.0, 4.0, [array([2., 4., 0., 3., 4., 1.])])
    """

    def __init__(
        self,
        size: int,
        made: Callable[[], Iterable[Floats]],
        ascending: Callable[[], Iterable[Floats]] | None = None,
    ) -> None:
        self.size = size
        self._made = made
        self._ascending = ascending
        self._kept: Sequence[Floats] | None = None

    @classmethod
    def of(cls, values: Floats | Sample) -> Sample:
        """Return numbers of an array as a sample, and a sample as it is."""
        return values if isinstance(values, Sample) else Sample(values.size, lambda: [values])

    def parts(self) -> Iterator[Floats]:
        """Yield the numbers in the parts that `pairwise_sum` takes; samples of one size have equal parts."""
        if self._kept is not None:
            return iter(self._kept)
        parts = in_equal_parts(self._made(), self.size)
        if self.size > _MOST_KEPT:
            return parts
        self._kept = list(parts)
        return iter(self._kept)

    def array(self) -> Floats:
        """Return the numbers in a new array, which takes eight bytes for each."""
        values = np.empty(self.size)
        end = 0
        for part in self.parts():
            begin, end = end, end + part.size
            values[begin:end] = part
        return values

    def ascending(self) -> Sample:
        """Return the numbers in ascending order; of many, the distinct ones are in memory."""
        if self._ascending is not None:
            return Sample(self.size, self._ascending)
        if self.size > _MOST_KEPT:
            tally = Tally()
            for part in self.parts():
                tally.add(part)
            return tally.ascending()
        values = self.array()
        values.sort()
        return Sample.of(values)

    def ranked(self, *indices: int) -> list[float]:
        """Return the numbers at these indices in ascending order.

        >>> Sample.of(np.array([2.0, 4.0, 0.0])).ranked(0, 2)
        [0.0, 4.0]
        """
        found: dict[int, float] = {}
        begin = 0
        for part in self.ascending().parts():
            found |= {
                index: float(part[index - begin]) for index in indices if 0 <= index - begin < part.size
            }
            begin += part.size
        return [found[index] for index in indices]

    @property
    def sum(self) -> float:
        """The sum of the numbers."""
        return self._sum_and_limits[0]

    @property
    def mean(self) -> float:
        """The mean of the numbers."""
        return self.sum / self.size

    @property
    def least(self) -> float:
        """The smallest number."""
        return self._sum_and_limits[1]

    @property
    def most(self) -> float:
        """The largest number."""
        return self._sum_and_limits[2]

    @property
    def varies(self) -> bool:
        """Whether there are two numbers that differ."""
        return self.size > 1 and self.least < self.most

    @property
    def width(self) -> float:
        """The largest deviation from the mean, 1.0 if the numbers do not vary."""
        return max(-(self.least - self.mean), self.most - self.mean) if self.varies else 1.0

    def scaled_deviations(self) -> Iterator[Floats]:
        """Yield the deviations from the mean divided by the largest of them, in parts.

        Equal numbers have deviations of exactly zero, although their computed mean may be off by a rounding.
        """
        mean, width = self.mean, self.width
        for part in self.parts():
            if self.varies:
                deviations = part - mean
                deviations /= width
                yield deviations
            else:
                yield np.zeros(part.size)

    @cached_property
    def scaled_squares(self) -> float:
        """The sum of the squares of the scaled deviations."""
        return pairwise_sum(map(np.square, self.scaled_deviations()), self.size)

    @cached_property
    def _sum_and_limits(self) -> tuple[float, float, float]:
        least, most = math.inf, -math.inf

        def seen() -> Iterator[Floats]:
            nonlocal least, most
            for part in self.parts():
                least, most = min(least, float(part.min())), max(most, float(part.max()))
                yield part

        return pairwise_sum(seen(), self.size), least, most


class Tally:
    """How often each number occurs, whatever their order; no number may be NaN, and -0.0 becomes 0.0.

    A distinct number takes sixteen bytes. Once there are more than `MOST_DISTINCT` of them, all are kept.
    Where it matters whose number is which, `compact.CompactFloats` keeps the order for two bytes a number.

    >>> minutes = Tally()
    >>> minutes.add(np.array([7.5, 3.0]))
    >>> minutes.add(np.array([3.0]))
    >>> minutes.ascending().array()
    array([3. , 3. , 7.5])
    """

    def __init__(self) -> None:
        self._values = np.empty(0)
        self._counts = np.empty(0, np.int64)
        self._all = array("d")

    def add(self, values: Floats) -> None:
        """Add numbers."""
        # Which of two zeros is kept must not depend on the order.
        values = values + 0.0
        if self._all:
            self._all.frombytes(values.tobytes())
            return
        rows, added = pd.factorize(values)
        counts = np.concatenate([self._counts, np.bincount(rows, minlength=added.size)])
        rows, self._values = pd.factorize(np.concatenate([self._values, added]))
        self._counts = np.bincount(rows, counts, self._values.size).astype(np.int64)
        if self._values.size > MOST_DISTINCT:
            for part in self._parts():
                self._all.frombytes(part.tobytes())
            self._values, self._counts = np.empty(0), np.empty(0, np.int64)

    def ascending(self) -> Sample:
        """Return the numbers in ascending order; no more of them can be added."""
        if self._all:
            values = np.frombuffer(self._all)
            values.sort()
            return Sample(values.size, lambda: [values], ascending=lambda: [values])
        order = np.argsort(self._values)
        self._values, self._counts = self._values[order], self._counts[order]
        return Sample(int(self._counts.sum()), self._parts, ascending=self._parts)

    def _parts(self) -> Iterator[Floats]:
        ends = np.cumsum(self._counts)
        for part in slices(int(self._counts.sum())):
            within = np.concatenate([[part.start], np.clip(ends, part.start, part.stop)])
            yield np.repeat(self._values, within[1:] - within[:-1])


Numbers = Floats | Sample
"""An array or a sample."""


class Sliceable(Protocol):
    """Numbers that can be read by slices, as those of an array."""

    @property
    def size(self) -> int:
        """How many there are."""

    def __getitem__(self, key: Any, /) -> Floats:
        """Return the numbers at a slice."""


def slices(size: int) -> Iterator[slice]:
    """Yield slices of limited length of an array of this size."""
    for begin in range(0, size, _MOST_AT_ONCE):
        yield slice(begin, min(begin + _MOST_AT_ONCE, size))


def where(values: npt.NDArray[Scalar], mask: npt.NDArray[np.bool_]) -> npt.NDArray[Scalar]:
    """Return the values where a mask is set, without a copy if it is set everywhere."""
    return values if mask.all() else values[mask]


def masked(
    size: int, values: Callable[[slice], Floats], mask: Callable[[slice], npt.NDArray[np.bool_]]
) -> Sample:
    """Return as a sample those of many numbers for which a mask is set; both are given by slices of them."""
    parts = list(slices(size))
    return Sample(
        sum(int(np.count_nonzero(mask(part))) for part in parts),
        lambda: (where(values(part), mask(part)) for part in parts),
    )


def known(values: Sliceable | Sample) -> Sample:
    """Return the numbers that are not NaN; those of a sample never are."""
    if isinstance(values, Sample):
        return values
    return masked(values.size, values.__getitem__, lambda part: ~np.isnan(values[part]))


def in_equal_parts(made: Iterable[npt.NDArray[Scalar]], size: int) -> Iterator[npt.NDArray[Scalar]]:
    """Yield an array that comes in parts of any length in the parts of a sample of this size."""
    parts = (part for part in made if part.size)
    rest: npt.NDArray[Scalar] | None = None
    for length in _lengths(size):
        pieces: list[npt.NDArray[Scalar]] = []
        missing = length
        while missing:
            rest = next(parts) if rest is None else rest
            pieces.append(rest[:missing])
            rest = rest[missing:] if rest.size > missing else None
            missing -= pieces[-1].size
        yield pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def pairwise_sum(parts: Iterable[Floats], size: int) -> float:
    """Return the sum of numbers that come in the parts of a sample of this size.

    >>> thirds = np.full(100_000, 1 / 3)
    >>> pairwise_sum(Sample.of(thirds).parts(), 100_000) == float(thirds.sum())
    True
    """
    return _added_up((float(part.sum()) for part in parts), size)


def _added_up(sums: Iterator[float], size: int) -> float:
    if size <= _MOST_AT_ONCE:
        return next(sums, 0.0)
    half = _half(size)
    return _added_up(sums, half) + _added_up(sums, size - half)


@lru_cache
def _lengths(size: int) -> Sequence[int]:
    """Return the lengths of the parts."""
    if size <= _MOST_AT_ONCE:
        return [size] if size else []
    half = _half(size)
    return [*_lengths(half), *_lengths(size - half)]


def _half(size: int) -> int:
    """Return how many numbers NumPy takes as the first half: its loops take eight at a time."""
    return size // 2 - size // 2 % 8
