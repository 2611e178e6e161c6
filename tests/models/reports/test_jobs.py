"""The life of a report in the database: requests, claims, leases, aborts, sweeps."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TypeVar

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError

from models.db.session import Database
from models.errors import (
    AlreadyBeingGeneratedError,
    CannotAbortError,
    CannotCancelError,
    LeaseLostError,
    NotFoundError,
)
from models.lms.courses import Course
from models.lms.quizzes import Quiz, QuizType, ScoringPolicy
from models.queue import JobMessage, Queue
from models.reports import jobs
from models.reports.jobs import Claim, Snapshot
from models.reports.requests import (
    Aborted,
    abort_report,
    cancel_progress,
    find_file_report,
    find_progress_report,
    find_report,
    list_reports,
    request_report,
)
from models.reports.tables import QuizReport, ReportState
from models.reports.variants import ReportType, Variant

T = TypeVar("T")
COURSE_ID, QUIZ_ID, TEACHER_ID = 101, 201, 7
NOW = Snapshot(quiz_revision=1, roster_revision=1, analysis_version="1")


@pytest.fixture(autouse=True)
def quiz(database: Database) -> None:
    with database.transaction() as session:
        session.add(Course(id=COURSE_ID, name="Biology", roster_revision=1))
        session.flush()
        session.add(
            Quiz(
                id=QUIZ_ID,
                course_id=COURSE_ID,
                title="Cells",
                quiz_type=QuizType.ASSIGNMENT,
                scoring_policy=ScoringPolicy.HIGHEST,
                revision=1,
            )
        )


def request(database: Database, kind: ReportType = ReportType.STUDENT_ANALYSIS) -> JobMessage | None:
    with database.transaction() as session:
        course, quiz = session.get_one(Course, COURSE_ID), session.get_one(Quiz, QUIZ_ID)
        variant = Variant.of(quiz, kind, all_versions=False, sis_ids=True)
        return request_report(
            session,
            course,
            quiz,
            variant,
            user_id=TEACHER_ID,
            analysis_version="1",
            large_responses=1000,
        ).message


def listed(database: Database) -> list[QuizReport]:
    with database.transaction() as session:
        course, quiz = session.get_one(Course, COURSE_ID), session.get_one(Quiz, QUIZ_ID)
        return list_reports(session, course, quiz, all_versions=False, sis_ids=True, analysis_version="1")


def claim(
    database: Database, message: JobMessage, *, lease_seconds: float = 60.0, max_tries: int = 3
) -> Claim | None:
    with database.transaction() as session:
        return jobs.claim(
            session, message.report_id, message.progress_id, lease_seconds=lease_seconds, max_tries=max_tries
        )


def finish(database: Database, claimed: Claim, snapshot: Snapshot = NOW) -> None:
    with database.transaction() as session:
        jobs.finish(session, claimed, snapshot, size=3, sha256=b"x" * 32)


def abort(database: Database, report_id: int) -> Aborted:
    with database.transaction() as session:
        return abort_report(session, QUIZ_ID, report_id)


def report(database: Database, report_id: int) -> QuizReport:
    with database.transaction() as session:
        return find_report(session, QUIZ_ID, report_id)


def must(value: T | None) -> T:
    assert value is not None
    return value


def generated(database: Database, snapshot: Snapshot = NOW) -> JobMessage:
    message = must(request(database))
    finish(database, must(claim(database, message)), snapshot)
    return message


def expire_lease(database: Database) -> None:
    with database.transaction() as session:
        session.execute(
            update(QuizReport)
            .where(QuizReport.state == ReportState.RUNNING)
            .values(lease_until=text("now() - interval '1 second'"))
        )


def age_hints(database: Database, seconds: int) -> None:
    with database.transaction() as session:
        session.execute(
            update(QuizReport).values(enqueued_at=func.now() - text(f"interval '{seconds} seconds'"))
        )


def simultaneously(count: int, action: Callable[[], T]) -> list[T | Exception]:
    barrier = threading.Barrier(count)

    def run(_: int) -> T | Exception:
        barrier.wait()
        try:
            return action()
        except Exception as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_a_request_queues_a_job_and_says_which(database: Database) -> None:
    message = must(request(database))
    asked = report(database, message.report_id)
    assert (asked.state, asked.progress_id, asked.queue) == (
        ReportState.QUEUED,
        message.progress_id,
        Queue.SMALL,
    )
    assert must(asked.progress).user_id == TEACHER_ID


def test_a_quiz_of_many_responses_takes_the_large_queue(database: Database) -> None:
    with database.transaction() as session:
        session.execute(update(Quiz).values(response_count=1000))
    assert must(request(database)).queue is Queue.LARGE


@pytest.mark.parametrize("running", [False, True])
def test_a_second_request_is_refused_while_one_is_queued_or_running(
    database: Database, running: bool
) -> None:
    message = must(request(database))
    if running:
        must(claim(database, message))
    with database.transaction() as session:
        session.execute(update(Quiz).values(revision=2))
    with pytest.raises(AlreadyBeingGeneratedError, match=r"^report is already being generated$"):
        request(database)


def test_of_many_simultaneous_requests_one_queues_a_job(database: Database) -> None:
    outcomes = simultaneously(10, lambda: request(database))
    assert sum(isinstance(outcome, JobMessage) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, AlreadyBeingGeneratedError) for outcome in outcomes) == 9
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(QuizReport)) == 1


@pytest.mark.contract("2 Variant", "of each variant at most one report is queued or running")
def test_a_unique_index_makes_two_live_reports_of_a_variant_impossible(database: Database) -> None:
    must(request(database))
    second = text(
        """
        WITH job AS (INSERT INTO progress (user_id, completion) VALUES (1, 0) RETURNING id)
        INSERT INTO quiz_reports (quiz_id, report_type, includes_all_versions, includes_sis_ids, anonymous,
                                  state, queue, tries, progress_id)
        SELECT quiz_id, report_type, includes_all_versions, includes_sis_ids, anonymous,
               'queued', 'small', 0, job.id
        FROM quiz_reports, job
        """
    )
    with (
        pytest.raises(IntegrityError, match="uq_quiz_reports_live_variant"),
        database.transaction() as session,
    ):
        session.execute(second)


def test_a_current_report_is_reused(database: Database) -> None:
    message = generated(database)
    assert request(database) is None
    assert listed(database)[0].id == message.report_id


@pytest.mark.parametrize(
    "stale",
    [
        replace(NOW, quiz_revision=0),
        replace(NOW, roster_revision=0),
        replace(NOW, analysis_version="1+guard"),
    ],
)
@pytest.mark.contract("2 Current", "only while quiz, roster and analysis are those of its making")
def test_a_report_made_from_anything_else_than_today_s_data_is_made_anew_in_a_new_row(
    database: Database, stale: Snapshot
) -> None:
    first = generated(database, stale)
    second = must(request(database))
    assert second.report_id != first.report_id
    assert must(report(database, first.report_id).file).size == 3


def test_the_index_lists_both_reports_with_stable_ids(database: Database) -> None:
    first, second = listed(database), listed(database)
    assert [row.report_type for row in first] == [ReportType.STUDENT_ANALYSIS, ReportType.ITEM_ANALYSIS]
    assert [row.id for row in first] == [row.id for row in second]
    assert must(request(database)).report_id == first[0].id


def test_the_index_lists_an_empty_report_in_place_of_a_stale_one(database: Database) -> None:
    stale = generated(database, replace(NOW, quiz_revision=0))
    fresh = listed(database)[0]
    assert fresh.id != stale.report_id
    assert fresh.state is ReportState.IDLE
    assert listed(database)[0].id == fresh.id


def test_one_of_many_workers_claims_a_job(database: Database) -> None:
    message = must(request(database))
    outcomes = simultaneously(10, lambda: claim(database, message))
    assert sum(isinstance(outcome, Claim) for outcome in outcomes) == 1
    assert outcomes.count(None) == 9


def test_a_job_of_an_earlier_request_claims_nothing(database: Database) -> None:
    earlier = must(request(database))
    abort(database, earlier.report_id)
    later = must(request(database))
    assert later.report_id == earlier.report_id
    assert claim(database, earlier) is None
    assert claim(database, later) is not None


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


def test_a_failed_report_is_queued_again_in_its_row_with_a_new_progress(database: Database) -> None:
    message = must(request(database))
    claimed = must(claim(database, message))
    with database.transaction() as session:
        jobs.fail(session, claimed, "no room")
    assert must(report(database, message.report_id).progress).message == "no room"
    again = must(request(database))
    assert again.report_id == message.report_id
    assert again.progress_id != message.progress_id
    with pytest.raises(NotFoundError), database.transaction() as session:
        find_progress_report(session, message.progress_id)


@pytest.mark.contract("2 Abort", "a queued job is aborted and never runs")
def test_an_abort_of_a_queued_job_is_final(database: Database) -> None:
    message = must(request(database))
    assert abort(database, message.report_id) == Aborted(progress_id=message.progress_id, storage_key=None)
    assert claim(database, message) is None
    assert report(database, message.report_id).state is ReportState.IDLE


def test_a_running_job_can_not_be_aborted(database: Database) -> None:
    message = must(request(database))
    must(claim(database, message))
    with pytest.raises(CannotAbortError, match=r"^report generation can not be aborted$"):
        abort(database, message.report_id)


def test_nothing_to_abort_is_said(database: Database) -> None:
    with pytest.raises(CannotAbortError, match=r"^report is not being generated$"):
        abort(database, listed(database)[0].id)


@pytest.mark.contract("2 Abort", "the row stays, empty; its old progress is gone")
def test_an_abort_of_a_generated_report_removes_file_and_progress_and_keeps_the_row(
    database: Database,
) -> None:
    message = generated(database)
    file = must(report(database, message.report_id).file)
    assert abort(database, message.report_id) == Aborted(progress_id=None, storage_key=file.storage_key)
    assert report(database, message.report_id).state is ReportState.IDLE
    with pytest.raises(NotFoundError), database.transaction() as session:
        find_file_report(session, file.id)


@pytest.mark.contract("2 Abort", "of an abort and a start exactly one wins")
def test_of_an_abort_and_a_start_exactly_one_wins(database: Database) -> None:
    for _ in range(25):
        message = must(request(database))
        actions: Iterator[Callable[[], object]] = iter(
            [partial(abort, database, message.report_id), partial(claim, database, message)]
        )
        outcomes = simultaneously(2, lambda: next(actions)())  # noqa: B023
        aborted = any(isinstance(outcome, Aborted) for outcome in outcomes)
        started = [outcome for outcome in outcomes if isinstance(outcome, Claim)]
        assert aborted != bool(started)
        if started:
            finish(database, started[0])
            abort(database, message.report_id)


def test_a_cancelled_job_shows_how_it_ended_and_is_gone(database: Database) -> None:
    message = must(request(database))
    with database.transaction() as session:
        ended = cancel_progress(session, message.progress_id, "not needed")
    assert (ended.id, ended.message) == (message.progress_id, "not needed")
    assert claim(database, message) is None
    with pytest.raises(NotFoundError), database.transaction() as session:
        cancel_progress(session, message.progress_id, None)


def test_a_running_job_can_not_be_cancelled(database: Database) -> None:
    message = must(request(database))
    must(claim(database, message))
    with pytest.raises(CannotCancelError), database.transaction() as session:
        cancel_progress(session, message.progress_id, None)


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


def test_a_job_is_hinted_at_again_once_by_any_number_of_sweepers(database: Database) -> None:
    message = must(request(database))

    def take() -> list[JobMessage]:
        with database.transaction() as session:
            return list(jobs.take_unclaimed_jobs(session, Queue.SMALL, older_than_seconds=10, most=100))

    assert take() == []
    for state in (ReportState.QUEUED, ReportState.RUNNING):
        age_hints(database, 11)
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
