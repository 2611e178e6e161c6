"""JSON as New Quizzes writes a student_analysis: a list with an object for each attempt.

The columns are those of the CSV layout: nine of the respondent, five for each item, five of the whole. Ids of
items are strings, times are written as in CSV, and an item that the attempt did not have is left out.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import pandas as pd

from workers.analysis.columns import Column, ColumnKind

_TIME: Final = "%Y-%m-%d %H:%M:%S UTC"
_COLUMNS_OF_ITEM: Final = 5
_COLUMNS_OF_SUMMARY: Final = 5


def write(columns: Sequence[Column], frames: Iterator[pd.DataFrame]) -> Iterator[bytes]:
    """Yield the list in parts."""
    first_item = next(
        (index for index, column in enumerate(columns) if column.question_id is not None),
        len(columns) - _COLUMNS_OF_SUMMARY,
    )
    start = b"["
    for frame in frames:
        values = [_values(frame.iloc[:, index], column) for index, column in enumerate(columns)]
        for row in zip(*values, strict=True):
            yield start + msgspec.json.encode(_attempt(row, first_item))
            start = b",\n"
    yield (b"[" if start == b"[" else b"") + b"]\n"


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
