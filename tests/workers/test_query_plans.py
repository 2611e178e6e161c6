"""Claims, hand-outs, sweeps and deletions read no large table from end to end, whatever was there before.

Once in ten minutes the sweeper reads all of `files` for those that have outlived the retention.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from sqlalchemy import text

from models.db.session import Database
from models.ingestion.attempts import apply_attempts
from models.payloads.batches import read_lines
from models.publisher import JobPublisher
from models.reports import jobs
from models.settings import Settings
from ops.benchmarks.query_plans import Statement, recorded_statements, whole_reads
from tests.school import School, Size
from workers.resources import Resources
from workers.shares import hand_out_next
from workers.sweeper import Sweeper

SIZE = Size(students=10, questions=2)
PAST = 20_000
# Of each table that grows for ever there are so many rows that scanning it costs far more than its indexes.
LARGE_TABLES = {"quizzes", "quiz_reports", "progress", "files", "submissions", "deleted_attempts"}
# ANALYZE looks at all rows of tables of this size, so the plans do not depend on chance.
#
# Of the reports, numbered from 1, five are queued (the first was not sent yet), five are running without a
# lease, five have lost their last try, and all others have a file.
FILL = """
    INSERT INTO courses (id, name, include_root_accounts, roster_revision)
    SELECT 1000 + n, 'Biology', false, 1 FROM generate_series(0, 99) AS n;
    INSERT INTO quizzes (id, course_id, title, quiz_type, anonymous_submissions, scoring_policy,
                         question_groups, question_set_id, revision, response_count)
    SELECT 10000000 + n, 1000 + n % 100, title, quiz_type, false, scoring_policy, '{}', question_set_id, 1, 0
    FROM quizzes, generate_series(1, :past) AS n WHERE id = :quiz_id;
    INSERT INTO progress (user_id, completion) SELECT 1, 100 FROM generate_series(1, :past);
    INSERT INTO files (uuid, storage_key, size, sha256)
    SELECT gen_random_uuid(), 'reports/' || n, 1, '' FROM generate_series(1, :past) AS n;
    INSERT INTO quiz_reports (quiz_id, report_type, format, includes_all_versions, includes_sis_ids,
                              anonymous, section_ids, attempt_choice, state, progress_id, queue, enqueued_at,
                              send_count, tries, claim_token, lease_until, file_id)
    SELECT 10000000 + n, 'student_analysis', 'csv', true, false, false, '{}', 'first',
           CASE WHEN n > 15 THEN 'generated' WHEN n > 5 THEN 'running' ELSE 'queued' END, n, 'small',
           CASE WHEN n = 1 THEN NULL ELSE now() - interval '1 day' END, 1, CASE WHEN n > 10 THEN 3 ELSE 1 END,
           CASE WHEN n BETWEEN 6 AND 15 THEN gen_random_uuid() END,
           CASE WHEN n BETWEEN 6 AND 15 THEN now() - interval '1 hour' END, CASE WHEN n > 15 THEN n END
    FROM generate_series(1, :past) AS n;
    INSERT INTO submissions (id, quiz_id)
    SELECT 10000000 + n, 10000000 + n FROM generate_series(1, :past) AS n;
    INSERT INTO deleted_attempts (submission_id, attempt, updated_at)
    SELECT 10000000 + n, 1, now() FROM generate_series(1, :past) AS n
"""


@pytest.fixture(scope="module")
def school(migrated_database: Database, module_settings: Settings) -> School:
    """A small quiz in a service that has made many reports, of which a few are queued, running or lost."""
    school = School(migrated_database.url, 1)
    quiz_id = school.add_quiz(SIZE)
    with migrated_database.transaction() as session:
        for statement in FILL.split(";\n"):
            session.execute(text(statement), {"past": PAST, "quiz_id": quiz_id})
    with migrated_database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return school


@pytest.fixture(scope="module")
def resources(module_settings: Settings, school: School) -> Iterator[Resources]:
    resources = Resources(module_settings)
    yield resources
    resources.close()


def scanned(settings: Settings, statements: list[Statement]) -> list[tuple[str, str]]:
    found = whole_reads(settings.database_url, statements)
    return [(table, sql) for table, sql in found if table in LARGE_TABLES]


def test_claims_and_heartbeats(module_settings: Settings, resources: Resources) -> None:
    with recorded_statements() as statements, resources.database.transaction() as session:
        for number in (2, 6):
            claim = jobs.claim(session, number, number, lease_seconds=60, max_tries=3)
            assert claim is not None
            jobs.heartbeat(session, claim, 50, lease_seconds=60)
            jobs.give_back(session, claim, max_tries=3)

    assert len(statements) > 6
    assert scanned(module_settings, statements) == []


def test_hand_outs(module_settings: Settings, resources: Resources) -> None:
    with recorded_statements() as statements:
        hand_out_next(resources)

    assert any("enqueued_at" in statement.sql for statement in statements)
    assert scanned(module_settings, statements) == []


def test_sweeps(module_settings: Settings, resources: Resources) -> None:
    with recorded_statements() as statements:
        Sweeper(resources, JobPublisher(module_settings.redis_url)).sweep()
        with resources.database.transaction() as session:
            found = jobs.unreferenced(session, [f"reports/{number}" for number in range(PAST, PAST + 500)])

    assert len(found) == 499
    with resources.database.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM quiz_reports WHERE state = 'failed'")) == 5
    assert scanned(module_settings, statements) == []


def test_deletions(module_settings: Settings, resources: Resources, school: School) -> None:
    quiz_id = school.last_quiz_id
    pushed = [school.pushed_attempt(quiz_id, student, SIZE.questions, attempt=1) for student in range(5)]
    deleted = [
        attempt | {"workflow_state": "deleted", "updated_at": "2030-01-01T00:00:00Z"} for attempt in pushed
    ]

    with recorded_statements() as statements, resources.database.transaction() as session:
        for attempts in (pushed, deleted, deleted):
            lines = [msgspec.json.encode(attempt) + b"\n" for attempt in attempts]
            counts = apply_attempts(session, school.course_id, quiz_id, read_lines(lines, 2**20))

    assert any("deleted_attempts" in statement.sql for statement in statements)
    assert counts.unchanged == 5
    assert scanned(module_settings, statements) == []


def test_a_scan_would_be_found(module_settings: Settings, school: School) -> None:
    for table in LARGE_TABLES:
        found = scanned(
            module_settings, [Statement(f"SELECT count(*) FROM {table}, now() WHERE {table} IS NULL")]
        )
        assert [name for name, _ in found] == [table]


@pytest.mark.parametrize(
    ("sql", "node", "tables"),
    [
        ("SELECT * FROM quiz_reports ORDER BY id", "Index Scan", ["quiz_reports"]),
        ("SELECT id FROM quiz_reports ORDER BY id", "Index Only Scan", ["quiz_reports"]),
        ("SELECT * FROM quiz_reports WHERE id < 9 ORDER BY id", "Index Scan", []),
        ("SELECT 1 FROM quiz_reports WHERE state IN ('queued', 'running')", "Index Only Scan", []),
    ],
)
def test_a_whole_index_is_found_unless_it_is_partial(
    module_settings: Settings,
    migrated_database: Database,
    school: School,
    sql: str,
    node: str,
    tables: list[str],
) -> None:
    with migrated_database.transaction() as session:
        plan = session.scalar(text(f"EXPLAIN (FORMAT JSON) {sql}"))

    assert plan is not None
    assert plan[0]["Plan"]["Node Type"] == node
    assert [name for name, _ in scanned(module_settings, [Statement(sql)])] == tables
