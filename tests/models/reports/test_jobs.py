"""The life of a job in the database: claims, leases, sweeps."""

from __future__ import annotations

import datetime
import uuid

import pytest
from sqlalchemy import func, text, update
from sqlalchemy.orm import Session

from models.db.session import Database
from models.errors import (
    LeaseLostError,
)
from models.reports import jobs
from models.reports.jobs import Claim
from models.reports.tables import JobMessage, Queue, QuizReport, ReportState
from models.reports.variants import TYPES, ReportType
from tests.models.reports.report_life import (
    abort,
    age_messages,
    claim,
    expire_lease,
    finish,
    generated,
    must,
    report,
    request,
    simultaneously,
)

pytestmark = pytest.mark.usefixtures("quiz")

PRESENT_VERSION = TYPES[ReportType.STUDENT_ANALYSIS].version


def test_one_of_many_workers_claims_a_job(database: Database) -> None:
    message = must(request(database))
    outcomes = simultaneously(10, lambda: claim(database, message))
    assert sum(isinstance(outcome, Claim) for outcome in outcomes) == 1
    assert outcomes.count(None) == 9


@pytest.mark.parametrize(("sent", "commit"), [(1, "off"), (2, "on")])
def test_only_the_first_claim_does_not_wait_for_the_disk(database: Database, sent: int, commit: str) -> None:
    message = must(request(database))
    with database.transaction() as session:
        session.execute(update(QuizReport).values(send_count=sent))
    with database.transaction() as session:
        session.execute(text("SET LOCAL synchronous_commit = on"))
        ids = message.report_id, message.progress_id
        assert jobs.claim(session, *ids, lease_seconds=60.0, max_tries=3) is not None
        assert session.scalar(text("SHOW synchronous_commit")) == commit


def test_a_job_of_an_earlier_request_claims_nothing(database: Database) -> None:
    earlier = must(request(database))
    abort(database, earlier.report_id)
    later = must(request(database))
    assert later.report_id == earlier.report_id
    assert claim(database, earlier) is None
    assert claim(database, later) is not None


def request_version(database: Database, number: int, *, minutes_ago: int = 0) -> JobMessage:
    """Request a report from an API whose analysis has another version."""
    message = must(request(database))
    with database.transaction() as session:
        session.execute(
            update(QuizReport).values(
                analysis_version=f"{number}+guard",
                updated_at=func.now() - datetime.timedelta(minutes=minutes_ago),
            )
        )
    return message


def test_a_job_that_wants_a_newer_analysis_is_left_to_newer_workers(database: Database) -> None:
    message = request_version(database, PRESENT_VERSION + 1)
    assert claim(database, message) is None
    assert report(database, message.report_id).state is ReportState.QUEUED


@pytest.mark.contract("3 Progress", "every Progress ends, also where workers die")
def test_a_job_that_no_newer_worker_has_taken_is_made_after_five_minutes(database: Database) -> None:
    message = request_version(database, PRESENT_VERSION + 1, minutes_ago=6)
    assert claim(database, message) is not None


@pytest.mark.parametrize("column", ["report_type", "format"])
def test_a_job_of_a_type_or_format_that_is_not_known_is_left_to_newer_workers(
    database: Database, column: str
) -> None:
    message = request_version(database, PRESENT_VERSION, minutes_ago=6)
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE quiz_reports DROP CONSTRAINT ck_quiz_reports_reporttype"))
        connection.execute(text(f"UPDATE quiz_reports SET {column} = 'newer'"))
        assert (
            jobs.claim(
                Session(connection), message.report_id, message.progress_id, lease_seconds=60, max_tries=3
            )
            is None
        )
        connection.rollback()


@pytest.mark.contract("3 Progress", "every Progress ends, also where workers die")
def test_a_worker_goes_on_claiming_when_a_migration_has_added_a_column(database: Database) -> None:
    message = must(request(database))
    worker = Database(database.url)
    try:
        # After some executions, the driver prepares a statement.
        for _ in range(8):
            with worker.single_statement() as session:
                assert jobs.claim(session, message.report_id, 0, lease_seconds=60, max_tries=3) is None
        with database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE quiz_reports ADD COLUMN later integer"))
        with worker.single_statement() as session:
            claimed = jobs.claim(
                session, message.report_id, message.progress_id, lease_seconds=60, max_tries=3
            )
    finally:
        worker.dispose()
        with database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE quiz_reports DROP COLUMN IF EXISTS later"))
    assert claimed is not None


def test_a_job_that_was_requested_of_an_older_analysis_is_made_by_the_present_one(database: Database) -> None:
    message = request_version(database, PRESENT_VERSION - 1)
    finish(database, must(claim(database, message)))
    assert request(database) is None


@pytest.mark.contract("3 Progress", "every Progress ends, also where workers die")
def test_a_silent_worker_loses_its_report_and_changes_nothing_when_it_wakes(database: Database) -> None:
    message = must(request(database))
    silent = must(claim(database, message))
    assert claim(database, message) is None
    expire_lease(database)
    heir = must(claim(database, message))
    with pytest.raises(LeaseLostError), database.transaction() as session:
        jobs.heartbeat(session, silent, 50.0, lease_seconds=60)
    with pytest.raises(LeaseLostError):
        finish(database, silent)
    with pytest.raises(LeaseLostError), database.transaction() as session:
        jobs.fail(session, silent, "too late")
    finish(database, heir)
    assert must(report(database, message.report_id).file).storage_key == heir.storage_key


@pytest.mark.contract("3 Progress", "completion never falls within a try, and is 100 exactly when completed")
def test_completion_never_falls_within_a_try_and_is_100_when_completed(database: Database) -> None:
    message = must(request(database))
    claimed = must(claim(database, message))
    seen = []
    for completion in (10.0, 30.0, 20.0):
        with database.transaction() as session:
            jobs.heartbeat(session, claimed, completion, lease_seconds=60)
        seen.append(must(report(database, message.report_id).progress).completion)
    finish(database, claimed)
    seen.append(must(report(database, message.report_id).progress).completion)
    assert seen == [10.0, 30.0, 30.0, 100.0]


@pytest.mark.contract("3 Progress", "every Progress ends, also where workers die")
def test_the_third_worker_that_falls_silent_ends_the_job_with_a_reason(database: Database) -> None:
    message = must(request(database))
    for _ in range(3):
        must(claim(database, message))
        expire_lease(database)
    assert claim(database, message) is None
    with database.transaction() as session:
        assert jobs.fail_exhausted(session, max_tries=3) == [message.report_id]
    failed = report(database, message.report_id)
    assert failed.state is ReportState.FAILED
    assert f"report {message.report_id}, job {message.progress_id}" in must(must(failed.progress).message)


def test_a_job_is_enqueued_again_once_by_any_number_of_sweepers(database: Database) -> None:
    message = must(request(database))

    def take() -> list[JobMessage]:
        with database.transaction() as session:
            return list(jobs.take_unclaimed_jobs(session, Queue.SMALL, older_than_seconds=10, most=100))

    assert take() == []
    for state in (ReportState.QUEUED, ReportState.RUNNING):
        age_messages(database, 11)
        if state is ReportState.RUNNING:
            must(claim(database, message))
            assert take() == []
            expire_lease(database)
        taken = [messages for messages in simultaneously(4, take) if messages]
        assert taken == [[message]]


@pytest.mark.contract("2 Abort", "retention leaves a report as DELETE does")
def test_retention_empties_a_report_as_an_abort_does(database: Database) -> None:
    message = generated(database)
    key = must(report(database, message.report_id).file).storage_key
    with database.transaction() as session:
        assert jobs.remove_expired_files(session, retention_days=1) == []
        session.execute(text("UPDATE files SET created_at = now() - interval '25 hours'"))
    with database.transaction() as session:
        assert jobs.remove_expired_files(session, retention_days=1) == [key]
    assert report(database, message.report_id).state is ReportState.IDLE


def test_objects_of_files_and_running_jobs_are_needed_and_others_are_not(database: Database) -> None:
    kept = must(report(database, generated(database).report_id).file).storage_key
    claimed = must(claim(database, must(request(database, ReportType.ITEM_ANALYSIS))))
    orphan = f"reports/1/{uuid.uuid4()}"
    with database.transaction() as session:
        assert jobs.unreferenced(session, [kept, claimed.storage_key, orphan]) == [orphan]


def test_a_job_that_is_given_back_can_be_claimed_at_once_while_tries_are_left(database: Database) -> None:
    message = must(request(database))
    first = must(claim(database, message, max_tries=2))
    with database.transaction() as session:
        assert jobs.give_back(session, first, max_tries=2)

    second = must(claim(database, message, max_tries=2))
    with database.transaction() as session:
        assert not jobs.give_back(session, second, max_tries=2)
    with pytest.raises(LeaseLostError), database.transaction() as session:
        jobs.give_back(session, first, max_tries=2)
