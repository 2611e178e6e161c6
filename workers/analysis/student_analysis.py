"""The student_analysis report: a row for each attempt, two columns for each question."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workers.analysis.frames import (
    STUDENT_ATTEMPTS,
    Item,
    empty_for_null,
    responses,
    single_chunk,
    to_arrow,
)
from workers.analysis.response_index import ChunkQuestionSets, Integers, ResponseIndex

Column = tuple[pa.Field, pa.Array]

_EMPTY = pa.scalar("", pa.large_string())
_SOURCES: Final = {"id": "user_id", "sis_id": "sis_user_id", "submitted": "finished_at"}
_CLOSING: Final = {"n correct": "n_correct", "n incorrect": "n_incorrect", "score": "score"}


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
        self._options = options
        self._items = tuple(items)
        self._question_sets = question_sets
        self._column_of = {item.id: column for column, item in enumerate(self._items)}

    def header(self) -> list[str]:
        """Return the names of the columns, in order; the names of points columns may repeat."""
        names = [field.name for field in self._leading_fields()]
        for item in self._items:
            names += _names(item)
        return [*names, *_CLOSING]

    def rows(self, attempts: pd.DataFrame) -> pa.Table:
        """Return the report's rows for a chunk of attempts, in order, with the header's names.

        ``attempts`` has the columns of `frames.STUDENT_ATTEMPTS`. Numbers stay numbers: points are floats,
        null if the attempt did not have the question. Fields whose nulls are written as the empty string are
        marked by `frames.empty_for_null`.

        Raises ValueError if responses do not fit their question set, KeyError if the question set is unknown.
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
        """Yield the columns of `_leading_fields`: the respondent, the sections and the time.

        A logged-out taker has no id and the empty string in each text column.
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
        """Yield for each item its cells and the points given."""
        lengths, (answer_ids, texts, points) = responses(table, ["answer_ids", "texts", "points"])
        points = pc.fill_null(points, 0.0)
        chunk_sets = ChunkQuestionSets.of(single_chunk(table["question_set_id"]))
        versions, codes = _code_versions(
            [self._question_sets[question_set_id] for question_set_id in chunk_sets.ids]
        )
        columns = [self._column_of.get(version.id, -1) for version in versions]
        index = ResponseIndex(chunk_sets, codes, columns, lengths)
        for column, item in enumerate(self._items):
            found = index.positions(column)
            name, points_name = _names(item)
            cells = _cells(found.take(texts), found.take(answer_ids), found.codes, versions)
            yield pa.field(name, cells.type), cells
            yield empty_for_null(points_name, points.type), found.take(points)


def _names(item: Item) -> tuple[str, str]:
    """Return the names of an item's two columns."""
    return f"{item.id}: {item.title}", repr(float(item.points_possible))


def _code_versions(question_sets: Sequence[Sequence[Item]]) -> tuple[list[Item], list[list[int]]]:
    """Return the distinct versions in the question sets, and each set as indices into these.

    Versions are distinguished by identity, because hashing their contents would cost more than the report.
    """
    code_of: dict[int, int] = {}
    versions: list[Item] = []
    for question_set in question_sets:
        for version in question_set:
            if id(version) not in code_of:
                code_of[id(version)] = len(versions)
                versions.append(version)
    return versions, [[code_of[id(version)] for version in question_set] for question_set in question_sets]


def _cells(texts: pa.Array, answer_ids: pa.Array, codes: Integers, versions: Sequence[Item]) -> pa.Array:
    """Return an item's cells: the finished text, else the chosen option's label, else the empty string."""
    if texts.null_count == len(texts):
        return _chosen_labels(answer_ids, codes, versions)
    if texts.null_count:
        answer_ids = pc.if_else(pc.is_null(texts), answer_ids, pa.scalar(None, pa.int64()))
    if answer_ids.null_count == len(answer_ids):
        return pc.fill_null(texts, _EMPTY)
    return pc.coalesce(texts, _chosen_labels(answer_ids, codes, versions).dictionary_decode())


def _chosen_labels(answer_ids: pa.Array, codes: Integers, versions: Sequence[Item]) -> pa.DictionaryArray:
    """Return the label of each chosen option, in the version that the attempt had.

    It is the empty string if no option was chosen or the version does not have the option. The pair of
    version and option is looked up as one integer, so a thousand versions cost no more than one.
    """
    present = np.unique(codes[codes >= 0])
    choices = [(int(code), option) for code in present for option in versions[code].options]
    ids = list(dict.fromkeys(option.id for _, option in choices))
    rank = {option_id: index for index, option_id in enumerate(ids)}
    label_of: dict[int, str] = {}
    for code, option in choices:
        label_of.setdefault(code * len(ids) + rank[option.id], option.text)

    ranks = pc.index_in(answer_ids, value_set=pa.array(ids, pa.int64()))
    keys = pc.add(pc.multiply(pa.array(codes), len(ids)), ranks)
    indices = pc.index_in(keys, value_set=pa.array(list(label_of), pa.int64()))
    labels = pa.array([*label_of.values(), ""], pa.large_string())
    return pa.DictionaryArray.from_arrays(pc.fill_null(indices, len(label_of)), labels)
