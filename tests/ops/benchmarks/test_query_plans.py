"""What the service does with a small quiz reads no large table from end to end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from models.db.schema import migrate
from models.db.session import Database
from models.ingestion.attempts import apply_attempts
from models.payloads.batches import read_lines
from models.settings import Settings
from ops.benchmarks.query_plans import Statement, recorded_statements, whole_reads
from tests.everyday import Everyday, open_everyday
from tests.school import School, Size
from tests.waiting import wait_for
from workers.extract import queries

# Rows of attempts are as wide as those of a quiz with an essay: PostgreSQL scans narrow tables sooner.
SMALL = Size(students=10, questions=2, essay_characters=1_000)
LARGE = Size(students=12_000, questions=2, essay_characters=1_000)
CHUNK, BATCH = 200, 500
# What the large quiz fills; every other table is small, and reading all of it costs nothing.
LARGE_TABLES = {"attempts", "attempt_payloads", "users", "course_users", "enrollments"}


@pytest.fixture(scope="module")
def everyday(migrated_database: Database, module_settings: Settings) -> Iterator[Everyday]:
    """A small quiz beside a large one, in a database that has gathered statistics of its tables."""
    database = migrated_database
    School(database.url, 1).add_quiz(LARGE)
    with database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO attempt_payloads (attempt_id, payload, payload_bytes)"
                " SELECT id, '', 0 FROM attempts"
            )
        )
    school = School(database.url, 2)
    quiz_id = school.add_quiz(SMALL)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        pages = text("SELECT relallvisible FROM pg_class WHERE oid = 'attempts'::regclass")

        def is_settled() -> bool:
            # VACUUM passes over rows whose commit is not on the disk, and these servers do not wait for it.
            connection.execute(text("VACUUM ANALYZE"))
            return int(connection.execute(pages).scalar_one()) > 0

        wait_for(is_settled)
    with open_everyday(module_settings, database, school, quiz_id, SMALL) as everyday:
        yield everyday


@pytest.fixture
def unknown_tables(empty_database_url: str) -> Iterator[Database]:
    """A database that PostgreSQL has gathered no statistics of."""
    database = Database(empty_database_url)
    yield database
    database.dispose()


def line(attempt: dict[str, Any]) -> bytes:
    return msgspec.json.encode(attempt) + b"\n"


def scans_of_large_tables(settings: Settings, statements: list[Statement]) -> list[tuple[str, str]]:
    return [
        (table, sql) for table, sql in whole_reads(settings.database_url, statements) if table in LARGE_TABLES
    ]


def test_everyday_work_on_a_small_quiz_goes_by_indexes(module_settings: Settings, everyday: Everyday) -> None:
    with recorded_statements() as statements:
        everyday.all()

    assert any("attempts" in statement.sql for statement in statements)
    assert scans_of_large_tables(module_settings, statements) == []


def test_a_chunk_of_a_large_quiz_is_fetched_by_indexes(
    migrated_database: Database, module_settings: Settings, everyday: Everyday
) -> None:
    with migrated_database.transaction() as session:
        ids = list(session.scalars(text("SELECT id FROM attempts ORDER BY id LIMIT :most"), {"most": CHUNK}))

    statements = [Statement(queries.student_attempts(ids)), Statement(queries.item_attempts(ids))]

    assert scans_of_large_tables(module_settings, statements) == []


def test_a_batch_is_pushed_by_indexes_into_tables_that_nothing_is_known_of(
    unknown_tables: Database,
) -> None:
    migrate(unknown_tables.engine)
    school = School(unknown_tables.url, 1)
    quiz_id = school.add_quiz(LARGE)
    pushed = [
        school.pushed_attempt(quiz_id, student, LARGE.questions, attempt=10 + student)
        for student in range(BATCH)
    ]

    with recorded_statements() as statements, unknown_tables.transaction() as session:
        counts = apply_attempts(session, 1, quiz_id, read_lines(map(line, pushed), 2**20))

    assert counts.created == BATCH
    found = whole_reads(unknown_tables.url, statements)
    assert [(table, sql) for table, sql in found if table in LARGE_TABLES] == []


def test_a_push_reads_no_other_attempts_of_the_quiz(unknown_tables: Database) -> None:
    migrate(unknown_tables.engine)
    school = School(unknown_tables.url, 1)
    quiz_id = school.add_quiz(LARGE)
    pushed = [school.pushed_attempt(quiz_id, 1, LARGE.questions, attempt=10 + n) for n in range(BATCH)]

    with unknown_tables.transaction() as session:
        apply_attempts(session, 1, quiz_id, read_lines(map(line, pushed), 2**20))
        read = session.scalar(
            text("""
                SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'attempts'
            """)
        )

    # The foreign key of a payload reads the attempt that it belongs to.
    assert read == BATCH


def test_a_scan_would_be_found(module_settings: Settings, everyday: Everyday) -> None:
    statements = [Statement("SELECT count(*) FROM attempts WHERE n_correct = 2")]

    assert [table for table, _ in scans_of_large_tables(module_settings, statements)] == ["attempts"]
