"""Numbers of all respondents, kept in little memory as long as few of them are distinct.

Millions of students have some hundred different scores, so a number is kept as the index of its value. Points
that are fractions may make a different score of each attempt; then the numbers themselves are kept.
"""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from workers.analysis.samples import MOST_DISTINCT, Sample, slices

Floats = npt.NDArray[np.float64]


class CompactFloats:
    """Numbers in the order in which they were added, read like an array; NaN is kept, -0.0 becomes 0.0.

    Each takes two bytes, or eight once there are more than `MOST_DISTINCT` different ones. Where the order
    does not matter, `samples.Tally` only counts them, which takes no memory for those that are equal.

    >>> scores = CompactFloats()
    >>> scores.add(np.array([1.0, 0.5, np.nan]))
    >>> scores.add(np.array([1.0]))
    >>> scores.size, scores[1:4]
    (4, array([0.5, nan, 1. ]))
    """

    def __init__(self) -> None:
        self._values = np.empty(0)
        # Arrays that grow in place; NumPy would copy them.
        self._codes = array("H")
        self._all = array("d")

    @property
    def size(self) -> int:
        """How many numbers were added."""
        return len(self._codes) or len(self._all)

    def add(self, values: Floats) -> None:
        """Add numbers at the end."""
        # Which of two zeros a figure shows must not depend on the order.
        values = values + 0.0
        if self._all:
            self._all.frombytes(values.tobytes())
            return
        # As integers of the same bits, which differ wherever two numbers do.
        of_value, bits = pd.factorize(values.view(np.int64))
        codes = pd.Index(self._values.view(np.int64)).get_indexer(pd.Index(bits))
        new = codes < 0
        if self._values.size + np.count_nonzero(new) > MOST_DISTINCT:
            self._spread()
            self._all.frombytes(values.tobytes())
            return
        codes[new] = np.arange(self._values.size, self._values.size + np.count_nonzero(new))
        self._values = np.concatenate([self._values, bits[new].view(np.float64)])
        self._codes.frombytes(codes[of_value].astype(np.uint16).tobytes())

    def __getitem__(self, key: Any) -> Floats:
        """Return the numbers at a slice, or at each of some indices, as a new array."""
        found: Floats
        if self._all:
            found = np.frombuffer(self._all)[key].copy()
        else:
            found = self._values[np.frombuffer(self._codes, np.uint16)[key]]
        return found

    @property
    def sample(self) -> Sample:
        """The numbers as a sample; none of them may be NaN."""
        return Sample(self.size, lambda: (self[part] for part in slices(self.size)))

    def _spread(self) -> None:
        for part in slices(self.size):
            self._all.frombytes(self._values[np.frombuffer(self._codes, np.uint16)[part]].tobytes())
        self._values, self._codes = np.empty(0), array("H")
