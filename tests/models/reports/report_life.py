"""What a client, a worker and the passing of time do to the reports of one quiz."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import func, text, update

from models.db.session import Database
from models.lms.courses import Course
from models.lms.quizzes import Quiz
from models.reports import jobs
from models.reports.jobs import Claim, Snapshot
from models.reports.requests import (
    Aborted,
    abort_report,
    find_report,
    list_reports,
)
from models.reports.tables import JobMessage, QuizReport, ReportState
from models.reports.variants import TYPES, ReportFormat, ReportType, Variant
from tests.factories import request_variant

T = TypeVar("T")
COURSE_ID, QUIZ_ID, TEACHER_ID = 101, 201, 7
NOW = Snapshot(
    quiz_revision=1,
    roster_revision=1,
    analysis_version=str(TYPES[ReportType.STUDENT_ANALYSIS].version),
)


def request(
    database: Database,
    kind: ReportType = ReportType.STUDENT_ANALYSIS,
    report_format: ReportFormat = ReportFormat.CSV,
) -> JobMessage | None:
    with database.transaction() as session:
        quiz = session.get_one(Quiz, QUIZ_ID)
        variant = Variant.of(quiz, kind, report_format, all_versions=False, sis_ids=True)
        return request_variant(session, variant, user_id=TEACHER_ID, large_responses=1000).message


def listed(database: Database) -> list[QuizReport]:
    with database.transaction() as session:
        course, quiz = session.get_one(Course, COURSE_ID), session.get_one(Quiz, QUIZ_ID)
        return list_reports(session, course, quiz, all_versions=False, sis_ids=True, formula_guard=False)


def claim(
    database: Database, message: JobMessage, *, lease_seconds: float = 60.0, max_tries: int = 3
) -> Claim | None:
    with database.transaction() as session:
        return jobs.claim(
            session, message.report_id, message.progress_id, lease_seconds=lease_seconds, max_tries=max_tries
        )


def finish(database: Database, claimed: Claim, snapshot: Snapshot = NOW) -> None:
    with database.transaction() as session:
        jobs.finish(session, claimed, snapshot, size=3, sha256=b"x" * 32, most_of_course=8)


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


def age_messages(database: Database, seconds: int) -> None:
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
