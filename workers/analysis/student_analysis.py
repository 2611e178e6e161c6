"""The student_analysis report: one row an attempt, two columns a question."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workers.analysis.frames import (
    STUDENT_ATTEMPTS,
    Question,
    empty_for_null,
    responses,
    single_chunk,
    to_arrow,
)
from workers.analysis.response_index import ChunkQuestionSets, Integers, Layout

Column = tuple[pa.Field, pa.Array]

_EMPTY = pa.scalar("", pa.large_string())
_SOURCES: Final = {"id": "user_id", "sis_id": "sis_user_id", "submitted": "finished_at"}
_CLOSING: Final = {"n correct": "n_correct", "n incorrect": "n_incorrect", "score": "score"}


@dataclass(frozen=True)
class StudentAnalysisOptions:
    """What decides the columns beside the questions."""

    includes_all_versions: bool
    includes_sis_ids: bool
    includes_root_accounts: bool
    anonymous: bool


class StudentAnalysis:
    """The report of one quiz, made chunk by chunk.

    ``questions`` are the file's questions in the order of their columns, with the wording and the points
    possible of the header. ``question sets`` maps a question set id to the question versions that an attempt
    of that question set had, in the order of its response arrays; it is read when a chunk needs a question
    set. Versions that are one object are worked out once, so a caller does well to share them.
    """

    def __init__(
        self,
        options: StudentAnalysisOptions,
        questions: Sequence[Question],
        question_sets: Mapping[int, Sequence[Question]],
    ) -> None:
        self._options = options
        self._questions = tuple(questions)
        self._question_sets = question_sets
        self._column_of = {question.id: column for column, question in enumerate(self._questions)}

    def header(self) -> list[str]:
        """Return the names of the columns, in order; names of points columns repeat."""
        names = [field.name for field in self._leading_fields()]
        for question in self._questions:
            names += _names(question)
        return [*names, *_CLOSING]

    def rows(self, attempts: pd.DataFrame) -> pa.Table:
        """Return the report's rows for a chunk of attempts, in their order and under the header's names.

        ``attempts`` has the columns of `frames.STUDENT_ATTEMPTS`. Numbers stay numbers: points are floats,
        null where the attempt did not have the question. Fields whose nulls stand for an empty string are
        marked by `frames.empty_for_null`; every other null is one.

        Raises ValueError where responses do not fit their question set, KeyError for an unknown one.
        """
        table = to_arrow(attempts, STUDENT_ATTEMPTS)
        columns = [
            *self._leading_columns(table),
            *self._question_columns(table),
            *((pa.field(name, table[source].type), table[source]) for name, source in _CLOSING.items()),
        ]
        return pa.Table.from_arrays(
            [column for _, column in columns], schema=pa.schema([field for field, _ in columns])
        )

    def _leading_fields(self) -> list[pa.Field]:
        """Return the fields before the questions."""
        text, sis = pa.large_string(), self._options.includes_sis_ids
        fields = []
        if not self._options.anonymous:
            fields += [pa.field("name", text), empty_for_null("id", pa.int64())]
            fields += [pa.field("sis_id", text)] if sis else []
            fields += [pa.field("root_account", text)] if self._options.includes_root_accounts else []
        fields += [pa.field("section", text), pa.field("section_id", text)]
        fields += [pa.field("section_sis_id", text)] if sis else []
        fields += [pa.field("submitted", STUDENT_ATTEMPTS.field("finished_at").type)]
        return fields + ([pa.field("attempt", pa.int64())] if self._options.includes_all_versions else [])

    def _leading_columns(self, table: pa.Table) -> Iterator[Column]:
        """Yield the columns of `_leading_fields`: who it was, where and when.

        A logged-out taker has an empty string in every text column and no id.
        """
        logged_out = single_chunk(table["logged_out"])
        for field in self._leading_fields():
            column = single_chunk(table[_SOURCES.get(field.name, field.name)])
            if field.name == "id":
                column = pc.if_else(logged_out, pa.scalar(None, pa.int64()), column)
            elif pa.types.is_large_string(field.type):
                column = pc.if_else(logged_out, _EMPTY, column)
            yield field, column

    def _question_columns(self, table: pa.Table) -> Iterator[Column]:
        """Yield for each question its cells and the points given."""
        lengths, (answer_ids, texts, points) = responses(table, ["answer_ids", "texts", "points"])
        points = pc.fill_null(points, 0.0)
        chunk_sets = ChunkQuestionSets.of(single_chunk(table["question_set_id"]))
        versions, coded = _code_versions(
            [self._question_sets[question_set] for question_set in chunk_sets.ids]
        )
        columns = [self._column_of.get(version.id, -1) for version in versions]
        layout = Layout(chunk_sets, coded, columns, lengths)
        for column, question in enumerate(self._questions):
            places = layout.places(column)
            name, points_name = _names(question)
            cells = _cells(places.take(texts), places.take(answer_ids), places.items, versions)
            yield pa.field(name, cells.type), cells
            yield empty_for_null(points_name, points.type), places.take(points)


def _names(question: Question) -> tuple[str, str]:
    """Return the names of a question's two columns."""
    return f"{question.id}: {question.title}", repr(float(question.points_possible))


def _code_versions(question_sets: Sequence[Sequence[Question]]) -> tuple[list[Question], list[list[int]]]:
    """Return the versions in the question sets, and the question sets as indices into them.

    Versions are told apart by identity: hashing their contents would cost more than the report.
    """
    code_of: dict[int, int] = {}
    versions: list[Question] = []
    for question_set in question_sets:
        for version in question_set:
            if id(version) not in code_of:
                code_of[id(version)] = len(versions)
                versions.append(version)
    return versions, [[code_of[id(version)] for version in question_set] for question_set in question_sets]


def _cells(texts: pa.Array, answer_ids: pa.Array, items: Integers, versions: Sequence[Question]) -> pa.Array:
    """Return a question's cells: the finished text, else the chosen answer's, else the empty string."""
    if texts.null_count == len(texts):
        return _chosen_texts(answer_ids, items, versions)
    if texts.null_count:
        answer_ids = pc.if_else(pc.is_null(texts), answer_ids, pa.scalar(None, pa.int64()))
    if answer_ids.null_count == len(answer_ids):
        return pc.fill_null(texts, _EMPTY)
    return pc.coalesce(texts, _chosen_texts(answer_ids, items, versions).dictionary_decode())


def _chosen_texts(answer_ids: pa.Array, items: Integers, versions: Sequence[Question]) -> pa.DictionaryArray:
    """Return the text of each chosen answer in the version that the attempt had.

    Nothing chosen, or an answer that the version does not have, is the empty string. The pair of version
    and answer is looked up as one integer, so a thousand versions cost no more than one.
    """
    present = np.unique(items[items >= 0])
    choices = [(int(item), answer) for item in present for answer in versions[item].answers]
    ids = list(dict.fromkeys(answer.id for _, answer in choices))
    rank = {answer_id: index for index, answer_id in enumerate(ids)}
    text_of: dict[int, str] = {}
    for item, answer in choices:
        text_of.setdefault(item * len(ids) + rank[answer.id], answer.text)

    ranks = pc.index_in(answer_ids, value_set=pa.array(ids, pa.int64()))
    keys = pc.add(pc.multiply(pa.array(items), len(ids)), ranks)
    indices = pc.index_in(keys, value_set=pa.array(list(text_of), pa.int64()))
    labels = pa.array([*text_of.values(), ""], pa.large_string())
    return pa.DictionaryArray.from_arrays(pc.fill_null(indices, len(text_of)), labels)
