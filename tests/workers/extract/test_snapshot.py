"""The snapshot that a report reads, after one that was not read to its end."""

from __future__ import annotations

import uuid
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from adbc_driver_manager import Error as AdbcError

from models.db.session import Database
from models.lms.courses import Course
from models.lms.quizzes import Quiz, QuizType, ScoringPolicy
from models.reports.jobs import Claim
from models.reports.variants import ReportFormat, ReportType, Variant
from models.settings import Settings
from tests.school import School, Size
from tests.servers import drop_connections
from workers.extract.selection import CHUNK_BYTES
from workers.extract.snapshot import Extract, SnapshotConnection, watched_by_kernel

_MISSING = Variant(202, ReportType.STUDENT_ANALYSIS, ReportFormat.CSV, False, False, False)


@pytest.fixture
def snapshots(database: Database) -> Iterator[SnapshotConnection]:
    with database.transaction() as session:
        session.add(Course(id=101, name="Biology", roster_revision=1))
        session.flush()
        session.add(
            Quiz(
                id=201,
                course_id=101,
                title="Cells",
                quiz_type=QuizType.ASSIGNMENT,
                scoring_policy=ScoringPolicy.HIGHEST,
                revision=1,
            )
        )
    connection = SnapshotConnection(database.url, statement_timeout_seconds=30)
    yield connection
    connection.close()


def extract(snapshots: SnapshotConnection, settings: Settings, variant: Variant) -> Extract:
    return Extract(snapshots, Claim(1, 1, uuid.uuid4(), variant, 101), settings)


def test_a_report_that_finds_no_quiz_leaves_its_snapshot_to_nobody(
    snapshots: SnapshotConnection, settings: Settings, database: Database
) -> None:
    with pytest.raises(IndexError), extract(snapshots, settings, _MISSING):
        raise AssertionError("there is no such quiz")
    with database.transaction() as session:
        session.get_one(Quiz, 201).revision = 2
    with extract(snapshots, settings, replace(_MISSING, quiz_id=201)) as entered:
        assert entered.revisions.quiz == 2


def test_a_connection_that_was_dropped_in_a_report_is_made_again_for_the_next(
    snapshots: SnapshotConnection, settings: Settings, database: Database
) -> None:
    with extract(snapshots, settings, replace(_MISSING, quiz_id=201)):
        drop_connections(database.url)
    with extract(snapshots, settings, replace(_MISSING, quiz_id=201)) as entered:
        assert entered.revisions.quiz == 1


def test_a_query_of_another_thread_waits_until_the_batches_are_read(
    snapshots: SnapshotConnection, settings: Settings
) -> None:
    with (
        extract(snapshots, settings, replace(_MISSING, quiz_id=201)),
        ThreadPoolExecutor(1) as thread,
    ):
        with snapshots.batches("SELECT generate_series(1, 1000000) AS number") as batches:
            total = next(batches).num_rows
            other = thread.submit(snapshots.read, "SELECT 1 AS one")
            total += sum(batch.num_rows for batch in batches)
            waited = not other.done()
        assert other.result().to_pylist() == [{"one": 1}]
    assert total == 1_000_000
    assert waited


def test_batches_that_are_not_read_to_their_end_leave_the_connection_usable(
    snapshots: SnapshotConnection, settings: Settings
) -> None:
    with extract(snapshots, settings, replace(_MISSING, quiz_id=201)):
        with snapshots.batches("SELECT generate_series(1, 1000000) AS number") as batches:
            next(batches)
        assert snapshots.read("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_each_report_is_read_with_the_settings_of_its_connection(snapshots: SnapshotConnection) -> None:
    for _ in range(2):
        snapshots.begin()
        shown = snapshots.read(
            "SELECT current_setting('work_mem') AS memory, current_setting('timezone') AS zone"
        )
        snapshots.end()

        assert shown.to_pylist() == [{"memory": "64MB", "zone": "UTC"}]


def test_no_report_is_read_without_the_settings_of_its_connection(settings: Settings) -> None:
    too_many_seconds = 1e9
    with closing(
        SnapshotConnection(settings.database_url, statement_timeout_seconds=too_many_seconds)
    ) as snapshots:
        for _ in range(2):
            with pytest.raises(AdbcError, match="statement_timeout"):
                snapshots.begin()


def test_a_connection_that_is_lost_between_batches_is_an_error_of_the_database(
    snapshots: SnapshotConnection, settings: Settings, database: Database
) -> None:
    with (
        extract(snapshots, settings, replace(_MISSING, quiz_id=201)),
        snapshots.batches("SELECT generate_series(1, 3000000) AS number") as batches,
    ):
        next(batches)
        drop_connections(database.url)
        with pytest.raises(AdbcError):
            list(batches)


def test_long_names_of_sections_make_small_chunks(settings: Settings, database: Database) -> None:
    school = School(database.url)
    quiz_id = school.add_quiz(Size(students=60, questions=1))
    with school.connect() as connection:
        connection.execute(
            "INSERT INTO sections (id, course_id, name)"
            " SELECT 9000 + n, %s, rpad(n::text, 255, '_') FROM generate_series(1, 999) AS n",
            [school.course_id],
        )
        connection.execute(
            "INSERT INTO enrollments (section_id, user_id, type, enrollment_state, course_id)"
            " SELECT s.id, e.user_id, e.type, e.enrollment_state, e.course_id"
            " FROM enrollments e CROSS JOIN sections s WHERE e.type = 'StudentEnrollment' AND s.id > 9000"
        )
    snapshots = SnapshotConnection(database.url, statement_timeout_seconds=30)
    claim = Claim(1, 1, uuid.uuid4(), replace(_MISSING, quiz_id=quiz_id), school.course_id)

    with closing(snapshots), Extract(snapshots, claim, settings) as entered:
        selection = entered.select_rows()
        chunks = entered.rows(selection, entered.items(selection))
        frames = [frame for chunk in chunks for frame in chunk()]

    sizes = [frame["section"].astype(str).str.len().sum() for frame in frames]
    assert sum(map(len, frames)) == 60
    assert sum(sizes) > 60 * 999 * 255 > CHUNK_BYTES
    assert max(sizes) <= CHUNK_BYTES


def test_a_chunk_lets_go_of_the_bytes_of_its_arrays(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[weakref.ref[pa.Table]] = []
    read_all = SnapshotConnection.read

    def read_and_remember(*arguments: Any) -> pa.Table:
        table = read_all(*arguments)
        if "answer_ids" in table.column_names:
            read.append(weakref.ref(table))
        return table

    monkeypatch.setattr(SnapshotConnection, "read", read_and_remember)
    school = School(database.url)
    quiz_id = school.add_quiz(Size(students=2, questions=1))
    snapshots = SnapshotConnection(database.url, statement_timeout_seconds=30)
    claim = Claim(1, 1, uuid.uuid4(), replace(_MISSING, quiz_id=quiz_id), school.course_id)

    with closing(snapshots), Extract(snapshots, claim, settings) as entered:
        selection = entered.select_rows()
        items = entered.items(selection)
        for chunks in (entered.choices(selection, items), entered.rows(selection, items)):
            (chunk,) = chunks
            frames = chunk()
            assert len(next(frames)) == 2
            assert read.pop()() is None


def test_the_kernel_watches_over_the_connection(database: Database) -> None:
    url = watched_by_kernel(f"{database.url}?application_name=of%20a%20test&connect_timeout=3")
    with psycopg.connect(url) as connection:
        parameters = connection.info.get_parameters()
    assert parameters["keepalives_idle"] == "10"
    assert (parameters["application_name"], parameters["connect_timeout"]) == ("of a test", "3")
