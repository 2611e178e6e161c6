"""What clients ask of reports: list, request, abort, cancel, find.

Each change of a report's state is one conditional statement. Rows of a variant are created only under its
advisory lock, and a partial unique index rules out two live ones even without it.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    ScalarSelect,
    and_,
    bindparam,
    case,
    delete,
    false,
    func,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, aliased

from models.db.session import lock
from models.errors import (
    AlreadyBeingGeneratedError,
    CannotAbortError,
    CannotCancelError,
    NotFoundError,
)
from models.lms.courses import Course
from models.lms.quizzes import Quiz
from models.reports.tables import File, JobMessage, Progress, Queue, QuizReport, ReportState
from models.reports.variants import PUBLIC_TYPES, Variant

FAILURE_STANDS_SECONDS: Final = 600


@dataclass(frozen=True)
class Requested:
    """A requested report, with the message to send if a job was queued for it."""

    report: QuizReport
    message: JobMessage | None


@dataclass(frozen=True)
class Aborted:
    """What remains to be done after an abort is committed: a message to revoke, an object to delete."""

    message: JobMessage | None
    storage_key: str | None


@dataclass(frozen=True)
class Cancelled:
    """A cancelled job: its Progress as it ended, and the message to revoke after the commit."""

    progress: Progress
    message: JobMessage | None


def list_reports(
    session: Session,
    course: Course,
    quiz: Quiz,
    *,
    all_versions: bool,
    sis_ids: bool,
    section_ids: Collection[int] = (),
    formula_guard: bool,
) -> list[QuizReport]:
    """List the newest CSV report of each type, student_analysis first; missing and stale ones are created."""
    variants = [
        Variant.of(quiz, kind, all_versions=all_versions, sis_ids=sis_ids, section_ids=section_ids)
        for kind in PUBLIC_TYPES
    ]
    return [_listed(session, course, quiz, variant, formula_guard=formula_guard) for variant in variants]


def newest_reports(session: Session, quiz_id: int) -> Sequence[QuizReport]:
    """Find of each variant of a quiz the newest report that has a file, and the newest that has none."""
    has_file = QuizReport.file_id.is_not(None)
    return session.scalars(
        select(QuizReport)
        .where(QuizReport.quiz_id == quiz_id)
        .ext(distinct_on(*_OF_VARIANT, has_file))
        .order_by(*_OF_VARIANT, has_file, QuizReport.id.desc())
    ).all()


def request_report(
    session: Session,
    course: Course,
    quiz: Quiz,
    variant: Variant,
    *,
    user_id: int,
    formula_guard: bool,
    large_responses: int,
    course_jobs: int,
    request_id: str | None = None,
) -> Requested:
    """Return the variant's report if it is current, else queue a job for it.

    Raises AlreadyBeingGeneratedError while one is queued or running, even if submissions have come in since:
    a queued job reads its data when it starts, so it will include them. If the quiz has just become another
    kind of survey, the variant is the one that it has now, or InvalidReportTypeError is raised.
    """
    while True:
        newest = _newest_under_lock(session, course, quiz, variant)
        if newest is not None and newest.state.is_live:
            raise AlreadyBeingGeneratedError("report is already being generated")
        if newest is not None and newest.is_current(quiz, course, formula_guard=formula_guard):
            return Requested(newest, None)
        # From here to the commit the quiz cannot become a survey that may not have this report.
        session.refresh(quiz, with_for_update={"read": True})
        if (present := variant.at(quiz)) == variant:
            break
        variant = present
    progress = Progress(user_id=user_id, request_id=request_id)
    session.add(progress)
    session.flush()
    # Beyond a course's share, the job is held back without a message until it is handed out.
    has_turn = sent_jobs(course.id) < course_jobs
    job = {
        "state": ReportState.QUEUED,
        "progress_id": progress.id,
        "queue": Queue.LARGE if quiz.response_count >= large_responses else Queue.SMALL,
        "enqueued_at": case((has_turn, func.now()), else_=null()),
        "send_count": case((has_turn, 1), else_=0),
        "analysis_version": variant.analysis_version(formula_guard=formula_guard),
    }
    if newest is None or newest.state is ReportState.GENERATED:
        report = QuizReport(**vars(variant), **job)
        session.add(report)
        session.flush()
    else:
        report = newest
        _queue_again(session, report, job)
    session.refresh(report)
    return Requested(report, report.message)


def find_newest(session: Session, variant: Variant) -> QuizReport:
    """Find the newest report of a variant, or raise NotFoundError."""
    return _found(_newest(session, variant))


def find_newest_files(session: Session, variants: Iterable[Variant]) -> Mapping[Variant, QuizReport]:
    """Find the newest report with a file of each variant that has one."""
    is_wanted = or_(false(), *map(_is_of, variants))
    found = session.scalars(
        _FIND.where(is_wanted, QuizReport.file_id.is_not(None))
        .ext(distinct_on(*_OF_VARIANT))
        .order_by(*_OF_VARIANT, QuizReport.id.desc())
    )
    return {report.variant: report for report in found}


def find_recent_failure(session: Session, course: Course, quiz: Quiz, variant: Variant) -> QuizReport | None:
    """Find the newest report of a variant if its job has failed, and another one would probably fail, too.

    That is so while neither the quiz nor the roster has changed, for ten minutes. A reader that asks again
    and again, such as a page that loads itself, queues no job meanwhile.
    """
    newest = _newest(session, variant)
    if newest is None or newest.state is not ReportState.FAILED:
        return None
    if (newest.quiz_revision, newest.roster_revision) != (quiz.revision, course.roster_revision):
        return None
    is_recent = QuizReport.updated_at > func.now() - datetime.timedelta(seconds=FAILURE_STANDS_SECONDS)
    return newest if session.scalar(select(is_recent).where(QuizReport.id == newest.id)) else None


def abort_report(session: Session, quiz_id: int, report_id: int) -> Aborted:
    """Abort a queued job, or clear a failed or generated report; the row stays, idle.

    Raises CannotAbortError if the job is running, or if there is nothing to abort.
    """
    while True:
        report = find_report(session, quiz_id, report_id)
        if report.state is ReportState.RUNNING:
            raise CannotAbortError("report generation can not be aborted")
        if report.progress_id is None:
            raise CannotAbortError("report is not being generated")
        file_ids = [] if report.file_id is None else [report.file_id]
        if clear(session, [report.progress_id], file_ids, _is_unchanged(report)):
            return Aborted(
                message=report.message if report.state is ReportState.QUEUED else None,
                storage_key=None if report.file is None else report.file.storage_key,
            )
        # Another transaction changed the row between the two statements: read it again.


def cancel_progress(session: Session, progress_id: int, message: str | None) -> Cancelled:
    """Cancel a queued job and delete its Progress.

    Raises CannotCancelError if the job is no longer queued.
    """
    while True:
        report = find_progress_report(session, progress_id)
        progress = report.progress
        if progress is None or report.state is not ReportState.QUEUED:
            raise CannotCancelError("progress can not be cancelled")
        if clear(session, [progress_id], [], _is_unchanged(report)):
            session.expunge(progress)
            progress.message = message
            return Cancelled(progress, report.message)
        # Another transaction changed the row between the two statements: read it again.


def clear(
    session: Session,
    progress_ids: Sequence[int],
    file_ids: Sequence[int],
    condition: ColumnElement[bool] | None = None,
) -> bool:
    """Make the reports of these Progresses idle, and delete the Progresses and files.

    Returns False, with nothing deleted, if a report has another Progress by now or no longer meets the
    condition.
    """
    conditions = [] if condition is None else [condition]
    cleared = _execute(
        session,
        update(QuizReport)
        .where(QuizReport.progress_id.in_(progress_ids), *conditions)
        .values(
            state=ReportState.IDLE,
            progress_id=None,
            file_id=None,
            quiz_revision=None,
            roster_revision=None,
            analysis_version=None,
            attempt_count=None,
            transactions=None,
            updated_at=func.now(),
        )
        .execution_options(synchronize_session=False),
    )
    if cleared.rowcount != len(progress_ids):
        return False
    session.execute(
        delete(Progress).where(Progress.id.in_(progress_ids)).execution_options(synchronize_session=False)
    )
    if file_ids:
        session.execute(
            delete(File).where(File.id.in_(file_ids)).execution_options(synchronize_session=False)
        )
    return True


def find_report(session: Session, quiz_id: int, report_id: int) -> QuizReport:
    """Find a report of a quiz, or raise NotFoundError."""
    return _found(session.scalar(_BY_ID, {"id": report_id, "quiz_id": quiz_id}))


def find_progress_report(session: Session, progress_id: int) -> QuizReport:
    """Find the report of a Progress, or raise NotFoundError."""
    return _found(session.scalar(_BY_PROGRESS, {"id": progress_id}))


def find_file_report(session: Session, file_id: int) -> QuizReport:
    """Find the report of a file, or raise NotFoundError."""
    return _found(session.scalar(_BY_FILE, {"id": file_id}))


def sent_jobs(course_id: int) -> ScalarSelect[int]:
    """Count the jobs of a course that the broker holds or that workers run."""
    live = aliased(QuizReport)
    return (
        select(func.count())
        .join(Quiz, Quiz.id == live.quiz_id)
        .where(
            Quiz.course_id == course_id,
            live.state.in_([ReportState.QUEUED, ReportState.RUNNING]),
            live.enqueued_at.is_not(None),
        )
        .select_from(live)
        .scalar_subquery()
    )


def mark_file_lost(session: Session, file_id: int) -> bool:
    """Mark as stale the report of a file that has lost its bytes, so that the next request makes it anew.

    Returns False if the file is already deleted or marked.
    """
    marked = _execute(
        session,
        update(QuizReport)
        .where(QuizReport.file_id == file_id, QuizReport.analysis_version.is_not(None))
        .values(analysis_version=None, updated_at=func.now())
        .execution_options(synchronize_session=False),
    )
    return marked.rowcount == 1


_OF_VARIANT = [getattr(QuizReport, field.name) for field in fields(Variant)]
# Most requests run one of these, so they are built once.
_FIND = select(QuizReport).execution_options(populate_existing=True)
_BY_ID = _FIND.where(
    QuizReport.id == bindparam("id"),
    QuizReport.quiz_id == bindparam("quiz_id"),
    QuizReport.report_type.in_(PUBLIC_TYPES),
)
_BY_PROGRESS = _FIND.where(
    QuizReport.progress_id == bindparam("id"), QuizReport.report_type.in_(PUBLIC_TYPES)
)
_BY_FILE = _FIND.where(QuizReport.file_id == bindparam("id"), QuizReport.report_type.in_(PUBLIC_TYPES))


def _is_of(variant: Variant) -> ColumnElement[bool]:
    values = vars(variant).values()
    return and_(*(column == value for column, value in zip(_OF_VARIANT, values, strict=True)))


def _is_unchanged(report: QuizReport) -> ColumnElement[bool]:
    """Whether state and last send are still those that were read, so that the right message is revoked."""
    return and_(QuizReport.state == report.state, QuizReport.send_count == report.send_count)


def _found(report: QuizReport | None) -> QuizReport:
    if report is None:
        raise NotFoundError("The specified resource does not exist.")
    return report


def _listed(
    session: Session, course: Course, quiz: Quiz, variant: Variant, *, formula_guard: bool
) -> QuizReport:
    def can_be_listed(report: QuizReport | None) -> bool:
        return report is not None and (
            report.state is not ReportState.GENERATED
            or report.is_current(quiz, course, formula_guard=formula_guard)
        )

    newest = _newest(session, variant)
    if not can_be_listed(newest):
        newest = _newest_under_lock(session, course, quiz, variant)
    if newest is None or not can_be_listed(newest):
        newest = QuizReport(**vars(variant))
        session.add(newest)
        session.flush()
        session.refresh(newest)
    return newest


def _newest(session: Session, variant: Variant) -> QuizReport | None:
    return session.scalar(_FIND.where(_is_of(variant)).order_by(QuizReport.id.desc()).limit(1))


def _newest_under_lock(session: Session, course: Course, quiz: Quiz, variant: Variant) -> QuizReport | None:
    """Lock the variant, then read its newest row and the revisions, so that none is older than the lock."""
    lock(session, variant.lock_name)
    newest = _newest(session, variant)
    session.refresh(quiz)
    session.refresh(course)
    return newest


def _queue_again(session: Session, report: QuizReport, job: Mapping[str, Any]) -> None:
    earlier = report.progress_id
    queued = _execute(
        session,
        update(QuizReport)
        .where(QuizReport.id == report.id, QuizReport.state.in_([ReportState.IDLE, ReportState.FAILED]))
        .values(**job, tries=0, updated_at=func.now()),
    )
    if queued.rowcount != 1:
        raise AlreadyBeingGeneratedError("report is already being generated")
    if earlier is not None:
        session.execute(delete(Progress).where(Progress.id == earlier))


def _execute(session: Session, statement: Any) -> CursorResult[Any]:
    result = session.execute(statement)
    assert isinstance(result, CursorResult)  # noqa: S101
    return result
