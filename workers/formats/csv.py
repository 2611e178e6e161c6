"""CSV as Canvas writes it.

UTF-8 without a byte order mark, commas, LF after every line. A field is quoted if and only if it is the
empty string or contains a comma, a quote, CR or LF; a quote inside is doubled. A null is an empty field
without quotes. Floats are written as ``repr`` writes them, times as ``2019-05-30 17:44:20 UTC``.

The formula guard, an option of the institution, puts an apostrophe before each text that a spreadsheet
might take for a formula, and before some that none would. Numbers and times stay as they are.

Most columns of a report have few distinct values. Each distinct value is written once, and neighbouring
columns share the pieces of a line that they have in common.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from workers.analysis.columns import Column, ColumnKind

Codes = npt.NDArray[np.int64]
# The fields of a line as bytes, in an array of objects.
Fields = npt.NDArray[np.object_]
# For each row the index of its field, and the fields.
Encoded = tuple[Codes, Fields]

_NEEDS_QUOTES: Final = re.compile(r'[,"\r\n]')
# What spreadsheets skip at the start of a cell and then what may start a formula; or what they may take for
# the end of the cell before.
_FORMULA_START: Final = '[\\s\x1c-\x1f\ufeff\u200b"]*[=+\\-@|%＝＋－＠]|[\t\r\n\0]'
_LOOKS_LIKE_FORMULA: Final = re.compile(_FORMULA_START)
_TIME: Final = "%Y-%m-%d %H:%M:%S UTC"

# Distinct values of a column, and combinations of those of neighbouring columns, are kept up to this number.
_MOST_KEPT: Final = 1_024
# If more than half of the first rows of a column of texts differ, it is not searched for equal ones.
_SAMPLE: Final = 64


def write(
    columns: Sequence[Column], frames: Iterator[pd.DataFrame], *, guard_formulas: bool = False
) -> Iterator[bytes]:
    """Yield the header line and then the lines of each frame.

    Raises ValueError for numbers that are not finite.

    >>> from workers.analysis.columns import frame_of
    >>> columns = [Column("id", ColumnKind.INTEGER), Column("1.0", ColumnKind.NUMBER, missing="")]
    >>> b"".join(write(columns, iter([frame_of(columns, [[7, 8], [0.5, None]])])))
    b'id,1.0\\n7,0.5\\n8,""\\n'
    """
    text = _guarded_text if guard_formulas else _text
    yield b",".join(text(column.name) for column in columns) + b"\n"
    lines = _Lines(columns, text)
    for frame in frames:
        yield lines.of(frame)


class _Lines:
    """Turns frames into lines; what it keeps of one frame for the next is bounded."""

    def __init__(self, columns: Sequence[Column], text: Callable[[str], bytes]) -> None:
        self._columns = [_ENCODERS[column.kind](column.missing, text) for column in columns]
        self._combinations: dict[tuple[int, ...], tuple[Sequence[Fields], Fields]] = {}

    def of(self, frame: pd.DataFrame) -> bytes:
        """Return the lines of a frame."""
        encoded = (
            column.encode(values) for column, (_, values) in zip(self._columns, frame.items(), strict=True)
        )
        fields = [fields[codes].tolist() for codes, fields in self._joined(encoded)]
        return b"".join(line + b"\n" for line in map(b",".join, zip(*fields, strict=True)))

    def _joined(self, columns: Iterable[Encoded]) -> Iterator[Encoded]:
        """Yield neighbouring columns of few values as one, whose fields are the combinations of theirs."""
        codes: Codes | None = None
        group: list[Fields] = []
        size = 1
        for next_codes, fields in columns:
            if codes is not None and size * len(fields) > _MOST_KEPT:
                yield codes, self._combined(group)
                codes, group, size = None, [], 1
            codes = next_codes if codes is None else codes * len(fields) + next_codes
            group.append(fields)
            size *= len(fields)
        if codes is not None:
            yield codes, self._combined(group)

    def _combined(self, group: Sequence[Fields]) -> Fields:
        """Return all combinations of the fields of some columns, joined by commas."""
        if len(group) == 1:
            return group[0]
        key = tuple(map(id, group))
        if key not in self._combinations:
            if len(self._combinations) >= _MOST_KEPT:
                self._combinations.clear()
            joined = group[0]
            for fields in group[1:]:
                joined = np.add.outer(joined + b",", fields).ravel()
            # The group is kept, too: the ids that are the key must not be used again.
            self._combinations[key] = group, joined
        return self._combinations[key][1]


class _Column:
    """Encodes a column: each distinct value becomes a field once, and few are kept for the next frame.

    The last field is that of a missing value.
    """

    def __init__(self, missing: str | None, text: Callable[[str], bytes]) -> None:
        self._missing = b"" if missing is None else _text(missing)
        self._text = text
        self._known: dict[Any, int] = {}
        self._fields = _array([self._missing])

    def encode(self, values: pd.Series) -> Encoded:
        """Return for each row the index of its field, and the fields."""
        codes, distinct = pd.factorize(self.comparable(values))
        found = distinct.tolist()
        if len(found) > _MOST_KEPT:
            fields = _array([*self.written(found), self._missing])
        else:
            codes, fields = self._remembered(found)[codes], self._fields
        codes[values.isna().to_numpy()] = len(fields) - 1
        return codes, fields

    def comparable(self, values: pd.Series) -> Any:
        """Return the values in a form in which they are equal if they are written alike."""
        raise NotImplementedError

    def written(self, distinct: list[Any]) -> Iterable[bytes]:
        """Return the fields of distinct values in the form of `comparable`."""
        raise NotImplementedError

    def _remembered(self, found: list[Any]) -> Codes:
        """Return the index of the field of each value; new values are added to the fields."""
        if new := [value for value in found if value not in self._known]:
            if len(self._known) + len(new) > _MOST_KEPT:
                self._known, new = {}, found
            self._fields = _array([*self._fields[: len(self._known)], *self.written(new), self._missing])
            self._known |= {value: len(self._known) + n for n, value in enumerate(new)}
        # A value that factorize does not number has the code -1.
        return np.array([*map(self._known.__getitem__, found), -1])


class _Texts(_Column):
    def __init__(self, missing: str | None, text: Callable[[str], bytes]) -> None:
        super().__init__(missing, text)
        self._categories: pd.Index | None = None

    def encode(self, values: pd.Series) -> Encoded:
        if isinstance(values.dtype, pd.CategoricalDtype):
            return self._labels(values)
        head = values.head(_SAMPLE)
        if 2 * head.nunique() <= len(head):
            return super().encode(values)
        fields = map(self._text, values.to_numpy(object, na_value=""))
        codes = np.arange(len(values))
        codes[values.isna().to_numpy()] = len(values)
        return codes, _array([*fields, self._missing])

    def _labels(self, values: pd.Series) -> Encoded:
        labels = values.cat
        if labels.categories is not self._categories:
            self._categories = labels.categories
            self._fields = _array([*map(self._text, labels.categories), self._missing])
        codes = labels.codes.to_numpy(np.int64)
        return np.where(codes < 0, len(self._fields) - 1, codes), self._fields

    def comparable(self, values: pd.Series) -> Any:
        return values

    def written(self, distinct: list[Any]) -> Iterable[bytes]:
        return map(self._text, distinct)


class _Numbers(_Column):
    def comparable(self, values: pd.Series) -> Any:
        numbers = values.to_numpy(np.float64, na_value=np.nan)
        if np.isfinite(numbers).sum() != values.notna().sum():
            raise ValueError("a file contains finite numbers only")
        # By their bits, 0.0 and -0.0 keep their own texts.
        return numbers.view(np.int64)

    def written(self, distinct: list[Any]) -> Iterable[bytes]:
        return (repr(number).encode() for number in np.array(distinct).view(np.float64).tolist())


class _Integers(_Column):
    def comparable(self, values: pd.Series) -> Any:
        return values.to_numpy(np.int64, na_value=0)

    def written(self, distinct: list[Any]) -> Iterable[bytes]:
        return (b"%d" % number for number in distinct)


class _Times(_Column):
    def comparable(self, values: pd.Series) -> Any:
        return values.to_numpy("datetime64[s]", na_value=np.datetime64("NaT"))

    def written(self, distinct: list[Any]) -> Iterable[bytes]:
        return (f"{moment} UTC".encode() for moment in distinct)


_ENCODERS: Final[Mapping[ColumnKind, type[_Column]]] = {
    ColumnKind.TEXT: _Texts,
    ColumnKind.INTEGER: _Integers,
    ColumnKind.NUMBER: _Numbers,
    ColumnKind.TIME: _Times,
}


def _text(text: str) -> bytes:
    """Return a text as a CSV field."""
    if text and not _NEEDS_QUOTES.search(text):
        return text.encode()
    return ('"' + text.replace('"', '""') + '"').encode()


def _guarded_text(text: str) -> bytes:
    """Return a text as a CSV field, with an apostrophe before it if it starts like a formula."""
    return _text("'" + text if _LOOKS_LIKE_FORMULA.match(text) else text)


def _array(fields: Sequence[bytes]) -> Fields:
    """Return fields as an array of objects."""
    array = np.empty(len(fields), dtype=object)
    array[:] = fields
    return array
