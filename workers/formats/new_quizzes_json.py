"""JSON as New Quizzes writes it: a list with an object for each attempt, or for each row of an item_analysis.

The columns of a student_analysis are those of the CSV layout: nine of the respondent, five for each item,
five of the whole. Ids of items are strings, times are written as in CSV, and an item that the attempt did not
have is left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

import msgspec
import pandas as pd

from workers.analysis import cells
from workers.analysis.frames import Column, ColumnKind

_TIME: Final = "%Y-%m-%d %H:%M:%S UTC"
_COLUMNS_OF_ITEM: Final = 5
_COLUMNS_OF_SUMMARY: Final = 5


def write_attempts(columns: Sequence[Column], frames: Iterator[pd.DataFrame]) -> Iterator[bytes]:
    """Yield the list of attempts in parts."""
    first_item = next(
        (index for index, column in enumerate(columns) if column.question_id is not None),
        len(columns) - _COLUMNS_OF_SUMMARY,
    )
    yield from _list([_attempt(row, first_item) for row in _value_rows(columns, frame)] for frame in frames)


def write_rows(columns: Sequence[Column], frames: Iterator[pd.DataFrame]) -> Iterator[bytes]:
    """Yield the list of rows in parts, each row an object by the names of its columns, which are distinct."""
    names = [column.name for column in columns]
    yield from _list(
        [dict(zip(names, row, strict=True)) for row in cells.rows(columns, frame)] for frame in frames
    )


def _list(parts: Iterable[list[dict[str, Any]]]) -> Iterator[bytes]:
    start = b"["
    for entry in chain.from_iterable(parts):
        yield start + msgspec.json.encode(entry)
        start = b",\n"
    yield (b"[" if start == b"[" else b"") + b"]\n"


def _value_rows(columns: Sequence[Column], frame: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    values = [_values(frame.iloc[:, index], column) for index, column in enumerate(columns)]
    return zip(*values, strict=True)


def _attempt(row: Sequence[Any], first_item: int) -> dict[str, Any]:
    name, user_id, sis_id, *_, submitted, elapsed, attempt = row[:first_item]
    *_, possible, score = row
    items = range(first_item, len(row) - _COLUMNS_OF_SUMMARY, _COLUMNS_OF_ITEM)
    return {
        "student_data": {
            "id": user_id,
            "name": name,
            "sis_id": sis_id,
            "submitted": submitted,
            "elapsed": elapsed,
            "attempt": attempt,
        },
        "item_responses": [
            response for index in items if (response := _response(row[index : index + _COLUMNS_OF_ITEM]))
        ],
        "summary": {"score": score, "points_possible": possible},
    }


def _response(cells: Sequence[Any]) -> dict[str, Any] | None:
    item_id, item_type, answer, points, status = cells
    if not status:
        return None
    return {"item_id": str(item_id), "item_type": item_type, "answer": answer, "score": points}


def _values(values: pd.Series, column: Column) -> list[Any]:
    """Return the values of a column as JSON has them; a missing one is null."""
    return [None if pd.isna(value) else _plain(value, column.kind) for value in values.tolist()]


def _plain(value: Any, kind: ColumnKind) -> Any:
    if kind is ColumnKind.INTEGER:
        return int(value)
    if kind is ColumnKind.TIME:
        return value.strftime(_TIME)
    return float(value) if kind is ColumnKind.NUMBER else str(value)
