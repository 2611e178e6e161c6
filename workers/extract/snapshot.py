"""What a report reads from the database, in one repeatable-read snapshot.

A report first selects its attempts in row order, keeping three numbers of each, and then fetches them by
their keys in chunks of limited size. So the chunk bounds the memory, no statement runs long, and the lease
can be renewed in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from adbc_driver_manager import Error as AdbcError
from adbc_driver_postgresql import dbapi

from models.db.liveness import KEEPALIVES
from models.reports.jobs import Claim
from models.settings import Settings
from workers.extract import queries
from workers.extract.items import QuizItems, read_points_of_groups, read_question, to_item
from workers.extract.sections import StudentSections
from workers.extract.selection import Selection
from workers.metrics import ROWS_READ, STEP_SECONDS

# A smaller chunk would cost more statements than it saves memory, unless its attempts are long.
_SMALLEST_CHUNK = 1_000
# Enough chunks for the completion to move.
_CHUNKS_TO_SHOW = 10
# A row has cells for all items of the file, and the attempt may have had few of them.
_MOST_CELLS = 2**20


class SnapshotConnection:
    """A connection that returns query results as Arrow tables, all of a report from one snapshot."""

    def __init__(self, url: str, *, statement_timeout_seconds: float) -> None:
        self._url = url
        self._timeout_ms = int(statement_timeout_seconds * 1000)
        self._connection: Any = None

    def begin(self) -> None:
        """Start a read-only transaction with one view of the data; reconnect if the connection was lost."""
        if self._connection is not None:
            try:
                self._begin()
                return
            except AdbcError:
                self.close()
        self._connection = dbapi.connect(watched_by_kernel(self._url), autocommit=True)
        self._begin()

    def end(self) -> None:
        """End the transaction, or close the connection if that fails."""
        try:
            self._execute("ROLLBACK")
        except AdbcError:
            self.close()

    def read(self, sql: str) -> pa.Table:
        """Return the result of a query; the only values in `sql` are integers of our own."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetch_arrow_table()

    def close(self) -> None:
        """Close the connection, if it is open."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _begin(self) -> None:
        self._execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self._execute(f"SET LOCAL statement_timeout = {self._timeout_ms}")
        self._execute("SET LOCAL timezone = 'UTC'")
        # Enough to sort a chunk of wide rows, or a million narrow ones, without going to disk.
        self._execute("SET LOCAL work_mem = '64MB'")

    def _execute(self, sql: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)


@dataclass(frozen=True)
class Revisions:
    """The revisions of the quiz and the roster in a snapshot."""

    quiz: int
    roster: int


class Extract:
    """The data of one report; a context manager that holds one snapshot while it is entered."""

    def __init__(self, connection: SnapshotConnection, claim: Claim, settings: Settings) -> None:
        self.variant = claim.variant
        self._course_id = claim.course_id
        self._connection = connection
        self._most_attempts = settings.chunk_attempts

    def __enter__(self) -> Extract:
        self._connection.begin()
        try:
            # Read first: everything else in the snapshot is at least as new as these.
            self._quiz = self._connection.read(queries.quiz(self.variant.quiz_id)).to_pylist()[0]
        except BaseException:
            # An open snapshot would be used by the next report, too.
            self._connection.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.end()

    @property
    def revisions(self) -> Revisions:
        """The revisions in this snapshot."""
        return Revisions(self._quiz["revision"], self._quiz["roster_revision"])

    @property
    def includes_root_accounts(self) -> bool:
        """Whether the course wants its users' root accounts in the file."""
        return bool(self._quiz["include_root_accounts"])

    def select_rows(self) -> Selection:
        """Select the attempts of a student_analysis: all, or the one per respondent that counts."""
        variant = self.variant
        if variant.includes_all_versions:
            return self._select(queries.all_attempts(self._course_id, variant.quiz_id, variant.section_ids))
        policy = self._quiz["scoring_policy"]
        return self._select(
            queries.kept_attempts(self._course_id, variant.quiz_id, policy, variant.section_ids)
        )

    def select_first_attempts(self) -> Selection:
        """Select the attempts of an item_analysis: the first submitted one of each student."""
        variant = self.variant
        return self._select(queries.first_attempts(self._course_id, variant.quiz_id, variant.section_ids))

    def items(self, selection: Selection) -> QuizItems:
        """Read the items of the quiz and of the selected attempts' question sets."""
        question_sets = self._by_id(queries.question_sets(selection.question_set_ids), "question_version_ids")
        present = self._quiz["question_version_ids"] or []
        needed = {*present, *(version_id for ids in question_sets.values() for version_id in ids)}
        contents = self._by_id(queries.question_versions(needed), "content")
        versions = {version_id: read_question(content) for version_id, content in contents.items()}
        return QuizItems(
            present=present,
            question_sets={
                question_set_id: question_sets[question_set_id]
                for question_set_id in selection.question_set_ids
            },
            versions={version_id: to_item(question) for version_id, question in versions.items()},
            newest_first=selection.newest_first,
            sent=selection.sent,
            groups={
                version_id: question.quiz_group_id
                for version_id, question in versions.items()
                if question.quiz_group_id is not None
            },
            points_of_groups=read_points_of_groups(self._quiz["question_groups"]),
        )

    def rows(self, selection: Selection, items: QuizItems) -> Iterator[pd.DataFrame]:
        """Yield chunks of attempts as `frames.STUDENT_ATTEMPTS`, in row order."""
        sections = StudentSections(
            self._connection.read(queries.sections(self._course_id)),
            self._connection.read(queries.section_ids(self._course_id)),
        )
        for attempts in self._chunks(selection, items, queries.student_attempts):
            yield sections.added_to(attempts).to_pandas(types_mapper=pd.ArrowDtype)

    def choices(self, selection: Selection, items: QuizItems) -> Iterator[pd.DataFrame]:
        """Yield chunks of attempts as `frames.ITEM_ATTEMPTS`."""
        for attempts in self._chunks(selection, items, queries.item_attempts):
            yield attempts.to_pandas(types_mapper=pd.ArrowDtype)

    def _select(self, sql: str) -> Selection:
        selected = self._connection.read(sql)
        question_set_ids = selected["question_set_id"].to_numpy()
        updated_at = selected["updated_at"].to_numpy().astype(np.int64)
        sent = selected["sends_questions"].to_numpy()
        # Of two attempts at the same moment, the first in row order is the newer.
        newest_first = np.argsort(-updated_at, kind="stable")
        return Selection(
            selected["id"].to_numpy(),
            selected["size"].to_numpy(),
            _distinct(question_set_ids),
            _distinct(question_set_ids[newest_first]),
            frozenset(_distinct(question_set_ids[sent])),
            selected["score"].to_numpy() if "score" in selected.column_names else np.empty(0),
        )

    def _by_id(self, sql: str, column: str) -> dict[int, Any]:
        table = self._connection.read(sql)
        return dict(zip(table["id"].to_pylist(), table[column].to_pylist(), strict=True))

    def _chunks(
        self, selection: Selection, items: QuizItems, query: Callable[[list[int]], str]
    ) -> Iterator[pa.Table]:
        ids = selection.attempt_ids
        size = min(
            self._most_attempts,
            max(_SMALLEST_CHUNK, -(-len(ids) // _CHUNKS_TO_SHOW)),
            max(1, _MOST_CELLS // max(1, len(items.in_order))),
        )
        for part in selection.chunks(size):
            with STEP_SECONDS.labels("read").time():
                attempts = self._connection.read(query(ids[part].tolist()))
            ROWS_READ.inc(attempts.num_rows)
            yield attempts
            # Two chunks at a time would take twice the memory.
            del attempts


def _distinct(question_set_ids: npt.NDArray[np.int64]) -> list[int]:
    """List each id once, in the order of first use; there are few."""
    return [int(question_set_id) for question_set_id in pd.unique(question_set_ids)]


def watched_by_kernel(url: str) -> str:
    """Add to a database's URL the keep-alive parameters that it does not set itself."""
    parts = urlsplit(url)
    return parts._replace(
        query=urlencode({**KEEPALIVES, **dict(parse_qsl(parts.query))}, quote_via=quote)
    ).geturl()
