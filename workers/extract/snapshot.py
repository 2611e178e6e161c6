"""What a report reads from the database, in one repeatable-read snapshot.

A report first selects its attempts in row order, keeping three numbers of each, and then fetches them by
their keys in chunks of limited size. So the chunk bounds the memory, no statement runs long, and the lease
can be renewed in between.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from threading import Lock
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import numpy as np
import pandas as pd
import pyarrow as pa
from adbc_driver_manager import AdbcStatusCode, OperationalError
from adbc_driver_manager import Error as AdbcError
from adbc_driver_postgresql import StatementOptions, dbapi

from models.db.liveness import KEEPALIVES
from models.reports.jobs import Claim
from models.reports.selected_attempts import all_attempts, first_attempts, kept_attempts
from models.reports.variants import AttemptChoice
from models.settings import Settings
from workers.analysis.provenance import Provenance
from workers.extract import provenance, queries
from workers.extract.arrays import with_lists
from workers.extract.items import QuizItems, read_points_of_groups, read_question, to_item
from workers.extract.provenance import attempt_counts
from workers.extract.sections import Sections, StudentSections, sections_by_id
from workers.extract.selection import Selection, split
from workers.metrics import ROWS_READ, STEP_SECONDS

# A smaller chunk would cost more statements than it saves memory, unless its attempts are long.
_SMALLEST_CHUNK = 1_000
# Enough chunks for the completion to move.
_CHUNKS_TO_SHOW = 10
# An id, and the length that PostgreSQL sends before it.
_ID_BYTES = 12
_BATCH_BYTES = "1048576"
_FEW_ROWS = 100
# A row has cells for all items of the file, and the attempt may have had few of them.
_MOST_CELLS = 2**20

Chunk = Callable[[], Iterator[pd.DataFrame]]
"""Some attempts as they were read; called once, in the thread that uses them, it yields their frames."""


class SnapshotConnection:
    """A connection that returns query results as Arrow tables, all of a report from one snapshot."""

    def __init__(self, url: str, *, statement_timeout_seconds: float) -> None:
        self._url = url
        self._timeout_ms = int(statement_timeout_seconds * 1000)
        self._connection: Any = None
        self._one_at_a_time = Lock()

    def begin(self) -> None:
        """Start a read-only transaction with one view of the data; reconnect if the connection was lost."""
        if self._connection is not None:
            try:
                self._begin()
                return
            except AdbcError:
                self.close()
        self._connection = dbapi.connect(watched_by_kernel(self._url), autocommit=True)
        try:
            self._execute(
                f"SET statement_timeout = {self._timeout_ms}; SET timezone = 'UTC';"
                # Enough to sort a chunk of wide rows, or a million narrow ones, without going to disk.
                " SET work_mem = '64MB'"
            )
            self._begin()
        except BaseException:
            # The next report would find a connection without these settings.
            self.close()
            raise

    def end(self) -> None:
        """End the transaction, or close the connection if that fails."""
        try:
            self._execute("ROLLBACK")
        except AdbcError:
            self.close()

    def read(self, sql: str, expected_rows: int = 1) -> pa.Table:
        """Return the result of a query; the only values in `sql` are integers of our own.

        Up to a hundred rows come in one result, which is in memory twice; more come by COPY, once.
        """
        with self._cursor() as cursor:
            if expected_rows <= _FEW_ROWS:
                # By COPY, the driver prepares and describes the query first, in two more round trips.
                cursor.adbc_statement.set_options(**{StatementOptions.USE_COPY.value: "false"})
            cursor.execute(sql)
            return cursor.fetch_arrow_table()

    @contextmanager
    def batches(self, sql: str, expected_rows: int = _FEW_ROWS + 1) -> Iterator[Iterator[pa.RecordBatch]]:
        """Provide the result of such a query in parts, of which one is in memory at a time.

        Until the block ends, other threads that read wait, and its own thread must not read anything else.
        """
        if expected_rows <= _FEW_ROWS:
            yield iter(self.read(sql, expected_rows).to_batches())
            return
        with self._cursor() as cursor:
            cursor.adbc_statement.set_options(**{StatementOptions.BATCH_SIZE_HINT_BYTES.value: _BATCH_BYTES})
            cursor.execute(sql)
            with cursor.fetch_record_batch() as batches:
                yield _checked(batches)

    def close(self) -> None:
        """Close the connection, if it is open."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _begin(self) -> None:
        self._execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def _execute(self, sql: str) -> None:
        """Execute statements without a result."""
        with self._cursor() as cursor:
            # Cursor.execute would prepare and describe them first, in two more round trips.
            cursor.adbc_statement.set_sql_query(sql)
            cursor.adbc_statement.execute_update()

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        """Provide a cursor to one thread at a time, until its result is read.

        The objects of ADBC may be used by several threads, but by one at a time, and another query on the
        same connection invalidates a result that is not read to its end:
        https://arrow.apache.org/adbc/current/cpp/concurrency.html. A chunk is read ahead in a thread of its
        own while the job may ask for something else.
        """
        with self._one_at_a_time, self._connection.cursor() as cursor:
            yield cursor


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
        self.most_attempts = settings.chunk_attempts
        self.has_several_attempts = False
        self.attempt_count = 0

    def __enter__(self) -> Extract:
        self._connection.begin()
        try:
            # Read first: everything else in the snapshot is at least as new as these.
            quizzes = self._connection.read(queries.quiz(self.variant.quiz_id, _FEW_ROWS + 1))
            self._quiz = quizzes.to_pylist()[0]
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
    def transactions(self) -> str:
        """The transactions that this snapshot shows, as PostgreSQL writes a snapshot."""
        return str(self._quiz["snapshot"])

    @property
    def _counted_attempts(self) -> int:
        """How many attempts the quiz has, if they are few; else a number that is not."""
        attempts: int = self._quiz["counted_attempts"]
        return attempts

    @property
    def points_possible(self) -> float | None:
        """The points that the quiz carries."""
        points: float | None = self._quiz["points_possible"]
        return points

    @property
    def includes_root_accounts(self) -> bool:
        """Whether the course wants its users' root accounts in the file."""
        return bool(self._quiz["include_root_accounts"])

    def select_rows(self) -> Selection:
        """Select the attempts of a student_analysis: all, or the one per respondent that counts."""
        variant = self.variant
        if variant.includes_all_versions:
            sql = all_attempts(self._course_id, variant.quiz_id, variant.section_ids)
            return self._select(sql, provenance.ALL_ATTEMPTS)
        policy = self._quiz["scoring_policy"]
        sql = kept_attempts(self._course_id, variant.quiz_id, policy, variant.section_ids)
        return self._select(sql, provenance.KEPT_ATTEMPTS)

    def select_first_attempts(self) -> Selection:
        """Select the attempts of an item_analysis: the first submitted one of each student."""
        variant = self.variant
        sql = first_attempts(self._course_id, variant.quiz_id, variant.section_ids)
        return self._select(sql, provenance.FIRST_ATTEMPTS)

    def provenance(
        self,
        selection: Selection,
        conventions: Sequence[str],
        *,
        takes_logged_out: bool,
        analysis_version: str,
    ) -> Provenance:
        """Count what a selection leaves out, and gather where the figures of the report come from."""
        variant = self.variant
        by_kind = self._connection.read(
            queries.attempts_by_kind(self._course_id, variant.quiz_id, variant.section_ids)
        )
        counts = dict(zip(by_kind["kind"].to_pylist(), by_kind["attempts"].to_pylist(), strict=True))
        return Provenance(
            report_type=variant.report_type.value,
            course_id=self._course_id,
            quiz_id=variant.quiz_id,
            quiz_title=self._quiz["title"],
            includes_all_versions=variant.includes_all_versions,
            includes_sis_ids=variant.includes_sis_ids,
            anonymous=variant.anonymous,
            section_ids=variant.section_ids,
            quiz_revision=self.revisions.quiz,
            roster_revision=self.revisions.roster,
            analysis_version=analysis_version,
            generated_at=self._quiz["now"],
            attempts=attempt_counts(
                selection, counts, takes_logged_out=takes_logged_out and not variant.section_ids
            ),
            conventions=conventions,
            software=f"Quiz Reports {metadata.version('quiz-reports')}",
        )

    def select_students(self) -> Selection:
        """Select an attempt of each student for the statistics: the first, the last or the kept one."""
        variant = self.variant
        where = self._course_id, variant.quiz_id
        several = self._connection.read(queries.has_several_attempts(*where)).to_pylist()
        self.has_several_attempts = bool(several[0]["several"])
        if variant.attempt_choice is AttemptChoice.LAST:
            return self._select(queries.last_attempts(*where, variant.section_ids), provenance.LAST_ATTEMPTS)
        if variant.attempt_choice is AttemptChoice.KEPT:
            policy = self._quiz["scoring_policy"]
            sql = queries.kept_attempts_of_students(*where, policy, variant.section_ids)
            return self._select(sql, provenance.KEPT_ATTEMPTS)
        return self.select_first_attempts()

    def items(self, selection: Selection) -> QuizItems:
        """Read the items of the quiz and of the selected attempts' question sets."""
        set_ids = selection.question_set_ids
        present = self._quiz["question_version_ids"] or []
        # Question sets mostly have as many versions as the quiz, and may share none of them.
        expected = (len(set_ids) + 1) * (len(present) + 1) if present else _FEW_ROWS + 1
        found = self._connection.read(queries.items(set_ids, present), expected)
        question_sets: dict[int, Sequence[int]] = {}
        contents: dict[int, str] = {}
        for id_, version_ids, content in zip(*(column.to_pylist() for column in found), strict=True):
            if content is None:
                question_sets[id_] = version_ids
            else:
                contents[id_] = content
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
            contents=contents,
        )

    def rows(self, selection: Selection, items: QuizItems) -> Generator[Chunk]:
        """Yield chunks of attempts as `frames.STUDENT_ATTEMPTS`, in row order."""
        return self._rows(selection, items, queries.student_attempts)

    def new_quizzes_rows(self, selection: Selection, items: QuizItems) -> Generator[Chunk]:
        """Yield chunks of attempts as `frames.NEW_QUIZZES_ATTEMPTS`, in row order."""
        return self._rows(selection, items, queries.new_quizzes_attempts)

    def _rows(
        self, selection: Selection, items: QuizItems, query: Callable[[list[int]], str]
    ) -> Generator[Chunk]:
        names: Sections | None = None
        for attempts in self._chunks(selection, items, query):
            user_ids = attempts["user_id"].drop_null().unique().to_pylist()
            if names is None:
                # With those of the first chunk's students, since most reports have one chunk.
                found = self._connection.read(queries.sections(self._course_id, user_ids), len(user_ids))
                students = len(found) - found["user_id"].null_count
                names, section_ids = sections_by_id(found.slice(students)), found.slice(0, students)
            else:
                section_ids = self._section_ids(user_ids)
            yield _chunk(partial(_frames_with_sections, names=names, section_ids=section_ids), attempts)
            # Kept until the next is here, it would be a chunk more.
            del attempts

    def _section_ids(self, user_ids: Sequence[int]) -> pa.Table:
        return self._connection.read(queries.section_ids(self._course_id, user_ids), len(user_ids))

    def choices(self, selection: Selection, items: QuizItems) -> Generator[Chunk]:
        """Yield chunks of attempts as `frames.ITEM_ATTEMPTS`."""
        # No texts are read, so they do not count: of each attempt there is an id a question.
        longest = max(map(len, items.question_sets.values()), default=0)
        sizes = np.broadcast_to(np.int32(_ID_BYTES * longest), len(selection.attempt_ids))
        for attempts in self._chunks(replace(selection, sizes=sizes), items, queries.item_attempts):
            yield _chunk(_frames, attempts)
            del attempts

    def statistics(self, selection: Selection, items: QuizItems) -> Generator[Chunk]:
        """Yield chunks of attempts as `frames.STATISTICS_ATTEMPTS`.

        If the quiz has questions whose answers are selected other than by one id, chunks of
        `frames.SELECTIONS` follow.
        """
        passes = [queries.statistics_attempts, *([queries.selections] if items.have_selections else [])]
        for query in passes:
            for attempts in self._chunks(selection, items, query):
                yield _chunk(_frames, attempts)
                del attempts

    def submissions(self) -> Iterator[pd.DataFrame]:
        """Yield the attempts that count, or all, as `frames.SUBMISSIONS` in parts of limited size.

        Nothing else can be read until the last part is.
        """
        variant = self.variant
        where = self._course_id, variant.quiz_id
        selected = (
            all_attempts(*where, variant.section_ids)
            if variant.includes_all_versions
            else kept_attempts(*where, self._quiz["scoring_policy"], variant.section_ids)
        )
        with self._connection.batches(queries.submissions(selected)) as batches:
            for batch in batches:
                yield batch.to_pandas(types_mapper=pd.ArrowDtype)

    def _select(self, sql: str, rule: str) -> Selection:
        if self.variant.section_ids:
            rule += provenance.OF_SECTIONS
        with self._connection.batches(sql, self._counted_attempts) as batches:
            selection = Selection.read(batches, rule)
        self.attempt_count = len(selection.attempt_ids)
        return selection

    def _chunks(
        self, selection: Selection, items: QuizItems, query: Callable[[list[int]], str]
    ) -> Iterator[pa.Table]:
        ids = selection.attempt_ids
        size = min(
            self.most_attempts,
            max(_SMALLEST_CHUNK, -(-len(ids) // _CHUNKS_TO_SHOW)),
            max(1, _MOST_CELLS // max(1, len(items.in_order))),
        )
        for part in selection.chunks(size):
            with STEP_SECONDS.labels("read").time():
                attempts = self._connection.read(query(ids[part].tolist()), part.stop - part.start)
            ROWS_READ.inc(attempts.num_rows)
            yield attempts
            # Two chunks at a time would take twice the memory.
            del attempts


def _chunk(frames: Callable[[pa.Table], Iterator[pd.DataFrame]], attempts: pa.Table) -> Chunk:
    """Return a chunk that lets go of what was read: the bytes of arrays would stay beside their lists."""
    held = [attempts]
    return lambda: frames(held.pop())


def _frames(attempts: pa.Table) -> Iterator[pd.DataFrame]:
    """Yield the frame of a chunk."""
    attempts = with_lists(attempts)
    yield attempts.to_pandas(types_mapper=pd.ArrowDtype)


def _frames_with_sections(
    attempts: pa.Table, names: Sections, section_ids: pa.Table
) -> Iterator[pd.DataFrame]:
    """Yield the frame of a chunk with the sections of its students, in parts if that is large."""
    attempts = with_lists(attempts)
    user_ids = pd.Series(pd.arrays.ArrowExtensionArray(attempts["user_id"]))
    sections = StudentSections(names, section_ids)
    # The sizes of the selection leave out the sections, whose names may be longer than responses.
    for part in split(sections.sizes(user_ids), len(user_ids)):
        yield _frame(attempts.slice(part.start, part.stop - part.start), **sections.of(user_ids.iloc[part]))


def _frame(attempts: pa.Table, **columns: Any) -> pd.DataFrame:
    """Return the columns of a table and some more as a frame, without a copy."""
    arrays = map(pd.arrays.ArrowExtensionArray, attempts.columns)
    return pd.DataFrame({**dict(zip(attempts.column_names, arrays, strict=True)), **columns}, copy=False)


def _checked(batches: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Yield the batches; raise the errors of Arrow's reader as those of ADBC that they stand for."""
    try:
        yield from batches
    except (OSError, pa.ArrowException) as error:
        raise OperationalError(str(error), status_code=AdbcStatusCode.IO) from error


def watched_by_kernel(url: str) -> str:
    """Add to a database's URL the keep-alive parameters that it does not set itself."""
    parts = urlsplit(url)
    return parts._replace(
        query=urlencode({**KEEPALIVES, **dict(parse_qsl(parts.query))}, quote_via=quote)
    ).geturl()
