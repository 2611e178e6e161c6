"""A report that is one document rather than a table: its cells are the parts of the file."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd


def write(frames: Iterator[pd.DataFrame]) -> Iterator[bytes]:
    """Yield the parts of the document."""
    for frame in frames:
        yield from frame["document"]
