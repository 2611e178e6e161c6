"""The input of the analysis: items as values, attempts as frames with Arrow-backed columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

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
