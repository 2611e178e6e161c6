"""The student_analysis report: a row for each attempt, two columns for each question."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from workers.analysis.cells import FEW_ROWS, Cell, cells_of, frame_of_cells
from workers.analysis.frames import Column, ColumnKind, Integers, Item, frame_of, responses
from workers.analysis.response_index import ChunkQuestionSets, OptionIndex, ResponseIndex, padded

CONVENTIONS: Final = (
    "Times are in UTC.",
    "A response is plain text: without tags, its entities decoded. A choice is the text of the option.",
    "Each response is shown with the wording of the question that the attempt had.",
    "Partly correct and ungraded responses count as correct, responses without a mark as incorrect.",
)
_MEANINGS: Final = {
    "name": "The respondent's name; empty if the respondent was not logged in.",
    "id": "The respondent's id in the LMS; empty if the respondent was not logged in.",
    "sis_id": "The respondent's SIS id.",
    "root_account": "The respondent's root account.",
    "section": "The names of the respondent's active sections.",
    "section_id": "The ids of the same sections, in the same order.",
    "section_sis_id": "The SIS ids of the same sections, in the same order.",
    "submitted": "When the attempt was submitted, in UTC.",
    "attempt": "The attempt's number, from 1.",
    "n correct": "How many responses count as correct.",
    "n incorrect": "How many responses count as incorrect.",
    "score": "The points given for the attempt; empty until it is graded.",
}


# The cells of an item, and the points given.
_ItemCells = tuple[list[Cell], list[Cell]]


def _column(name: str, kind: ColumnKind, missing: str | None = None) -> Column:
    return Column(name, kind, missing=missing, meaning=_MEANINGS[name])


_CLOSING: Final = (
    (_column("n correct", ColumnKind.INTEGER), "n_correct"),
    (_column("n incorrect", ColumnKind.INTEGER), "n_incorrect"),
    (_column("score", ColumnKind.NUMBER), "score"),
)


@dataclass(frozen=True)
class StudentAnalysisOptions:
    """The options that decide which columns there are beside those of the questions."""

    includes_all_versions: bool
    includes_sis_ids: bool
    includes_root_accounts: bool
    anonymous: bool


class StudentAnalysis:
    """The student_analysis of a quiz, made chunk by chunk.

    ``items`` are the items of the file in the order of their columns, with the title and the points possible
    of the header. ``question_sets`` maps the id of a question set to its item versions, in the order of the
    response lists; a set is looked up when a chunk refers to it. Question sets should share their item
    objects: each object is processed once.
    """

    def __init__(
        self,
        options: StudentAnalysisOptions,
        items: Sequence[Item],
        question_sets: Mapping[int, Sequence[Item]],
    ) -> None:
        self._items = tuple(items)
        self._question_sets = question_sets
        self._leading = tuple(_leading_columns(options))
        self._labels: _Labels | None = None
        self.columns: Sequence[Column] = [
            *(column for column, _ in self._leading),
            *(column for item in self._items for column in _question_columns(item)),
            *(column for column, _ in _CLOSING),
        ]

    def rows(self, attempts: pd.DataFrame) -> pd.DataFrame:
        """Return the report's rows for a chunk of attempts, in order, with the columns of ``columns``.

        ``attempts`` has the columns of `frames.STUDENT_ATTEMPTS`. Raises ValueError if responses do not fit
        their question set, KeyError if the question set is unknown.
        """
        logged_out = attempts["logged_out"].to_numpy(bool)
        leading = [_respondent(attempts[source], column, logged_out) for column, source in self._leading]
        closing = [attempts[source] for _, source in _CLOSING]
        if len(attempts) <= FEW_ROWS:
            return self._few_rows(attempts, leading, closing)
        of_items = self._cells_and_points(attempts)
        return frame_of(
            self.columns, [*(values.array for values in leading), *of_items, *(v.array for v in closing)]
        )

    def _few_rows(
        self, attempts: pd.DataFrame, leading: Sequence[pd.Series], closing: Sequence[pd.Series]
    ) -> pd.DataFrame:
        """Return the rows as a frame of cells: an array for each column would take longer than it saves."""
        items = len(self.columns) - len(closing)
        cells = [
            *map(cells_of, self.columns, leading),
            *self._cells_one_by_one(attempts),
            *map(cells_of, self.columns[items:], closing),
        ]
        return frame_of_cells(self.columns, cells)

    def _cells_one_by_one(self, attempts: pd.DataFrame) -> list[list[Cell]]:
        """Return for each item its cells and the points given, like `_cells_and_points`."""
        size = len(attempts)
        shown: dict[int, _ItemCells] = {item.id: ([""] * size, [None] * size) for item in self._items}
        not_shown: _ItemCells = [""] * size, [None] * size
        labels: dict[int, Mapping[int | None, str]] = {}
        lists = [attempts[name].tolist() for name in ("question_set_id", "answer_ids", "texts", "points")]
        for row, (question_set_id, *responses_) in enumerate(zip(*lists, strict=True)):
            versions = self._question_sets[question_set_id]
            _require_fit(versions, responses_)
            for version, answer_id, text, given in zip(versions, *responses_, strict=True):
                cells, points = shown.get(version.id, not_shown)
                if text is None:
                    if id(version) not in labels:
                        labels[id(version)] = _labels_by_id(version)
                    text = labels[id(version)].get(answer_id, "")
                cells[row] = text
                if given is None:
                    points[row] = 0.0
                elif given == given:
                    points[row] = given
        return list(chain.from_iterable(shown[item.id] for item in self._items))

    def item_responses(self, attempts: pd.DataFrame) -> "ItemResponses":
        """Return the cells and points of a chunk of attempts; raises as ``rows`` does."""
        lengths, (answer_ids, texts, points) = responses(attempts, ["answer_ids", "texts", "points"])
        question_sets = ChunkQuestionSets.of(attempts["question_set_id"])
        labels = self._labels_of(question_sets.ids)
        index = ResponseIndex(labels.question_sets, question_sets.of_attempt, labels.columns, lengths)
        positions = index.positions(len(self._items))
        given = padded(points.to_numpy(np.float64, na_value=0.0), np.nan)[positions]
        chosen = padded(labels.codes(index.codes, answer_ids), 0)[positions]
        return ItemResponses(positions, given, chosen, labels.dtypes, _Texts(texts, positions))

    def _cells_and_points(self, attempts: pd.DataFrame) -> Iterator[Any]:
        """Yield for each item its cells and the points given."""
        responses = self.item_responses(attempts)
        for column in range(len(self._items)):
            yield responses.cells(column)
            yield responses.points[column]

    def _labels_of(self, question_set_ids: tuple[int, ...]) -> "_Labels":
        """Return the labels for the question sets of a chunk; most chunks have those of the one before."""
        if self._labels is None or self._labels.question_set_ids != question_set_ids:
            self._labels = _Labels(
                question_set_ids, [self._question_sets[id_] for id_ in question_set_ids], self._items
            )
        return self._labels


def _leading_columns(options: StudentAnalysisOptions) -> Iterator[tuple[Column, str]]:
    """Yield the columns before the questions, each with the column of the attempts that it shows."""
    text, sis = ColumnKind.TEXT, options.includes_sis_ids
    if not options.anonymous:
        yield _column("name", text), "name"
        # A logged-out taker has no id.
        yield _column("id", ColumnKind.INTEGER, missing=""), "user_id"
        if sis:
            yield _column("sis_id", text), "sis_user_id"
        if options.includes_root_accounts:
            yield _column("root_account", text), "root_account"
    yield _column("section", text), "section"
    yield _column("section_id", text), "section_id"
    if sis:
        yield _column("section_sis_id", text), "section_sis_id"
    yield _column("submitted", ColumnKind.TIME), "finished_at"
    if options.includes_all_versions:
        yield _column("attempt", ColumnKind.INTEGER), "attempt"


def _question_columns(item: Item) -> tuple[Column, Column]:
    """Return an item's two columns: its cells, and the points given, missing for an attempt without it."""
    possible = repr(float(item.points_possible))
    given = f"The points given, of {possible}; empty if the attempt did not have the question."
    return (
        Column(f"{item.id}: {item.title}", ColumnKind.TEXT, item.id, meaning="The response to the question."),
        Column(possible, ColumnKind.NUMBER, item.id, missing="", meaning=given),
    )


def _respondent(values: pd.Series, column: Column, logged_out: npt.NDArray[np.bool_]) -> pd.Series:
    """Return a column of the respondent: a logged-out taker has no id and empty texts."""
    if logged_out.any():
        if column.name == "id":
            values = values.mask(logged_out)
        elif column.kind is ColumnKind.TEXT:
            values = values.mask(logged_out, "")
    return values


def _labels_by_id(version: Item) -> Mapping[int | None, str]:
    """Return the labels of an item's options; if it has an id twice, the first option counts."""
    return {option.id: option.text for option in reversed(version.options)}


def _require_fit(versions: Sequence[Item], lists: Sequence[Sequence[Any]]) -> None:
    """Raise ValueError if the lists of an attempt differ in length, or do not fit its question set."""
    length, *others = map(len, lists)
    if any(other != length for other in others):
        raise ValueError("the lists of an attempt differ in length")
    if length != len(versions):
        raise ValueError("an attempt has more or fewer responses than its question set has questions")


class _Labels:
    """The labels of the options that the items of some question sets have, for each column of the report.

    ``dtypes`` are the categories of each column, the empty string first. Versions are distinguished by
    identity, because hashing their contents would cost more than the report.
    """

    def __init__(
        self,
        question_set_ids: tuple[int, ...],
        question_sets: Sequence[Sequence[Item]],
        items: Sequence[Item],
    ) -> None:
        versions = {id(version): version for question_set in question_sets for version in question_set}
        code_of = {key: code for code, key in enumerate(versions)}
        column_of = {item.id: column for column, item in enumerate(items)}
        self.question_set_ids = question_set_ids
        self.question_sets = [[code_of[id(version)] for version in versions_] for versions_ in question_sets]
        self.columns = np.array([column_of.get(v.id, -1) for v in versions.values()], dtype=np.int64)
        self._options = OptionIndex([[option.id for option in v.options] for v in versions.values()])
        labels: list[dict[str, int]] = [{"": 0} for _ in items]
        label_codes = []
        for version, column in zip(versions.values(), self.columns.tolist(), strict=True):
            known = labels[column] if column >= 0 else {"": 0}
            label_codes += [known.setdefault(option.text, len(known)) for option in version.options]
        # One index for all columns: an index for each would take longer than the rest of a small report. The
        # checks of a dtype make Python's texts of Arrow's, so these are Python's from the start.
        texts = pd.Index([text for known in labels for text in known], dtype=object)
        ends = np.cumsum([len(known) for known in labels])
        self.dtypes = [
            pd.CategoricalDtype(texts[end - len(known) : end])
            for known, end in zip(labels, ends, strict=True)
        ]
        self._label_codes = padded(np.array(label_codes, dtype=np.int64), 0)

    def codes(self, version_codes: Integers, answer_ids: pd.Series) -> Integers:
        """Return the category of each response: 0 if no option was chosen or the version lacks it."""
        numbers = self._options.find(version_codes, answer_ids.to_numpy(np.int64, na_value=0))
        numbers[answer_ids.isna().to_numpy()] = -1
        return self._label_codes[numbers]


@dataclass(frozen=True)
class ItemResponses:
    """The responses of a chunk of attempts, a row for each item.

    ``positions`` are those in the flat response arrays, -1 if the attempt lacks the item; ``points`` are NaN
    there, and 0.0 if none were given.
    """

    positions: Integers
    points: npt.NDArray[np.float64]
    _chosen: Integers
    _dtypes: Sequence[pd.CategoricalDtype]
    _written: "_Texts"

    def cells(self, column: int) -> Any:
        """Return the cells of an item."""
        labels = pd.Categorical.from_codes(self._chosen[column], dtype=self._dtypes[column], validate=False)
        return self._written.cells(column, labels)


class _Texts:
    """The finished texts of a chunk, a row for each column of the report."""

    def __init__(self, texts: pd.Series, positions: Integers) -> None:
        self._texts = texts.array
        self._positions = positions
        self._is_text = padded(texts.notna().to_numpy(bool), False)[positions]
        self._has_text: npt.NDArray[np.bool_] = np.logical_or.reduce(self._is_text, axis=1)

    def cells(self, column: int, labels: pd.Categorical) -> Any:
        """Return a column's cells: the finished text, else the chosen option's label, else nothing."""
        if not self._has_text[column]:
            return labels
        texts = self._texts.take(self._positions[column], allow_fill=True)
        if not labels.codes.any():
            return texts if self._is_text[column].all() else texts.fillna("")
        return pd.Series(texts).where(self._is_text[column], np.asarray(labels, dtype=object)).array
