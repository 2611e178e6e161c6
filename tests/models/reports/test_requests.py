"""What clients do to a report in the database: requests, lists, aborts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models.db.session import Database
from models.errors import (
    AlreadyBeingGeneratedError,
    CannotAbortError,
    CannotCancelError,
    NotFoundError,
)
from models.lms.quizzes import Quiz
from models.reports import jobs
from models.reports.jobs import Claim, Snapshot
from models.reports.requests import (
    FAILURE_STANDS_SECONDS,
    Aborted,
    cancel_progress,
    failure_stands_seconds,
    find_file_report,
    find_newest,
    find_progress_report,
    find_recent_failure,
)
from models.reports.tables import JobMessage, Queue, QuizReport, ReportState
from models.reports.variants import ReportType, Variant
from tests.models.reports.report_life import (
    NOW,
    QUIZ_ID,
    TEACHER_ID,
    abort,
    claim,
    finish,
    generated,
    listed,
    must,
    report,
    request,
    simultaneously,
)

pytestmark = pytest.mark.usefixtures("quiz")


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
        INSERT INTO quiz_reports (quiz_id, report_type, format, includes_all_versions, includes_sis_ids,
                                  anonymous, section_ids, attempt_choice, state, queue, send_count, tries,
                                  progress_id)
        SELECT quiz_id, report_type, format, includes_all_versions, includes_sis_ids, anonymous, section_ids,
               attempt_choice, 'queued', 'small', 1, 0, job.id
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


def test_the_newest_report_of_a_variant_is_found(database: Database) -> None:
    message = must(request(database))
    variant = report(database, message.report_id).variant
    with database.transaction() as session:
        assert find_newest(session, variant).id == message.report_id
    with pytest.raises(NotFoundError), database.transaction() as session:
        find_newest(session, replace(variant, section_ids=(31,)))


@pytest.mark.contract("2 Abort", "a queued job is aborted and never runs")
def test_an_abort_of_a_queued_job_is_final(database: Database) -> None:
    message = must(request(database))
    assert abort(database, message.report_id) == Aborted(message=message, storage_key=None)
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
    assert abort(database, message.report_id) == Aborted(message=None, storage_key=file.storage_key)
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
        ended = cancel_progress(session, message.progress_id, "not needed").progress
    assert (ended.id, ended.message) == (message.progress_id, "not needed")
    assert claim(database, message) is None
    with pytest.raises(NotFoundError), database.transaction() as session:
        cancel_progress(session, message.progress_id, None)


def test_a_running_job_can_not_be_cancelled(database: Database) -> None:
    message = must(request(database))
    must(claim(database, message))
    with pytest.raises(CannotCancelError), database.transaction() as session:
        cancel_progress(session, message.progress_id, None)


def recent_failure(database: Database) -> QuizReport | None:
    with database.transaction() as session:
        quiz = session.get_one(Quiz, QUIZ_ID)
        variant = Variant.of(quiz, ReportType.STUDENT_ANALYSIS, all_versions=False, sis_ids=True)
        return find_recent_failure(session, variant)


def test_a_failure_is_recent_for_ten_minutes(database: Database) -> None:
    message = must(request(database))
    claimed = must(claim(database, message))
    assert recent_failure(database) is None
    with database.transaction() as session:
        jobs.fail(session, claimed, "It was not to be.")
    assert must(recent_failure(database)).id == message.report_id

    with database.transaction() as session:
        failed_before(session, FAILURE_STANDS_SECONDS)
    assert recent_failure(database) is None


def failed_before(session: Session, seconds: float) -> None:
    ago = func.now() - text(f"interval '{seconds} seconds'")
    session.execute(update(QuizReport).values(updated_at=ago))


@pytest.mark.parametrize(
    ("before", "remaining"),
    [(0, 600), (0.5, 600), (590, 10), (599, 1), (599.9, 1), (600, None), (3600, None)],
)
def test_a_failure_stands_for_the_seconds_that_remain_of_ten_minutes(
    database: Database, before: float, remaining: int | None
) -> None:
    message = must(request(database))
    claimed = must(claim(database, message))
    with database.transaction() as session:
        assert failure_stands_seconds(session, message.report_id) is None
        jobs.fail(session, claimed, "It was not to be.")
        # The clock of a transaction stands still.
        failed_before(session, before)
        assert failure_stands_seconds(session, message.report_id) == remaining


def test_a_failure_is_not_recent_if_data_have_come_in_since_the_claim(database: Database) -> None:
    claimed = must(claim(database, must(request(database))))
    with database.transaction() as session:
        session.execute(update(Quiz).values(revision=Quiz.revision + 1))
        jobs.fail(session, claimed, "It was not to be.")

    assert recent_failure(database) is None
