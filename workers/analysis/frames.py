"""What the analysis takes and what it makes: items and frames of attempts, and tables with their columns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

Integers = npt.NDArray[np.int64]


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
    question. ``is_choice`` says that the question is multiple choice or true/false; ``question_type`` is the
    LMS's name of its type.
    """

    id: int
    title: str
    points_possible: float
    position: int | None
    is_choice: bool
    options: tuple[Option, ...]
    question_type: str = ""


ITEM_ATTEMPTS: Final[Mapping[str, str]] = {
    "question_set_id": "The question set: the question versions of the attempt, in order.",
    "answer_ids": "For each question of the set the id of the chosen option, else null.",
    "score": "The points given for the attempt; null until it is graded.",
}
"""The columns that `ItemAnalysis.add` reads, one row a student: the first attempt."""

STUDENT_ATTEMPTS: Final[Mapping[str, str]] = {
    "name": "The respondent's name.",
    "user_id": "The LMS's user id; null for a logged-out taker.",
    "sis_user_id": "The respondent's SIS id; null if absent.",
    "root_account": "The respondent's root account; null if absent.",
    "section": "The names of the respondent's sections, joined.",
    "section_id": "The ids of the same sections, joined.",
    "section_sis_id": "Their SIS ids, joined; null if absent.",
    "logged_out": "Whether the respondent was not logged in.",
    "finished_at": "When the attempt was submitted.",
    "attempt": "The attempt's number, from 1.",
    "texts": "For each question the finished cell text, else null.",
    "points": "For each question the points given, else null.",
    "n_correct": "How many responses count as correct.",
    "n_incorrect": "How many responses count as incorrect.",
    **ITEM_ATTEMPTS,
}
"""The columns that `StudentAnalysis.rows` reads, one row an attempt.

The three lists of an attempt are as long as its question set: element j belongs to its question j.
"""

NEW_QUIZZES_ATTEMPTS: Final[Mapping[str, str]] = {
    "started_at": "When the attempt was started; null if that is not known.",
    "outcomes": "A letter for each question: see `models.content.responses.Responses`.",
    **STUDENT_ATTEMPTS,
}
"""The columns that `NewQuizzesAnalysis.rows` reads, one row an attempt."""


STATISTICS_ATTEMPTS: Final[Mapping[str, str]] = {
    "question_set_id": "The question set: the question versions of the attempt, in order.",
    "answer_ids": "For each question of the set the id of the chosen option, else null.",
    "points": "For each question the points given, else null.",
    "outcomes": "A letter for each question: its outcome, in capitals if it was answered.",
    "score": "The points given for the attempt; null until it is graded.",
    "started_at": "When the attempt was begun.",
    "finished_at": "When the attempt was submitted.",
}
"""The columns that the statistics read first, one row a student."""

SELECTIONS: Final[Mapping[str, str]] = {
    "question_set_id": "The question set, as before.",
    "selections": "For each question which answers were selected, as JSON, else null.",
}
"""The columns that they read once the totals are known, in the same order of students."""

SUBMISSIONS: Final[Mapping[str, str]] = {
    "user_id": "The LMS's user id; null for a logged-out taker.",
    "temporary_user_code": "The code of a logged-out taker, else null.",
    "score": "The points given for the attempt; null until it is graded.",
    "n_correct": "How many responses count as correct.",
    "n_incorrect": "How many responses count as incorrect.",
    "seconds": "The time from the beginning to the end; null if either is unknown.",
}
"""The columns of the statistics of submissions, one row an attempt."""


def responses(attempts: pd.DataFrame, names: Sequence[str]) -> tuple[Integers, list[pd.Series]]:
    """Return how many responses each attempt has, and the named list columns, flattened.

    The lists are Arrow's. Raises KeyError if a column is missing, and ValueError if the lists of an attempt
    differ in length.
    """
    lists = [attempts[name] for name in names]
    lengths = [column.list.len().to_numpy(np.int64, na_value=0) for column in lists]
    if any(not np.array_equal(lengths[0], other) for other in lengths[1:]):
        raise ValueError(f"the lists of an attempt differ in length: {', '.join(names)}")
    return lengths[0], [column.list.flatten() for column in lists]


Cell = int | float | str | None

# So many cells are turned into a frame at once, with about so many characters.
_CELLS_AT_ONCE: Final = 2**18
_CHARACTERS_AT_ONCE: Final = 2**23

# Longer texts are cut where they only help to recognize a row.
_MOST_CHARACTERS: Final = 200


class ColumnKind(StrEnum):
    """What the cells of a column are."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    TIME = "time"


@dataclass(frozen=True)
class Column:
    """One column of a report.

    Names may repeat, as those of the points do. ``question_id`` is that of the question whose responses
    (texts) or points (numbers) the column has. ``missing`` is the text that stands for a missing value; if it
    is None, the cell is null. ``meaning`` says in a sentence what the cells hold.
    """

    name: str
    kind: ColumnKind
    question_id: int | None = None
    missing: str | None = None
    meaning: str = ""


@dataclass(frozen=True)
class Table:
    """A report: its columns, and its rows as frames.

    A frame has the columns in their order and with their names. Texts are strings or Categoricals of strings,
    numbers floats, times in UTC; a value is missing as pandas says by ``isna``. A frame of few rows may be
    what `cells.frame_of_cells` returns. ``supplements`` are further tables, by title, for formats that hold
    several; their frames are read after those of the report.
    """

    columns: Sequence[Column]
    frames: Iterator[pd.DataFrame]
    supplements: Mapping[str, "Table"] = field(default_factory=dict)


def frame_of(columns: Sequence[Column], values: Sequence[object]) -> pd.DataFrame:
    """Return a frame with a column of values for each column of a report, whose names may repeat."""
    frame = pd.DataFrame(dict(enumerate(values)), copy=False)
    frame.columns = pd.Index([column.name for column in columns], dtype=object)
    return frame


_DTYPES: Final = {ColumnKind.INTEGER: "int64", ColumnKind.NUMBER: "float64", ColumnKind.TEXT: "str"}


def frame_of_rows(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> pd.DataFrame:
    """Return rows of cells as a frame; a column has integers, numbers or texts, and no times."""
    cells: list[Any] = [[row[n] for row in rows] for n in range(len(columns))]
    return frame_of(
        columns,
        [pd.array(part, dtype=_dtype(column, part)) for column, part in zip(columns, cells, strict=True)],
    )


def _dtype(column: Column, cells: Sequence[Cell]) -> Any:
    has_missing_integers = column.kind is ColumnKind.INTEGER and None in cells
    return "Int64" if has_missing_integers else _DTYPES[column.kind]


def frames_of(columns: Sequence[Column], rows: Iterator[Sequence[Cell]]) -> Iterator[pd.DataFrame]:
    """Yield such rows as frames of limited size, both in cells and in the characters of their texts."""
    size = max(1, _CELLS_AT_ONCE // len(columns))
    texts = [n for n, column in enumerate(columns) if column.kind is ColumnKind.TEXT]
    part: list[Sequence[Cell]] = []
    characters = 0
    for row in rows:
        part.append(row)
        characters += sum(len(str(row[n])) for n in texts)
        if len(part) == size or characters >= _CHARACTERS_AT_ONCE:
            yield frame_of_rows(columns, part)
            part, characters = [], 0
    if part:
        yield frame_of_rows(columns, part)


def shortened(text: str, most: int = _MOST_CHARACTERS) -> str:
    """Return a text of so many characters at most; an ellipsis stands for what is cut.

    >>> shortened("Which of these divide?", most=9)
    'Which of…'
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"
