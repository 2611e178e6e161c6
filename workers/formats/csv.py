"""CSV as Canvas writes it.

UTF-8 without a byte order mark, commas, LF after every line. A field is quoted if and only if it is the
empty string or contains a comma, a quote, CR or LF; a quote inside is doubled. A null is an empty field
without quotes. Floats are written as ``repr`` writes them, times as ``2019-05-30 17:44:20 UTC``.

The formula guard, an option of the institution, puts an apostrophe before each text that a spreadsheet
might take for a formula, and before some that none would. Numbers and times stay as they are.

Most columns of a report have few distinct values. Each distinct value is written once, and neighbouring
columns share the pieces of a line that they have in common. The lines of a frame are yielded in these pieces:
they are joined where they are stored, in a thread that then copies megabytes without the interpreter.
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from workers.analysis.cells import FEW_ROWS, Cell, by_column
from workers.analysis.frames import Column, ColumnKind

Codes = npt.NDArray[np.int64]
# Fields of a line as bytes, in an array of objects.
Fields = npt.NDArray[np.object_]
# For each row the index of its field, and the fields.
Encoded = tuple[Codes, Fields]
# The combinations of some columns' fields, by the ids of these, which are kept too.
_Combinations = dict[tuple[int, ...], tuple[Sequence[Fields], Fields]]
# Turns a text, and the separator after it, into a field.
Text = Callable[[str, str], bytes]

# What spreadsheets skip at the start of a cell and then what may start a formula; or what they may take for
# the end of the cell before.
_FORMULA_START: Final = '[\\s\x1c-\x1f\ufeff\u200b"]*[=+\\-@|%＝＋－＠]|[\t\r\n\0]'
_LOOKS_LIKE_FORMULA: Final = re.compile(_FORMULA_START)
_NO_TIME: Final = np.datetime64("NaT", "s")
_DAY: Final = 86_400
_NOT_FINITE: Final = "a file contains finite numbers only"

# Distinct values of a column, and combinations of those of neighbouring columns, are kept up to this number
# and to so many bytes: a text may be of any length.
_MOST_KEPT: Final = 1_024
_MOST_KEPT_BYTES: Final = 2**18
# If more than half of the first rows of a column of texts differ, it is not searched for equal ones.
_SAMPLE: Final = 64


def write(
    columns: Sequence[Column], frames: Iterator[pd.DataFrame], *, guard_formulas: bool = False
) -> Iterator[Sequence[bytes]]:
    """Yield the header line and then the lines of each frame, each as pieces to be joined.

    Raises ValueError for numbers that are not finite.

    >>> from workers.analysis.frames import frame_of
    >>> columns = [Column("id", ColumnKind.INTEGER), Column("1.0", ColumnKind.NUMBER, missing="")]
    >>> b"".join(map(b"".join, write(columns, iter([frame_of(columns, [[7, 8], [0.5, None]])]))))
    b'id,1.0\\n7,0.5\\n8,""\\n'
    """
    text = _guarded_text if guard_formulas else _text
    yield [b",".join(text(column.name, "") for column in columns), b"\n"]
    lines = _Lines(columns, text)
    for frame in frames:
        pieces = lines.of(frame)
        # Kept until the next is here, each would be a chunk more.
        del frame
        yield pieces
        del pieces


class _Lines:
    """Turns frames into lines; what it keeps of one frame for the next is bounded."""

    def __init__(self, columns: Sequence[Column], text: Text) -> None:
        ends = [","] * (len(columns) - 1) + ["\n"]
        self._shown = columns
        self._columns = [
            _ENCODERS[column.kind](column.missing, text, end)
            for column, end in zip(columns, ends, strict=True)
        ]
        self._combinations: _Combinations = {}

    def of(self, frame: pd.DataFrame) -> list[bytes]:
        """Return the lines of a frame in pieces."""
        if len(frame) <= FEW_ROWS:
            return self._row_by_row(frame)
        encoded = (
            column.encode(values) for column, (_, values) in zip(self._columns, frame.items(), strict=True)
        )
        pieces = list(self._joined(encoded))
        lines = np.empty((len(frame), len(pieces)), dtype=object)
        for number, (codes, fields) in enumerate(pieces):
            lines[:, number] = fields[codes]
        pieces_in_order: list[bytes] = lines.ravel().tolist()
        return pieces_in_order

    def _row_by_row(self, frame: pd.DataFrame) -> list[bytes]:
        """Return the lines of a few rows: arrays of distinct values would take longer than they save."""
        cells = by_column(self._shown, frame)
        fields = [column.each(values) for column, values in zip(self._columns, cells, strict=True)]
        return list(chain.from_iterable(zip(*fields, strict=True)))

    def _joined(self, columns: Iterable[Encoded]) -> Iterator[Encoded]:
        """Yield neighbouring columns of few values as one, whose fields are the combinations of theirs."""
        known, self._combinations = self._combinations, {}
        codes: Codes | None = None
        group: list[Fields] = []
        size, length = 1, 0
        for next_codes, fields in columns:
            next_size, next_length = len(fields), _MOST_KEPT_BYTES
            if next_size <= _MOST_KEPT:
                next_length = sum(map(len, fields))
            if codes is not None:
                # In the combinations, each field of one column stands beside each field of the other.
                combined = length * next_size + next_length * size
                if size * next_size > _MOST_KEPT or combined > _MOST_KEPT_BYTES:
                    yield codes, self._combined(group, known)
                    codes, group = None, []
            if codes is None:
                codes, size, length = next_codes, next_size, next_length
            else:
                codes, size, length = codes * next_size + next_codes, size * next_size, combined
            group.append(fields)
        if codes is not None:
            yield codes, self._combined(group, known)

    def _combined(self, group: Sequence[Fields], known: _Combinations) -> Fields:
        """Return all combinations of the fields of some columns; those of the frame before are ``known``."""
        if len(group) == 1:
            return group[0]
        # The ids of fields that are not kept would be used again.
        key = tuple(map(id, group))
        if key in known:
            self._combinations[key] = known[key]
        elif key not in self._combinations:
            combinations = group[0]
            for fields in group[1:]:
                combinations = np.add.outer(combinations, fields).ravel()
            self._combinations[key] = group, combinations
        return self._combinations[key][1]


class _Column(ABC):
    """Encodes a column: each distinct value becomes a field once, and few are kept for the next frame.

    A field ends with the separator after it. The last one is that of a missing value.
    """

    def __init__(self, missing: str | None, text: Text, end: str) -> None:
        self._missing = end.encode() if missing is None else _text(missing, end)
        self._text = text
        self._end = end
        self._known: dict[Any, int] = {}
        self._fields = _array([self._missing])

    def encode(self, values: pd.Series) -> Encoded:
        """Return for each row the index of its field, and the fields."""
        codes, distinct = pd.factorize(self.keys(values))
        if len(distinct) <= _MOST_KEPT and (known := self._remembered(distinct)) is not None:
            return known[codes], self._fields
        return codes, _array([*self.written(distinct), self._missing])

    def each(self, cells: Sequence[Cell]) -> list[bytes]:
        """Return the field of each cell."""
        fields = {cell: self._missing if cell is None else self.field(cell) for cell in {*cells}}
        return [fields[cell] for cell in cells]

    @abstractmethod
    def field(self, cell: Cell) -> bytes:
        """Return the field of a cell that is not missing."""

    @abstractmethod
    def keys(self, values: pd.Series) -> Any:
        """Return values that are equal if they are written alike."""

    @abstractmethod
    def written(self, keys: Any) -> Iterable[bytes]:
        """Return the fields of keys."""

    def _remembered(self, distinct: Any) -> Codes | None:
        """Return the index of the field of each key, and at the end that of a missing value.

        None if the fields are too long to be kept.
        """
        keys = distinct.tolist()
        new = [n for n, key in enumerate(keys) if key not in self._known]
        if len(self._known) + len(new) > _MOST_KEPT:
            self._known, new = {}, [*range(len(keys))]
        if new:
            kept = self._fields[: len(self._known)]
            fields = _array([*kept, *self.written(distinct[new]), self._missing])
            if sum(map(len, fields)) > _MOST_KEPT_BYTES:
                self._known, self._fields = {}, _array([self._missing])
                return None
            self._fields = fields
            self._known |= {keys[n]: len(self._known) + index for index, n in enumerate(new)}
        return np.array([*map(self._known.__getitem__, keys), len(self._known)])


class _Texts(_Column):
    def __init__(self, missing: str | None, text: Text, end: str) -> None:
        super().__init__(missing, text, end)
        self._categories: pd.Index | None = None

    def encode(self, values: pd.Series) -> Encoded:
        labels = values.array
        if isinstance(labels, pd.Categorical):
            return self._labels(labels)
        head = values.head(_SAMPLE)
        if 2 * head.nunique() <= len(head):
            return super().encode(values)
        fields = _array([*self.written(values.to_numpy(object, na_value=""))])
        fields[values.isna().to_numpy()] = self._missing
        return np.arange(len(values)), fields

    def field(self, cell: Cell) -> bytes:
        return self._text(cell, self._end)

    def _labels(self, labels: pd.Categorical) -> Encoded:
        categories = labels.dtype.categories
        if categories is not self._categories:
            self._categories = categories
            self._fields = _array([*self.written(categories), self._missing])
        codes = labels.codes.astype(np.int64)
        codes[codes < 0] = len(categories)
        return codes, self._fields

    def keys(self, values: pd.Series) -> Any:
        return values

    def written(self, keys: Any) -> Iterable[bytes]:
        text, end = self._text, self._end
        return [text(key, end) for key in keys]


class _Numbers(_Column):
    def each(self, cells: Sequence[Cell]) -> list[bytes]:
        # Not by distinct values, since 0.0 and -0.0 are equal.
        missing, field = self._missing, self.field
        return [missing if cell is None else field(cell) for cell in cells]

    def field(self, cell: Cell) -> bytes:
        return f"{cell!r}{self._end}".encode()

    def keys(self, values: pd.Series) -> Any:
        if isinstance(values.dtype, np.dtype):
            numbers = values.to_numpy(np.float64)
        else:
            numbers = values.to_numpy(np.float64, na_value=np.nan)
            if np.isnan(numbers).sum() != values.isna().sum():
                raise ValueError(_NOT_FINITE)
        # By their bits, 0.0 and -0.0 keep their own texts.
        return numbers.view(np.int64)

    def written(self, keys: Any) -> Iterable[bytes]:
        numbers = keys.view(np.float64)
        if np.isinf(numbers).any():
            raise ValueError(_NOT_FINITE)
        for number in numbers.tolist():
            yield self._missing if math.isnan(number) else f"{number!r}{self._end}".encode()


class _Integers(_Column):
    def encode(self, values: pd.Series) -> Encoded:
        codes, fields = super().encode(values)
        codes[values.isna().to_numpy()] = len(fields) - 1
        return codes, fields

    def field(self, cell: Cell) -> bytes:
        return f"{cell}{self._end}".encode()

    def keys(self, values: pd.Series) -> Any:
        if isinstance(values.dtype, np.dtype):
            return values.to_numpy(np.int64)
        return values.to_numpy(np.int64, na_value=0)

    def written(self, keys: Any) -> Iterable[bytes]:
        return [f"{key}{self._end}".encode() for key in keys.tolist()]


class _Times(_Column):
    def field(self, cell: Cell) -> bytes:
        return f"{cell} UTC{self._end}".encode()

    def keys(self, values: pd.Series) -> Any:
        return values.to_numpy("datetime64[s]", na_value=_NO_TIME).view(np.int64)

    def written(self, keys: Any) -> Iterable[bytes]:
        day, second = np.divmod(keys, _DAY)
        distinct_days, of_time = np.unique(day, return_inverse=True)
        days = _array([f"{date} ".encode() for date in distinct_days.astype("datetime64[D]")])
        distinct_minutes, of_minute = np.unique(second // 60, return_inverse=True)
        minutes = _array([b"%02d:%02d:" % divmod(minute, 60) for minute in distinct_minutes.tolist()])
        seconds = _array([f"{number:02} UTC{self._end}".encode() for number in range(60)])
        fields = days[of_time] + minutes[of_minute] + seconds[second % 60]
        fields[keys == _NO_TIME.view(np.int64)] = self._missing
        return list(fields)


_ENCODERS: Final[Mapping[ColumnKind, type[_Column]]] = {
    ColumnKind.TEXT: _Texts,
    ColumnKind.INTEGER: _Integers,
    ColumnKind.NUMBER: _Numbers,
    ColumnKind.TIME: _Times,
}


def _text(text: str, end: str) -> bytes:
    """Return a text as a CSV field, and the separator after it."""
    # A report of essays spends its time here.
    if '"' in text:
        text = text.replace('"', '""')
        return f'"{text}"{end}'.encode()
    if "," in text or "\n" in text or "\r" in text or not text:
        return f'"{text}"{end}'.encode()
    return f"{text}{end}".encode()


def _guarded_text(text: str, end: str) -> bytes:
    """Return a text as a CSV field, with an apostrophe before it if it starts like a formula."""
    return _text("'" + text if _LOOKS_LIKE_FORMULA.match(text) else text, end)


def _array(fields: Sequence[bytes]) -> Fields:
    """Return fields as an array of objects."""
    array = np.empty(len(fields), dtype=object)
    array[:] = fields
    return array
