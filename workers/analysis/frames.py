"""The input of the analysis: items as values, attempts as frames with Arrow-backed columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Option:
    """One option of an item: its id, its label as finished plain text, its weight (100 is correct)."""

    id: int
    text: str
    weight: float


@dataclass(frozen=True)
class Item:
    """One version of a question, as the quiz or an attempt has it.

    Versions of one question share their ``id``. The title is plain text. The options are in the order of the
    question. ``is_choice`` says that the question is multiple choice or true/false.
    """

    id: int
    title: str
    points_possible: float
    position: int | None
    is_choice: bool
    options: tuple[Option, ...]


def _column(name: str, kind: pa.DataType, meaning: str) -> pa.Field:
    return pa.field(name, kind, metadata={"meaning": meaning})


_QUESTION_SET_ID: Final = _column(
    "question_set_id",
    pa.int64(),
    "The question set: the question versions of the attempt, in order.",
)
_ANSWER_IDS: Final = _column(
    "answer_ids", pa.list_(pa.int64()), "For each question of the set the id of the chosen option, else null."
)
_SCORE: Final = _column("score", pa.float64(), "The points given for the attempt; null until it is graded.")

STUDENT_ATTEMPTS: Final[pa.Schema] = pa.schema(
    [
        _column("name", pa.large_string(), "The respondent's name."),
        _column("user_id", pa.int64(), "The LMS's user id; null for a logged-out taker."),
        _column("sis_user_id", pa.large_string(), "The respondent's SIS id; null if absent."),
        _column("root_account", pa.large_string(), "The respondent's root account; null if absent."),
        _column("section", pa.large_string(), "The names of the respondent's sections, joined."),
        _column("section_id", pa.large_string(), "The ids of the same sections, joined."),
        _column("section_sis_id", pa.large_string(), "Their SIS ids, joined; null if absent."),
        _column("logged_out", pa.bool_(), "Whether the respondent was not logged in."),
        _column("finished_at", pa.timestamp("us", "UTC"), "When the attempt was submitted."),
        _column("attempt", pa.int64(), "The attempt's number, from 1."),
        _QUESTION_SET_ID,
        _ANSWER_IDS,
        _column(
            "texts",
            pa.list_(pa.large_string()),
            "For each question the finished cell text, else null.",
        ),
        _column("points", pa.list_(pa.float64()), "For each question the points given, else null."),
        _column("n_correct", pa.int64(), "How many responses count as correct."),
        _column("n_incorrect", pa.int64(), "How many responses count as incorrect."),
        _SCORE,
    ]
)
"""The columns that `StudentAnalysis.rows` reads, one row an attempt.

The three lists of an attempt are as long as its question set: element j belongs to its question j.
"""

ITEM_ATTEMPTS: Final[pa.Schema] = pa.schema([_SCORE, _QUESTION_SET_ID, _ANSWER_IDS])
"""The columns that `ItemAnalysis.add` reads, one row a student: the first attempt."""

_EMPTY_FOR_NULL: Final = {b"null": b"empty string"}


def empty_for_null(name: str, kind: pa.DataType) -> pa.Field:
    """Return a field of a report whose nulls are written as the empty string (``""``), not as nothing."""
    return pa.field(name, kind, metadata=_EMPTY_FOR_NULL)


def writes_empty_for_null(field: pa.Field) -> bool:
    """Tell whether a field was made by `empty_for_null`."""
    return field.metadata is not None and field.metadata.get(b"null") == _EMPTY_FOR_NULL[b"null"]


def to_arrow(attempts: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """Return the schema's columns as an Arrow table of single chunks, without a copy if possible.

    Raises KeyError if a column is missing and ArrowInvalid if one does not fit its type.
    """
    table = pa.Table.from_pandas(attempts[schema.names], preserve_index=False)
    return table.cast(schema).combine_chunks()


def responses(table: pa.Table, names: Sequence[str]) -> tuple[npt.NDArray[np.int64], list[pa.Array]]:
    """Return how many responses each attempt has, and the named list columns, flattened.

    Raises ValueError if the lists of an attempt differ in length.
    """
    lists = [single_chunk(table[name]) for name in names]
    lengths = [pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64) for column in lists]
    if any(not np.array_equal(lengths[0], other) for other in lengths[1:]):
        raise ValueError(f"the lists of an attempt differ in length: {', '.join(names)}")
    return lengths[0], [column.flatten() for column in lists]


def single_chunk(column: pa.ChunkedArray) -> pa.Array:
    """Return a table's column as one array."""
    if column.num_chunks == 1:
        return column.chunk(0)
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
