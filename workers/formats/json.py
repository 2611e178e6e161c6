"""JSON: where the figures come from, the columns, a list of cells for each row, and further tables.

Columns may share a name, so a row is not an object. Cells are texts, numbers or null; times are ISO 8601 in
UTC. The file is one line of UTF-8.
"""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

import msgspec

from workers.analysis import cells
from workers.analysis.frames import ColumnKind, Table
from workers.analysis.provenance import Provenance

_ENCODER: Final = msgspec.json.Encoder()


def write(table: Table, provenance: Provenance) -> Iterator[bytes]:
    """Yield the beginning of the object, the rows of each frame, and then the supplements, if there are any.

    An empty part follows each part of a supplement. Raises ValueError for numbers that are not finite.
    """
    opening = b'{"provenance":%b' % _ENCODER.encode(_provenance(provenance))
    yield from _table(table, opening, b"" if table.supplements else b"}\n")
    separator = b',"supplements":['
    for title, supplement in table.supplements.items():
        for part in _table(supplement, b'%b{"title":%b' % (separator, _ENCODER.encode(title)), b"}"):
            yield part
            # The lease is renewed at empty parts; there may be millions of rows.
            yield b""
        separator = b","
    if table.supplements:
        yield b"]}\n"


def _table(table: Table, opening: bytes, closing: bytes) -> Iterator[bytes]:
    """Yield the columns of a table and its rows, as further members of an object."""
    described = [
        {"name": column.name, "question_id": column.question_id, "kind": column.kind}
        for column in table.columns
    ]
    yield b'%b,"columns":%b,"rows":[' % (opening, _ENCODER.encode(described))
    times = [n for n, column in enumerate(table.columns) if column.kind is ColumnKind.TIME]
    separator = b""
    for frame in table.frames:
        if rows := cells.rows(table.columns, frame):
            yield separator + _ENCODER.encode([_with_texts(row, times) for row in rows])[1:-1]
            separator = b","
        del frame
    yield b"]%b" % closing


def _provenance(provenance: Provenance) -> dict[str, Any]:
    moment = provenance.generated_at.astimezone(datetime.UTC).replace(tzinfo=None)
    return asdict(provenance) | {"generated_at": _time(moment)}


def _with_texts(row: Sequence[cells.Cell], times: Sequence[int]) -> Sequence[cells.Cell]:
    """Return a row whose times are texts."""
    written = list(row)
    for n in times:
        written[n] = None if row[n] is None else _time(row[n])
    return written


def _time(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
