"""Chunks of attempts as the analysis reads them, and reports as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from workers.analysis.frames import Column
from workers.formats import csv

ITEM_ATTEMPTS = pa.schema(
    [
        ("question_set_id", pa.int64()),
        ("answer_ids", pa.list_(pa.int64())),
        ("score", pa.float64()),
    ]
)
STUDENT_ATTEMPTS = pa.schema(
    [
        ("name", pa.string()),
        ("user_id", pa.int64()),
        ("sis_user_id", pa.string()),
        ("root_account", pa.string()),
        ("section", pa.large_string()),
        ("section_id", pa.large_string()),
        ("section_sis_id", pa.large_string()),
        ("logged_out", pa.bool_()),
        ("finished_at", pa.timestamp("us", "UTC")),
        ("attempt", pa.int32()),
        ("texts", pa.list_(pa.string())),
        ("points", pa.list_(pa.float64())),
        ("n_correct", pa.int32()),
        ("n_incorrect", pa.int32()),
        *ITEM_ATTEMPTS,
    ]
)


def attempt_frame(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pd.DataFrame:
    """Return attempts as they are read from the database."""
    frame: pd.DataFrame = pa.Table.from_pylist(list(rows), schema).to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def as_csv(columns: Sequence[Column], *frames: pd.DataFrame, **options: bool) -> str:
    """Write a report as CSV."""
    return b"".join(map(b"".join, csv.write(columns, iter(frames), **options))).decode()
