"""A report that is one document rather than a table: its only cell is the file."""

from collections.abc import Iterator, Sequence

import pandas as pd

from workers.analysis.columns import Column


def write(
    columns: Sequence[Column], frames: Iterator[pd.DataFrame], *, guard_formulas: bool
) -> Iterator[bytes]:
    """Yield the document, whose cell is bytes; the formula guard is for tables."""
    del guard_formulas
    for frame in frames:
        yield bytes(frame[columns[0].name].iloc[0])
