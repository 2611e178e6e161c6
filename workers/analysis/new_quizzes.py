"""The student_analysis of New Quizzes: a row for each attempt, five columns for each item."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from workers.analysis.frames import Column, ColumnKind, Item, frame_of
from workers.analysis.student_analysis import ItemResponses, StudentAnalysis, StudentAnalysisOptions

# A question type that is not listed has no responses and no columns.
ITEM_TYPES: Final[Mapping[str, str]] = {
    "multiple_choice_question": "choice",
    "missing_word_question": "choice",
    "true_false_question": "true-false",
    "short_answer_question": "rich-fill-blank",
    "fill_in_multiple_blanks_question": "rich-fill-blank",
    "multiple_dropdowns_question": "rich-fill-blank",
    "multiple_answers_question": "multi-answer",
    "matching_question": "matching",
    "numerical_question": "numeric",
    "calculated_question": "formula",
    "essay_question": "essay",
    "file_upload_question": "file-upload",
}
"""The item type of New Quizzes for each question type."""

# The first stands for an item that the attempt did not have.
_STATUSES: Final = ("", "correct", "incorrect", "partial", "ungraded", "no response")
_CORRECT, _INCORRECT, _PARTIAL, _UNGRADED, _NO_RESPONSE = range(1, len(_STATUSES))
_STATUS_DTYPE: Final = pd.CategoricalDtype([*_STATUSES])
_GRADED_BY_HAND: Final = ord("D")

_STATUS_OF_OUTCOME: Final = np.full(256, _NO_RESPONSE, np.int8)
_STATUS_OF_OUTCOME[[ord(letter) for letter in "CIPU"]] = _CORRECT, _INCORRECT, _PARTIAL, _UNGRADED
_STATUS_OF_OUTCOME[0] = 0

_TEXT: Final = ColumnKind.TEXT
_LEADING: Final = (
    Column("Name", _TEXT),
    Column("ID", ColumnKind.INTEGER, missing=""),
    Column("SISID", _TEXT),
    Column("SectionIDs", _TEXT),
    Column("SectionNames", _TEXT),
    Column("SectionSISIDs", _TEXT),
    Column("Submitted", ColumnKind.TIME),
    Column("ElapsedTime", _TEXT),
    Column("Attempt", ColumnKind.INTEGER),
)
_CLOSING: Final = (
    Column("NumberOfCorrect", ColumnKind.INTEGER),
    Column("NumberOfIncorrect", ColumnKind.INTEGER),
    Column("NoResponse", ColumnKind.INTEGER),
    Column("PointsPossible", ColumnKind.NUMBER),
    Column("OverallScore", ColumnKind.NUMBER),
)


@dataclass(frozen=True)
class NewQuizzesOptions:
    """What a file shows of the respondents; the columns are the same."""

    includes_sis_ids: bool
    anonymous: bool


class NewQuizzesAnalysis:
    """The student_analysis of a quiz in the layout of New Quizzes, made chunk by chunk.

    ``items`` and ``question_sets`` are those of `StudentAnalysis`; items without responses are left out.
    """

    def __init__(
        self,
        options: NewQuizzesOptions,
        items: Sequence[Item],
        question_sets: Mapping[int, Sequence[Item]],
    ) -> None:
        self._options = options
        self._items = [item for item in items if item.question_type in ITEM_TYPES]
        self._possible = np.array([i.points_possible for i in self._items], dtype=np.float64)[:, np.newaxis]
        plain = StudentAnalysisOptions(
            includes_all_versions=True, includes_sis_ids=False, includes_root_accounts=False, anonymous=True
        )
        self._responses = StudentAnalysis(plain, self._items, question_sets)
        self.columns: Sequence[Column] = [
            *_LEADING,
            *(column for item in self._items for column in _item_columns(item)),
            *_CLOSING,
        ]

    def rows(self, attempts: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a chunk of attempts, in order, with the columns of ``columns``.

        ``attempts`` has the columns of `frames.NEW_QUIZZES_ATTEMPTS`. Raises ValueError if responses do not
        fit their question set, KeyError if the question set is unknown.
        """
        responses = self._responses.item_responses(attempts)
        statuses = self._statuses(attempts["outcomes"], responses)
        had = statuses > 0
        closing = [
            *((statuses == status).sum(axis=0) for status in (_CORRECT, _INCORRECT, _NO_RESPONSE)),
            (had * self._possible).sum(axis=0),
            attempts["score"].array,
        ]
        return frame_of(
            self.columns, [*self._leading(attempts), *self._of_items(responses, statuses), *closing]
        )

    def _leading(self, attempts: pd.DataFrame) -> Iterator[Any]:
        logged_out = attempts["logged_out"].to_numpy(bool)
        hidden = np.full(len(attempts), "")
        nameless, without_sis = self._options.anonymous, not self._options.includes_sis_ids
        yield hidden if nameless else attempts["name"].mask(logged_out, "").array
        yield attempts["user_id"].mask(logged_out | nameless).array
        yield hidden if nameless or without_sis else attempts["sis_user_id"].mask(logged_out, "").array
        yield attempts["section_id"].mask(logged_out, "").array
        yield attempts["section"].mask(logged_out, "").array
        yield hidden if without_sis else attempts["section_sis_id"].mask(logged_out, "").array
        yield attempts["finished_at"].array
        yield _elapsed(attempts["started_at"], attempts["finished_at"])
        yield attempts["attempt"].array

    def _of_items(self, responses: ItemResponses, statuses: npt.NDArray[np.int8]) -> Iterator[Any]:
        for index, item in enumerate(self._items):
            size = statuses.shape[1]
            yield np.full(size, item.id)
            yield [ITEM_TYPES[item.question_type]] * size
            yield responses.cells(index)
            yield responses.points[index]
            yield pd.Categorical.from_codes(statuses[index], dtype=_STATUS_DTYPE)

    def _statuses(self, outcomes: pd.Series, responses: ItemResponses) -> npt.NDArray[np.int8]:
        """Return the status of each item (row) in each attempt (column), as an index of ``_STATUSES``."""
        letters = np.frombuffer("".join(outcomes.tolist()).encode("ascii") + b"\0", np.uint8)
        letters = letters[responses.positions]
        statuses: npt.NDArray[np.int8] = _STATUS_OF_OUTCOME[letters]
        points = responses.points
        by_points = np.where(points >= self._possible, _CORRECT, np.where(points > 0, _PARTIAL, _INCORRECT))
        return np.where(letters == _GRADED_BY_HAND, by_points, statuses).astype(np.int8)


def _item_columns(item: Item) -> Iterator[Column]:
    yield Column("ItemID", ColumnKind.INTEGER, item.id)
    yield Column("ItemType", _TEXT, item.id)
    yield Column(item.title, _TEXT, item.id)
    yield Column("EarnedPoints", ColumnKind.NUMBER, item.id, missing="")
    yield Column("Status", _TEXT, item.id)


def _elapsed(started_at: pd.Series, finished_at: pd.Series) -> list[str | None]:
    """Return how long each attempt took, as ``0:10:04``; None without a start, an end, or time between."""
    seconds = (finished_at - started_at).dt.total_seconds().to_numpy(np.float64, na_value=np.nan)
    return [None if np.isnan(value) or value < 0 else _clock(int(value)) for value in seconds]


def _clock(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
