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
    BindParameter,
    ColumnElement,
    CursorResult,
    Executable,
    Integer,
    and_,
    bindparam,
    cast,
    delete,
    false,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, contains_eager
from sqlalchemy.orm.attributes import set_committed_value

from models.db.session import lock
from models.errors import (
    AlreadyBeingGeneratedError,
    CannotAbortError,
    CannotCancelError,
    NotFoundError,
)
from models.lms.courses import Course
from models.lms.quizzes import Quiz
from models.reports.tables import IS_PUBLIC, File, JobMessage, Progress, Queue, QuizReport, ReportState
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
        newest = _newest_under_lock(session, course, variant)
        if newest is not None and newest.state.is_live:
            raise AlreadyBeingGeneratedError("report is already being generated")
        if newest is not None and newest.is_current(quiz, course, formula_guard=formula_guard):
            return Requested(newest, None)
        if (present := variant.at(quiz)) == variant:
            job = {
                "user_id": user_id,
                "request_id": request_id,
                "queue": Queue.LARGE if quiz.response_count >= large_responses else Queue.SMALL,
                "analysis_version": variant.analysis_version(formula_guard=formula_guard),
                "course_jobs": course_jobs,
            }
            if (report := _queue(session, quiz, variant, newest, job)) is not None:
                return Requested(report, report.message)
            # Another transaction has changed the quiz or the row since they were read: read them again.
        variant = present


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


def find_recent_failure(session: Session, variant: Variant) -> QuizReport | None:
    """Find the newest report of a variant if its job has failed, and another one would probably fail, too.

    That is so while neither the quiz nor the roster has changed, for ten minutes. A reader that asks again
    and again, such as a page that loads itself, queues no job meanwhile.
    """
    newest = _newest(session, variant)
    if newest is None or newest.state is not ReportState.FAILED:
        return None
    return None if failure_stands_seconds(session, newest.id) is None else newest


def failure_stands_seconds(session: Session, report_id: int) -> int | None:
    """Return for how many seconds the failure of a report still stands, 1 at least; None if it does not."""
    ends = QuizReport.updated_at + datetime.timedelta(seconds=FAILURE_STANDS_SECONDS)
    return session.scalar(
        select(cast(func.ceil(func.extract("epoch", ends - func.now())), Integer))
        .join(Quiz, Quiz.id == QuizReport.quiz_id)
        .join(Course, Course.id == Quiz.course_id)
        .where(
            QuizReport.id == report_id,
            QuizReport.state == ReportState.FAILED,
            QuizReport.quiz_revision == Quiz.revision,
            QuizReport.roster_revision == Course.roster_revision,
            ends > func.now(),
        )
    )


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
_IS_OF_VARIANT = and_(*(column == bindparam(column.key) for column in _OF_VARIANT))
_NEWEST = _FIND.where(_IS_OF_VARIANT).order_by(QuizReport.id.desc()).limit(1)
# Quiz and course are selected for the effect on the objects of the session.
_NEWEST_AND_REVISIONS = (
    select(QuizReport, Quiz, Course)
    .select_from(Quiz)
    .join(Course, Course.id == bindparam("course_id"))
    .outerjoin(QuizReport, _IS_OF_VARIANT)
    .where(Quiz.id == bindparam("quiz_id"))
    .order_by(QuizReport.id.desc())
    .limit(1)
    .execution_options(populate_existing=True)
)
_BY_ID = _FIND.where(
    QuizReport.id == bindparam("id"),
    QuizReport.quiz_id == bindparam("quiz_id"),
    IS_PUBLIC,
)
_BY_PROGRESS = _FIND.where(QuizReport.progress_id == bindparam("id"), IS_PUBLIC)
_BY_FILE = _FIND.where(QuizReport.file_id == bindparam("id"), IS_PUBLIC)

# Until the commit, the quiz cannot become another kind of survey.
_LOCKED_QUIZ = """quiz AS (
        SELECT id, course_id FROM quizzes
        WHERE id = :quiz_id AND quiz_type = :quiz_type AND anonymous_submissions = :anonymous_submissions
        FOR SHARE
    )"""
# Beyond a course's share, a job is held back without a message until it is handed out.
_TURN = """turn AS (
        SELECT count(*) < :course_jobs AS has_come
        FROM quiz JOIN quizzes ON quizzes.course_id = quiz.course_id
            JOIN quiz_reports ON quiz_reports.quiz_id = quizzes.id
        WHERE state IN ('queued', 'running') AND enqueued_at IS NOT NULL
    )"""
_JOB = {
    "state": "'queued'",
    "progress_id": "job.id",
    "queue": ":queue",
    "enqueued_at": "CASE WHEN has_come THEN now() END",
    "send_count": "CASE WHEN has_come THEN 1 ELSE 0 END",
    "analysis_version": ":analysis_version",
    "tries": "0",
}
_REPORT_COLUMNS, _PROGRESS_COLUMNS = QuizReport.__table__.c, Progress.__table__.c
_NEW_JOB = f"""job AS (
        INSERT INTO progress (user_id, request_id, completion) SELECT :user_id, :request_id, 0 FROM {{source}}
        RETURNING {", ".join(column.name for column in _PROGRESS_COLUMNS)}
    )"""  # noqa: S608 - these are names of columns.
_RETURNED = f"RETURNING {', '.join(f'quiz_reports.{column.name}' for column in _REPORT_COLUMNS)}"


def _queued(ctes: str, *parameters: BindParameter[Any]) -> Executable:
    """Make the statement that returns a queued report with its Progress, which `ctes` call queued and job."""
    statement = text(f"WITH {ctes} SELECT queued.*, job.* FROM queued, job")  # noqa: S608 - a constant.
    rows = statement.bindparams(*parameters).columns(*_REPORT_COLUMNS, *_PROGRESS_COLUMNS)
    return _FIND.options(contains_eager(QuizReport.progress)).from_statement(rows)


_QUEUE_NEW: Final = _queued(
    f"""{_LOCKED_QUIZ}, {_TURN}, {_NEW_JOB.format(source="quiz")}, queued AS (
        INSERT INTO quiz_reports ({", ".join([*(column.key for column in _OF_VARIANT), *_JOB])})
        SELECT {", ".join([*(f":{column.key}" for column in _OF_VARIANT), *_JOB.values()])} FROM job, turn
        {_RETURNED}
    )""",  # noqa: S608 - these are names of columns, and constants.
    *(bindparam(column.key, type_=column.type) for column in _OF_VARIANT),
)
# The Progress of an earlier job is deleted.
_QUEUE_AGAIN: Final = _queued(
    f"""{_LOCKED_QUIZ}, {_TURN}, report AS (
        SELECT quiz_reports.id, progress_id FROM quiz JOIN quiz_reports ON quiz_id = quiz.id
        WHERE quiz_reports.id = :report_id AND state IN ('idle', 'failed')
        FOR UPDATE OF quiz_reports
    ), {_NEW_JOB.format(source="report")}, earlier AS (
        DELETE FROM progress USING report WHERE progress.id = report.progress_id
    ), queued AS (
        UPDATE quiz_reports
        SET updated_at = now(), {", ".join(f"{name} = {value}" for name, value in _JOB.items())}
        FROM report, job, turn WHERE quiz_reports.id = report.id
        {_RETURNED}
    )"""  # noqa: S608
)


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
        newest = _newest_under_lock(session, course, variant)
    if newest is None or not can_be_listed(newest):
        newest = QuizReport(**vars(variant))
        session.add(newest)
        session.flush()
        session.refresh(newest)
    return newest


def _newest(session: Session, variant: Variant) -> QuizReport | None:
    return session.scalar(_NEWEST, vars(variant))


def _newest_under_lock(session: Session, course: Course, variant: Variant) -> QuizReport | None:
    """Lock the variant, then read its newest row and the revisions, so that none is older than the lock."""
    lock(session, variant.lock_name)
    read = session.execute(_NEWEST_AND_REVISIONS, {**vars(variant), "course_id": course.id}).one()
    newest: QuizReport | None = read.QuizReport
    return newest


def _queue(
    session: Session, quiz: Quiz, variant: Variant, newest: QuizReport | None, job: Mapping[str, Any]
) -> QuizReport | None:
    """Queue a job in a new row, or in the newest one if it has no file; return the report.

    None if the quiz is no longer as it was read, or the row no longer without a live job.
    """
    as_read = {"quiz_type": quiz.quiz_type, "anonymous_submissions": quiz.anonymous_submissions}
    if newest is None or newest.state is ReportState.GENERATED:
        statement, row = _QUEUE_NEW, vars(variant)
    else:
        statement, row = _QUEUE_AGAIN, {"quiz_id": quiz.id, "report_id": newest.id}
    report: QuizReport | None = session.scalar(statement, {**job, **as_read, **row})
    if report is not None:
        # The statement returns no file, and it would be read when the session is closed.
        set_committed_value(report, "file", None)
    return report


def _execute(session: Session, statement: Any) -> CursorResult[Any]:
    result = session.execute(statement)
    assert isinstance(result, CursorResult)  # noqa: S101
    return result
