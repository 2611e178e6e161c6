"""Frames as lists of Python values, for formats with typed cells."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from workers.analysis.columns import Column, ColumnKind

Cell = Any
"""A str, int, float or, without a time zone, datetime; None for a missing value."""


def rows(columns: Sequence[Column], frame: pd.DataFrame) -> list[tuple[Cell, ...]]:
    """Return the rows of a frame; times are in UTC, cut to seconds.

    Raises ValueError for numbers that are not finite.

    >>> from workers.analysis.columns import frame_of
    >>> columns = [Column("id", ColumnKind.INTEGER), Column("1.0", ColumnKind.NUMBER, missing="")]
    >>> rows(columns, frame_of(columns, [[7, 8], [0.5, None]]))
    [(7, 0.5), (8, None)]
    """
    values = [_VALUES[column.kind](cells) for column, (_, cells) in zip(columns, frame.items(), strict=True)]
    return list(zip(*values, strict=True))


def _texts(cells: pd.Series) -> list[Cell]:
    if isinstance(cells.dtype, pd.CategoricalDtype):
        labels = np.array([*cells.cat.categories, None], dtype=object)
        return list(labels[cells.cat.codes.to_numpy()])
    return list(cells.astype(object).where(cells.notna(), None))


def _integers(cells: pd.Series) -> list[Cell]:
    return _without_missing(cells, cells.to_numpy(np.int64, na_value=0).tolist())


def _numbers(cells: pd.Series) -> list[Cell]:
    numbers = cells.to_numpy(np.float64, na_value=np.nan)
    if np.isfinite(numbers).sum() != cells.notna().sum():
        raise ValueError("a file contains finite numbers only")
    return _without_missing(cells, numbers.tolist())


def _times(cells: pd.Series) -> list[Cell]:
    return list(cells.to_numpy("datetime64[s]", na_value=np.datetime64("NaT")).tolist())


def _without_missing(cells: pd.Series, values: list[Cell]) -> list[Cell]:
    """Return values, None where a cell is missing."""
    missing = cells.isna().to_numpy()
    return (
        [None if absent else value for value, absent in zip(values, missing, strict=True)]
        if missing.any()
        else values
    )


_VALUES: Final[Mapping[ColumnKind, Callable[[pd.Series], list[Cell]]]] = {
    ColumnKind.TEXT: _texts,
    ColumnKind.INTEGER: _integers,
    ColumnKind.NUMBER: _numbers,
    ColumnKind.TIME: _times,
}
