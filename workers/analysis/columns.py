"""The columns of a report: what each format needs to know of them, beside the frames."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import pandas as pd


class ColumnKind(StrEnum):
    """What the cells of a column are."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    TIME = "time"


@dataclass(frozen=True)
class Column:
    """One column of a report.

    Names may repeat, as those of the points do. ``question_id`` is that of the question whose responses
    (texts) or points (numbers) the column has. ``missing`` is the text that stands for a missing value; if it
    is None, the cell is null. ``meaning`` says in a sentence what the cells hold.
    """

    name: str
    kind: ColumnKind
    question_id: int | None = None
    missing: str | None = None
    meaning: str = ""


@dataclass(frozen=True)
class Table:
    """A report: its columns, and its rows as frames.

    A frame has the columns in their order and with their names. Texts are strings or Categoricals of strings,
    numbers floats, times in UTC; a value is missing as pandas says by ``isna``. ``supplements`` are further
    tables, by title, for formats that hold several; their frames are read after those of the report.
    """

    columns: Sequence[Column]
    frames: Iterator[pd.DataFrame]
    supplements: Mapping[str, "Table"] = field(default_factory=dict)


def frame_of(columns: Sequence[Column], values: Sequence[object]) -> pd.DataFrame:
    """Return a frame with a column of values for each column of a report, whose names may repeat."""
    frame = pd.DataFrame(dict(enumerate(values)), copy=False)
    frame.columns = pd.Index([column.name for column in columns], dtype=object)
    return frame
