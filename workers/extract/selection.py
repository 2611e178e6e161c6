"""The attempts that a report reads, and their chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

# About ten copies of a chunk exist on its way to the file: as it came, by columns, as texts, as bytes.
_CHUNK_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Selection:
    """The attempts of a report in row order, and their question sets in the order of first use.

    `sizes` are the bytes that the responses of each attempt take when they are read. `newest_first` holds the
    same question sets, those of the newest attempts first; `sent` are those that some attempt sent itself.
    `scores` are the points given, NaN for an attempt that is not graded; none if the report has no use for
    them in advance.
    """

    attempt_ids: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int32]
    question_set_ids: Sequence[int]
    newest_first: Sequence[int] = ()
    sent: frozenset[int] = frozenset()
    scores: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def chunks(self, most_attempts: int, most_bytes: int = _CHUNK_BYTES) -> list[slice]:
        """Split the attempts into chunks within both limits, but of at least one attempt each."""
        ends = np.cumsum(self.sizes, dtype=np.int64)
        parts: list[slice] = []
        while (start := parts[-1].stop if parts else 0) < len(ends):
            before = ends[start - 1] if start else 0
            fitting = int(np.searchsorted(ends, before + most_bytes, side="right"))
            parts.append(slice(start, max(start + 1, min(fitting, start + most_attempts))))
        return parts
