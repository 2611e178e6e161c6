"""The columns of a report: what each format needs to know of them, beside the frames."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import pandas as pd

Cell = int | float | str | None

# So many cells are turned into a frame at once, with about so many characters.
_CELLS_AT_ONCE: Final = 2**18
_CHARACTERS_AT_ONCE: Final = 2**23

# Longer texts are cut where they only help to recognize a row.
_MOST_CHARACTERS: Final = 200


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
    numbers floats, times in UTC; a value is missing as pandas says by ``isna``. A frame of few rows may be
    what `cells.frame_of_cells` returns. ``supplements`` are further tables, by title, for formats that hold
    several; their frames are read after those of the report.
    """

    columns: Sequence[Column]
    frames: Iterator[pd.DataFrame]
    supplements: Mapping[str, "Table"] = field(default_factory=dict)


def frame_of(columns: Sequence[Column], values: Sequence[object]) -> pd.DataFrame:
    """Return a frame with a column of values for each column of a report, whose names may repeat."""
    frame = pd.DataFrame(dict(enumerate(values)), copy=False)
    frame.columns = pd.Index([column.name for column in columns], dtype=object)
    return frame


_DTYPES: Final = {ColumnKind.INTEGER: "int64", ColumnKind.NUMBER: "float64", ColumnKind.TEXT: "str"}


def frame_of_rows(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> pd.DataFrame:
    """Return rows of cells as a frame; a column has integers, numbers or texts, and no times."""
    cells: list[Any] = [[row[n] for row in rows] for n in range(len(columns))]
    return frame_of(
        columns,
        [pd.array(part, dtype=_dtype(column, part)) for column, part in zip(columns, cells, strict=True)],
    )


def _dtype(column: Column, cells: Sequence[Cell]) -> Any:
    has_missing_integers = column.kind is ColumnKind.INTEGER and None in cells
    return "Int64" if has_missing_integers else _DTYPES[column.kind]


def frames_of(columns: Sequence[Column], rows: Iterator[Sequence[Cell]]) -> Iterator[pd.DataFrame]:
    """Yield such rows as frames of limited size, both in cells and in the characters of their texts."""
    size = max(1, _CELLS_AT_ONCE // len(columns))
    texts = [n for n, column in enumerate(columns) if column.kind is ColumnKind.TEXT]
    part: list[Sequence[Cell]] = []
    characters = 0
    for row in rows:
        part.append(row)
        characters += sum(len(str(row[n])) for n in texts)
        if len(part) == size or characters >= _CHARACTERS_AT_ONCE:
            yield frame_of_rows(columns, part)
            part, characters = [], 0
    if part:
        yield frame_of_rows(columns, part)


def shortened(text: str, most: int = _MOST_CHARACTERS) -> str:
    """Return a text of so many characters at most; an ellipsis stands for what is cut.

    >>> shortened("Which of these divide?", most=9)
    'Which of…'
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"
