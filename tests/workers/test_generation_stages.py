"""Reports in many chunks, and a fault in each stage: the job ends as it should, nothing is left over."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from models.db.session import Database
from models.errors import StorageError
from models.reports import jobs
from models.reports.tables import Progress, QuizReport, ReportState
from models.settings import Settings
from models.storage import BlobStore, ObjectWriter, open_store
from tests.everyday import REPORT_TYPES, Everyday, open_everyday
from tests.school import School, Size
from tests.servers import drop_connections
from workers import generation
from workers.extract.snapshot import SnapshotConnection

SIZE = Size(students=60, questions=2)
CHUNK = 10
CHUNKS = 6


@pytest.fixture
def quiz(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Everyday]:
    """A quiz whose reports are made in six chunks, each stored by the stage that writes."""
    monkeypatch.setattr(generation, "_FEW_BYTES", 0)
    school = School(database.url)
    quiz_id = school.add_quiz(SIZE)
    in_chunks = dataclasses.replace(settings, chunk_attempts=CHUNK)
    with open_everyday(in_chunks, database, school, quiz_id, SIZE) as everyday:
        yield everyday


def ended(database: Database) -> tuple[ReportState, str | None]:
    """Return the state of the only report, and its message."""
    with database.transaction() as session:
        report = session.query(QuizReport).one()
        return report.state, session.query(Progress).one().message


def objects(settings: Settings) -> list[Path]:
    """List the files of the store, half-written ones too."""
    folder = Path(settings.storage_url.removeprefix("file://"))
    return [path for path in folder.rglob("*") if path.is_file()]


def stage_threads() -> list[str]:
    names = (thread.name for thread in threading.enumerate())
    return [name for name in names if name.startswith(("read-ahead", "write-behind"))]


class CountingSnapshots(SnapshotConnection):
    """Reads, and calls a function before it reads a certain chunk."""

    def __init__(self, settings: Settings, chunk: int, before: Any) -> None:
        super().__init__(settings.database_url, statement_timeout_seconds=30)
        self._chunk = chunk
        self._before = before
        self.chunks = 0

    def read(self, sql: str, expected_rows: int = 1) -> pa.Table:
        if "FROM unnest(" in sql or ("WHERE id = ANY" in sql and "FROM attempts" in sql):
            self.chunks += 1
            if self.chunks == self._chunk:
                self._before()
        return super().read(sql, expected_rows)


class FailingWriter(ObjectWriter):
    """Writes two parts; then the store refuses."""

    parts = 0

    def write(self, content: bytes) -> None:
        self.parts += 1
        if self.parts > 2:
            raise StorageError("the store refuses")
        super().write(content)


class FailingStore(BlobStore):
    def writer(self, *arguments: Any, **options: Any) -> ObjectWriter:
        writer = super().writer(*arguments, **options)
        writer.__class__ = FailingWriter
        return writer


@pytest.mark.parametrize("report_type", REPORT_TYPES)
def test_a_report_in_many_chunks_is_that_in_one(
    quiz: Everyday, settings: Settings, database: Database, report_type: str
) -> None:
    quiz.make(quiz.request(report_type))
    [in_many] = objects(settings)
    content = in_many.read_bytes()
    in_many.unlink()
    quiz.school.make_stale(quiz.quiz_id)

    with open_everyday(settings, database, quiz.school, quiz.quiz_id, SIZE) as in_one:
        in_one.make(in_one.request(report_type))

    [path] = objects(settings)
    assert path.read_bytes() == content
    assert stage_threads() == []


@pytest.mark.parametrize("report_type", REPORT_TYPES)
def test_a_database_that_fails_while_a_chunk_is_read_leaves_the_job_to_its_lease(
    quiz: Everyday, settings: Settings, database: Database, report_type: str
) -> None:
    snapshots = CountingSnapshots(settings, 3, lambda: drop_connections(database.url))
    quiz.resources.__dict__["snapshots"] = snapshots
    report = quiz.request(report_type)

    quiz.make(report)

    assert snapshots.chunks == 3
    assert ended(database) == (ReportState.RUNNING, None)
    assert objects(settings) == []
    assert stage_threads() == []


@pytest.mark.parametrize("report_type", REPORT_TYPES)
def test_an_attempt_that_cannot_be_analysed_fails_the_job(
    quiz: Everyday, settings: Settings, database: Database, report_type: str
) -> None:
    with quiz.school.connect() as connection:
        connection.execute(
            "UPDATE attempts SET answer_ids = '{}', texts = '{}', points = '{}'"
            " WHERE id = (SELECT id FROM attempts ORDER BY id OFFSET 30 LIMIT 1)"
        )

    quiz.make(quiz.request(report_type))

    state, message = ended(database)
    assert state is ReportState.FAILED
    assert message is not None
    assert "error in the program" in message
    assert objects(settings) == []
    assert stage_threads() == []


def test_a_store_that_fails_while_a_part_is_written_fails_the_last_try(
    quiz: Everyday, settings: Settings, database: Database
) -> None:
    job = quiz.request("student_analysis")
    for _ in range(settings.max_tries):
        store = open_store(settings)
        store.__class__ = FailingStore
        quiz.resources.__dict__["store"] = store
        quiz.make(job)

    state, message = ended(database)
    assert state is ReportState.FAILED
    assert message is not None
    assert "could not be stored" in message
    assert objects(settings) == []
    assert stage_threads() == []


@pytest.mark.parametrize("report_type", REPORT_TYPES)
def test_no_chunk_is_read_or_stored_after_a_lease_was_lost(
    quiz: Everyday,
    settings: Settings,
    database: Database,
    report_type: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def take_over() -> None:
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute("UPDATE quiz_reports SET claim_token = gen_random_uuid()")

    # Each chunk renews the lease.
    monkeypatch.setattr(generation, "_HEARTBEAT_SECONDS", 0.0)
    snapshots = CountingSnapshots(settings, 3, take_over)
    quiz.resources.__dict__["snapshots"] = snapshots

    quiz.make(quiz.request(report_type))

    # When the third chunk is read, the second is analysed; then the loss is seen.
    assert snapshots.chunks <= 4
    assert ended(database) == (ReportState.RUNNING, None)
    assert objects(settings) == []
    assert stage_threads() == []


def test_a_heartbeat_is_sent_at_most_once_a_second(quiz: Everyday, database: Database) -> None:
    report = quiz.request("student_analysis")
    progress_id = int(report["progress_url"].rsplit("/", 1)[1])
    with database.transaction() as session:
        claim = jobs.claim(session, report["id"], progress_id, lease_seconds=60, max_tries=3)
    assert claim is not None
    now = 100.0
    heartbeat = generation.Heartbeat(quiz.resources, claim, clock=lambda: now)

    shown = []
    for now, completion in ((100.9, 10.0), (101.0, 20.0), (101.9, 30.0), (102.1, 40.0)):  # noqa: B007
        heartbeat.advance(completion)
        with database.transaction() as session:
            shown.append(session.query(Progress.completion).scalar())

    assert shown == [0.0, 20.0, 20.0, 40.0]


def test_a_job_that_is_due_shows_its_completion_after_each_chunk(
    quiz: Everyday, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def look() -> None:
        with psycopg.connect(database.url, autocommit=True) as connection:
            seen.extend(connection.execute("SELECT completion FROM progress").fetchall())

    monkeypatch.setattr(generation, "_HEARTBEAT_SECONDS", 0.0)
    quiz.resources.__dict__["snapshots"] = CountingSnapshots(quiz.resources.settings, 5, look)

    quiz.make(quiz.request("student_analysis"))

    # The fifth chunk is read when the third is done, or later.
    [(completion,)] = seen
    assert completion >= 10 + 80 * 3 / CHUNKS - 1e-9
