"""CSV as Canvas writes it.

UTF-8 without a byte order mark, commas, LF after every line. A field is quoted if and only if it is the
empty string or contains a comma, a quote, CR or LF; a quote inside is doubled. A null is an empty field
without quotes. Floats are written as ``repr`` writes them, times as ``2019-05-30 17:44:20 UTC``.

The formula guard, an option of the institution, puts an apostrophe before each text that a spreadsheet
might take for a formula, and before some that none would. Numbers and times stay as they are.

Polars is imported here and not called at import: a child that is forked after a call hangs.
"""

import io
import re
from collections.abc import Iterable
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from workers.analysis.frames import single_chunk, writes_empty_for_null

_NEEDS_QUOTES: Final = re.compile(r'[,"\r\n]')
# What spreadsheets skip at the start of a cell and then what may start a formula; or what they may take for
# the end of the cell before.
_FORMULA_START: Final = '[\\s\x1c-\x1f\ufeff\u200b"]*[=+\\-@|%＝＋－＠]|[\t\r\n\0]'
_LOOKS_LIKE_FORMULA: Final = re.compile(_FORMULA_START)
_TIME: Final = "%Y-%m-%d %H:%M:%S UTC"

# Polars copies the rows that it writes several times: fewer rows at once save memory and cost no time.
_ROWS_AT_ONCE: Final = 4096


def header_line(names: Iterable[str], *, guard_formulas: bool = False) -> bytes:
    """Return the line of column names, which may repeat.

    >>> header_line(["name", "1: Which, if any?", "1.0", "2: Why?", "1.0"])
    b'name,"1: Which, if any?",1.0,2: Why?,1.0\\n'
    """
    guarded = (_guarded(name) for name in names) if guard_formulas else names
    return (",".join(_field(name) for name in guarded) + "\n").encode()


def lines(table: pa.Table, *, guard_formulas: bool = False) -> bytes:
    """Return the lines of a table's rows, without a header.

    Columns are texts, dictionaries of texts, integers, floats or times; other types raise TypeError. A null
    is written as nothing, or as the empty string if `frames.empty_for_null` made the field.
    """
    buffer = io.BytesIO()
    for start in range(0, table.num_rows, _ROWS_AT_ONCE):
        part = table.slice(start, _ROWS_AT_ONCE)
        columns = [
            _series(str(index), field, single_chunk(part.column(index)), guard_formulas=guard_formulas)
            for index, field in enumerate(part.schema)
        ]
        pl.DataFrame(columns).write_csv(buffer, include_header=False, datetime_format=_TIME)
    return buffer.getvalue()


def float_texts(values: pa.Array) -> pa.DictionaryArray:
    """Return floats as texts by ``repr``, null for null; each distinct value is formatted once.

    Values are distinguished by their bits, so 0.0 and -0.0 keep their own texts. Raises ValueError for NaN
    and infinities.

    >>> float_texts(pa.array([1.0, 1e-05, None])).to_pylist()
    ['1.0', '1e-05', None]
    """
    bits = values.view(pa.int64()).dictionary_encode()
    floats = bits.dictionary.to_numpy().view(np.float64)
    if not np.isfinite(floats).all():
        raise ValueError("a file contains finite numbers only")
    distinct = floats.tolist()
    return pa.DictionaryArray.from_arrays(bits.indices, pa.array(map(repr, distinct), pa.large_string()))


def _field(text: str) -> str:
    """Return a text as a CSV field."""
    if text and not _NEEDS_QUOTES.search(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def _guarded(text: str) -> str:
    """Return a text, with an apostrophe before it if it starts like a formula."""
    return "'" + text if _LOOKS_LIKE_FORMULA.match(text) else text


def _series(name: str, field: pa.Field, column: pa.Array, *, guard_formulas: bool) -> pl.Series:
    """Convert a column so that polars writes it as CSV of Canvas."""
    if pa.types.is_dictionary(column.type) or _is_text(column.type):
        series = _texts(name, column, guard_formulas=guard_formulas)
    elif pa.types.is_float64(column.type):
        series = _texts(name, float_texts(column), guard_formulas=False)
    elif pa.types.is_integer(column.type) or pa.types.is_timestamp(column.type):
        series = pl.Series(name, column)
    else:
        raise TypeError(f"a column of type {column.type} cannot be written")
    if writes_empty_for_null(field) and series.null_count():
        series = series.cast(pl.String()).fill_null("")
    return series


def _is_text(kind: pa.DataType) -> bool:
    """Tell whether an Arrow type is one of texts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _texts(name: str, column: pa.Array, *, guard_formulas: bool) -> pl.Series:
    """Return a column of texts, or of a dictionary of texts, as strings.

    Gathering from the few labels copies no text, whereas decoding the dictionary would.
    """
    if not pa.types.is_dictionary(column.type):
        return _guard(pl.Series(name, column)) if guard_formulas else pl.Series(name, column)
    labels = pl.Series(name, column.dictionary)
    return (_guard(labels) if guard_formulas else labels).gather(pl.Series(column.indices))


def _guard(texts: pl.Series) -> pl.Series:
    """Return texts, with an apostrophe before each that starts like a formula."""
    return texts.str.replace(f"^({_FORMULA_START})", "'${0}")
