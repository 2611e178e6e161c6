"""A report that is one document rather than a table: its only cell is the file."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd


def write(frames: Iterator[pd.DataFrame]) -> Iterator[bytes]:
    """Yield the document."""
    for frame in frames:
        yield from frame["document"]
