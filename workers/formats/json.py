"""JSON: where the figures come from, the columns, and a list of cells for each row.

Columns may share a name, so a row is not an object. Cells are texts, numbers or null; times are ISO 8601 in
UTC. The file is one line of UTF-8.
"""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

import msgspec
import pandas as pd

from workers.analysis.columns import Column, ColumnKind
from workers.analysis.provenance import Provenance
from workers.formats import cells

_ENCODER: Final = msgspec.json.Encoder()


def write(
    columns: Sequence[Column], frames: Iterator[pd.DataFrame], provenance: Provenance
) -> Iterator[bytes]:
    """Yield the beginning of the object and then the rows of each frame.

    Raises ValueError for numbers that are not finite.
    """
    described = [
        {"name": column.name, "question_id": column.question_id, "kind": column.kind} for column in columns
    ]
    yield b'{"provenance":%b,"columns":%b,"rows":[' % (
        _ENCODER.encode(_provenance(provenance)),
        _ENCODER.encode(described),
    )
    times = [n for n, column in enumerate(columns) if column.kind is ColumnKind.TIME]
    separator = b""
    for frame in frames:
        if rows := cells.rows(columns, frame):
            yield separator + _ENCODER.encode([_with_texts(row, times) for row in rows])[1:-1]
            separator = b","
        del frame
    yield b"]}\n"


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
