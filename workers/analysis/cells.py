"""Frames as Python values, which formats with typed cells write, and which a frame of few rows holds."""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from workers.analysis.frames import Column, ColumnKind

Cell = Any
"""A str, int, float or, without a time zone, datetime; None for a missing value."""

FEW_ROWS: Final = 100
"""Up to so many rows, a call of pandas for each column takes longer than a step of Python for each cell."""

# The attribute of a frame that holds cells.
_HOLDS_CELLS: Final = "holds_cells"
_NO_TIME: Final = np.datetime64("NaT", "s")


def rows(columns: Sequence[Column], frame: pd.DataFrame) -> list[tuple[Cell, ...]]:
    """Return the rows of a frame; times are in UTC, cut to seconds.

    Raises ValueError for numbers that are not finite.

    >>> from workers.analysis.frames import frame_of
    >>> columns = [Column("id", ColumnKind.INTEGER), Column("1.0", ColumnKind.NUMBER, missing="")]
    >>> rows(columns, frame_of(columns, [[7, 8], [0.5, None]]))
    [(7, 0.5), (8, None)]
    """
    return list(zip(*by_column(columns, frame), strict=True))


def by_column(columns: Sequence[Column], frame: pd.DataFrame) -> list[list[Cell]]:
    """Return the cells of each column of a frame; raises as `rows` does."""
    if frame.attrs.get(_HOLDS_CELLS):
        cells: list[list[Cell]] = frame.to_numpy().T.tolist()
    else:
        cells = [cells_of(column, values) for column, (_, values) in zip(columns, frame.items(), strict=True)]
    for column, values in zip(columns, cells, strict=True):
        if column.kind is ColumnKind.NUMBER and not all(v is None or math.isfinite(v) for v in values):
            raise ValueError("a file contains finite numbers only")
    return cells


def cells_of(column: Column, values: pd.Series) -> list[Cell]:
    """Return a column of values as cells."""
    if column.kind is ColumnKind.TIME:
        times: list[Cell] = values.to_numpy("datetime64[s]", na_value=_NO_TIME).tolist()
        return times
    labels = values.array
    if isinstance(labels, pd.Categorical):
        of_code = np.array([*labels.categories, None], dtype=object)
        texts: list[Cell] = of_code[labels.codes].tolist()
        return texts
    if column.kind is ColumnKind.NUMBER:
        cells: list[Cell] = values.to_numpy(np.float64, na_value=np.nan).tolist()
    elif column.kind is ColumnKind.INTEGER:
        cells = values.to_numpy(np.int64, na_value=0).tolist()
    else:
        cells = values.to_numpy(object).tolist()
    missing = values.isna().to_numpy()
    if missing.any():
        return [None if absent else cell for cell, absent in zip(cells, missing, strict=True)]
    return cells


def frame_of_cells(columns: Sequence[Column], cells: Sequence[Sequence[Cell]]) -> pd.DataFrame:
    """Return columns of cells as a frame, which holds them as they are, in one block of objects.

    >>> columns = [Column("name", ColumnKind.TEXT), Column("score", ColumnKind.NUMBER)]
    >>> rows(columns, frame_of_cells(columns, [["Ann", "Ben"], [0.5, None]]))
    [('Ann', 0.5), ('Ben', None)]
    """
    block = np.empty((len(cells), len(cells[0])), dtype=object)
    block[:] = cells
    names = pd.Index([column.name for column in columns], dtype=object)
    frame = pd.DataFrame(block.T, columns=names, dtype=object, copy=False)
    frame.attrs[_HOLDS_CELLS] = True
    return frame
