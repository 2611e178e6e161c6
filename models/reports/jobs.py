"""What workers do with jobs (claim, heartbeat, finish, fail), and what the sweeper does with lost ones.

A worker's claim is a lease and a token. Every statement names the token, so a worker that has lost its lease
changes nothing. Times come from the database's clock.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import platform
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, bindparam, func, or_, select, text, update
from sqlalchemy.orm import Session

from models.errors import LeaseLostError
from models.lms.quizzes import Quiz
from models.reports.requests import clear
from models.reports.tables import File, JobMessage, Progress, Queue, QuizReport, ReportState
from models.reports.variants import TYPES, ReportFormat, ReportType, Variant, display_name
from models.reports.withdrawal import MAY_HAVE

# Identifies a claim in the log. Teachers see it, too, and can quote it to their administrator.
REFERENCE = "report {report_id}, job {progress_id}"
_STORAGE_KEY = "reports/{progress_id}/{token}"
# Longer than an upgrade takes to start its first new worker. After a rollback there may be none.
_LEFT_TO_NEWER_WORKERS: Final = datetime.timedelta(minutes=5)


@dataclass(frozen=True)
class Claim:
    """A worker's claim to a report's job; S3 serves the object under the file name."""

    report_id: int
    progress_id: int
    token: uuid.UUID
    variant: Variant
    course_id: int
    display_name: str = "report.csv"
    try_number: int = 1
    request_id: str | None = None

    @property
    def storage_key(self) -> str:
        """The key of the object that this try writes; no other try ever writes to it."""
        return _STORAGE_KEY.format(progress_id=self.progress_id, token=self.token)

    @property
    def reference(self) -> str:
        """The text that identifies this claim in the log."""
        return REFERENCE.format(report_id=self.report_id, progress_id=self.progress_id)


@dataclass(frozen=True)
class Snapshot:
    """The revisions of the data and the version of the analysis that a file was made from.

    `attempt_count` is the number of attempts in the file. `transactions` are those whose changes it shows, as
    `pg_current_snapshot` writes them.
    """

    quiz_revision: int
    roster_revision: int
    analysis_version: str
    attempt_count: int | None = None
    transactions: str | None = None


_VARIANT: Final = {field.name: getattr(QuizReport, field.name).type for field in dataclasses.fields(Variant)}
_VERSIONS: Final = json.dumps({kind: spec.version for kind, spec in TYPES.items()})
# Columns are named one by one: a further one must not change the result of a statement that is prepared.
# The commit of a first claim does not wait for the disk: a crash of the database that loses it leaves the job
# queued, and the worker then finds that it has lost its lease. What it finishes waits for the disk, and so
# for its claim. A job that is sent again may have caused the crash, so its try is on the disk first.
# A database that was restored may hold a job back whose message is still in the broker: it counts as sent.
_CLAIM: Final = text(
    f"""
    WITH claimed AS (
        UPDATE quiz_reports
        SET state = 'running', tries = tries + 1, claim_token = :token, lease_until = now() + :lease,
            enqueued_at = coalesce(enqueued_at, now()), send_count = greatest(send_count, 1),
            quiz_revision = quizzes.revision, roster_revision = courses.roster_revision, updated_at = now()
        FROM quizzes JOIN courses ON courses.id = quizzes.course_id
        WHERE quiz_reports.id = :report_id AND progress_id = :progress_id AND tries < :max_tries
            AND (state = 'queued' OR state = 'running' AND lease_until < now())
            AND report_type = ANY(:types) AND format = ANY(:formats)
            AND (analysis_version IS NULL OR quiz_reports.updated_at < now() - :left_to_newer
                 OR split_part(analysis_version, '+', 1)::int <= (:versions ::jsonb ->> report_type)::int)
            AND quizzes.id = quiz_id
        RETURNING progress_id, tries, {", ".join(_VARIANT)}, course_id, title, quiz_type, send_count
    )
    UPDATE progress SET completion = 0, updated_at = now()
    FROM claimed WHERE progress.id = claimed.progress_id
    RETURNING claimed.*, request_id, set_config(
        'synchronous_commit',
        CASE WHEN claimed.send_count > 1 THEN current_setting('synchronous_commit') ELSE 'off' END,
        true
    ) AS synchronous_commit
    """  # noqa: S608 - these are names of columns.
).columns(**_VARIANT, quiz_type=Quiz.quiz_type.type)


def claim(
    session: Session, report_id: int, progress_id: int, *, lease_seconds: float, max_tries: int
) -> Claim | None:
    """Claim a job that is queued or whose lease has expired; None if it cannot be claimed.

    A job that was requested with a newer analysis than this process has is left to newer workers for five
    minutes: during an upgrade, its file would never be current. One of a type or format that this process
    does not know is left to them altogether. The revisions of now are stored, which are at most as new as the
    snapshot will be: a failure of the job stands until they change, or for a time.
    """
    token = uuid.uuid4()
    claimed = session.execute(
        _CLAIM,
        {
            "report_id": report_id,
            "progress_id": progress_id,
            "token": token,
            "lease": datetime.timedelta(seconds=lease_seconds),
            "max_tries": max_tries,
            "left_to_newer": _LEFT_TO_NEWER_WORKERS,
            "versions": _VERSIONS,
            "types": list(ReportType),
            "formats": list(ReportFormat),
        },
    ).first()
    if claimed is None:
        return None
    variant = Variant(**{name: getattr(claimed, name) for name in _VARIANT})
    name = display_name(claimed.title, claimed.quiz_type, variant)
    return Claim(
        report_id, progress_id, token, variant, claimed.course_id, name, claimed.tries, claimed.request_id
    )


_HEARTBEAT = text(
    """
    WITH renewed AS (
        UPDATE quiz_reports SET lease_until = now() + :lease
        WHERE id = :report_id AND state = 'running' AND claim_token = :token
        RETURNING progress_id
    )
    UPDATE progress SET completion = greatest(completion, :completion), updated_at = now()
    FROM renewed WHERE progress.id = renewed.progress_id
    RETURNING progress.id
    """
).bindparams(bindparam("lease"), bindparam("token"))


def heartbeat(session: Session, claim: Claim, completion: float, *, lease_seconds: float) -> None:
    """Renew the lease and show the completion; raise LeaseLostError if the claim no longer holds."""
    # It does no harm if a crash of the database loses a heartbeat, so it need not wait for the disk.
    session.execute(text("SET LOCAL synchronous_commit = off"))
    renewed = session.execute(
        _HEARTBEAT,
        {
            "lease": datetime.timedelta(seconds=lease_seconds),
            "report_id": claim.report_id,
            "token": claim.token,
            "completion": completion,
        },
    ).first()
    if renewed is None:
        raise LeaseLostError(claim.reference)


_MOST_HANDED_OUT: Final = 100
# `ended` has the report of a job that ends with this statement, or a row without one; without a row, nothing
# is handed out. A job that another transaction changes is left to it, so that no job waits to end.
# Unlike a claim, this is on the disk before the message is sent: the number of sends tells a job that was
# sent again, which may have crashed the database, from one that was not.
_HANDED_OUT: Final = """
    sent AS (
        SELECT quizzes.course_id, count(*) AS jobs
        FROM quiz_reports JOIN quizzes ON quizzes.id = quiz_reports.quiz_id
        WHERE state IN ('queued', 'running') AND enqueued_at IS NOT NULL
            AND quiz_reports.id <> ALL (SELECT report_id FROM ended)
        GROUP BY quizzes.course_id
    ), waiting AS (
        SELECT quiz_reports.id, coalesce(sent.jobs, 0) + row_number() OVER (
                   PARTITION BY quizzes.course_id ORDER BY quiz_reports.progress_id
               ) AS turn
        FROM quiz_reports JOIN quizzes ON quizzes.id = quiz_reports.quiz_id
            LEFT JOIN sent ON sent.course_id = quizzes.course_id
        WHERE state = 'queued' AND enqueued_at IS NULL
    ), next AS (
        SELECT id, turn FROM waiting WHERE turn <= :most_of_course ORDER BY turn, id LIMIT :most
    ), free AS (
        SELECT quiz_reports.id, turn FROM quiz_reports JOIN next ON next.id = quiz_reports.id
        WHERE state = 'queued' AND enqueued_at IS NULL
        FOR UPDATE OF quiz_reports SKIP LOCKED
    ), handed_out AS (
        UPDATE quiz_reports SET enqueued_at = now(), send_count = send_count + 1
        FROM free
        WHERE quiz_reports.id = free.id AND state = 'queued' AND enqueued_at IS NULL
            AND EXISTS (SELECT FROM ended)
        RETURNING turn, quiz_reports.id, progress_id, queue, send_count
    )
"""
_HAND_OUT: Final = text(f"WITH ended AS (SELECT 0 AS report_id), {_HANDED_OUT} SELECT * FROM handed_out")  # noqa: S608

# The report takes the id of the file before there is one, so that a file without a report is never made.
_FINISH: Final = text(
    f"""
    WITH quiz AS (
        SELECT id FROM quizzes WHERE id = :quiz_id AND {MAY_HAVE} FOR SHARE
    ), ended AS (
        UPDATE quiz_reports
        SET state = 'generated', claim_token = NULL, lease_until = NULL, updated_at = now(),
            file_id = nextval(pg_get_serial_sequence('files', 'id')),
            quiz_revision = :quiz_revision, roster_revision = :roster_revision,
            analysis_version = :analysis_version, attempt_count = :attempt_count,
            transactions = :transactions
        FROM quiz
        WHERE quiz_reports.id = :report_id AND state = 'running' AND claim_token = :token
            AND quiz_id = quiz.id
        RETURNING quiz_reports.id AS report_id, progress_id, file_id
    ), file AS (
        INSERT INTO files (id, uuid, storage_key, size, sha256, node)
        SELECT file_id, :uuid, :storage_key, :size, :sha256, :node FROM ended
    ), completed AS (
        UPDATE progress SET completion = 100, message = NULL, updated_at = now()
        FROM ended WHERE progress.id = ended.progress_id
    ), {_HANDED_OUT}
    SELECT handed_out.*, EXISTS (SELECT FROM waiting) AS jobs_wait FROM ended LEFT JOIN handed_out ON true
    """  # noqa: S608 - the condition is a constant.
)


def finish(
    session: Session, claim: Claim, snapshot: Snapshot, *, size: int, sha256: bytes, most_of_course: int
) -> Sequence[JobMessage] | None:
    """Make the stored object the report's file, and hand out jobs as `hand_out` does.

    Returns None if jobs wait and none was handed out: jobs that end at the same moment count each other, so
    what is left to `hand_out` may be theirs.
    Raises LeaseLostError if the claim no longer holds, or if the quiz may no longer have such a report.
    """
    rows = session.execute(
        _FINISH,
        {
            "report_id": claim.report_id,
            "token": claim.token,
            "quiz_id": claim.variant.quiz_id,
            "is_item_analysis": claim.variant.report_type is ReportType.ITEM_ANALYSIS,
            "is_anonymous": claim.variant.anonymous,
            **vars(snapshot),
            "uuid": uuid.uuid4(),
            "storage_key": claim.storage_key,
            "size": size,
            "sha256": sha256,
            "node": platform.node(),
            "most_of_course": most_of_course,
            "most": _MOST_HANDED_OUT,
        },
    ).all()
    if not rows:
        raise LeaseLostError(claim.reference)
    messages = _messages(row for row in rows if row.id is not None)
    return None if rows[0].jobs_wait and not messages else messages


def fail(session: Session, claim: Claim, message: str) -> None:
    """End the job as failed, with a message for teachers; raise LeaseLostError if the claim is lost."""
    ended = session.execute(
        update(QuizReport)
        .where(_holds(claim))
        .values(state=ReportState.FAILED, claim_token=None, lease_until=None, updated_at=func.now())
        .returning(QuizReport.id)
        .execution_options(synchronize_session=False)
    ).first()
    if ended is None:
        raise LeaseLostError(claim.reference)
    session.execute(
        update(Progress)
        .where(Progress.id == claim.progress_id)
        .values(message=message, updated_at=func.now())
    )


def give_back(session: Session, claim: Claim, *, max_tries: int) -> bool:
    """Let the lease end now, so that another worker takes the job; False if this was its last try.

    Raises LeaseLostError if the claim no longer holds.
    """
    tries = session.scalar(
        update(QuizReport)
        .where(_holds(claim))
        .values(lease_until=func.now(), updated_at=func.now())
        .returning(QuizReport.tries)
        .execution_options(synchronize_session=False)
    )
    if tries is None:
        raise LeaseLostError(claim.reference)
    return tries < max_tries


def fail_exhausted(session: Session, *, max_tries: int) -> Sequence[int]:
    """Fail the jobs whose last allowed try has lost its lease; return the ids of their reports."""
    ended = session.execute(
        update(QuizReport)
        .where(_lease_expired(), QuizReport.tries >= max_tries)
        .values(state=ReportState.FAILED, claim_token=None, lease_until=None, updated_at=func.now())
        .returning(QuizReport.id, QuizReport.progress_id)
        .execution_options(synchronize_session=False)
    ).all()
    for report_id, progress_id in ended:
        reference = REFERENCE.format(report_id=report_id, progress_id=progress_id)
        session.execute(
            update(Progress)
            .where(Progress.id == progress_id)
            .values(
                message=f"The report could not be made: the program that makes it stopped {max_tries} times."
                f" Ask again later; if it fails again, tell your administrator the reference: {reference}.",
                updated_at=func.now(),
            )
        )
    return [report_id for report_id, _ in ended]


def take_unclaimed_jobs(
    session: Session, queue: Queue, *, older_than_seconds: float, most: int
) -> Sequence[JobMessage]:
    """Return the jobs of a queue that no worker has claimed since their last message, and mark them enqueued.

    These are queued rows, and running ones whose lease has expired. One statement finds and marks a row, so
    only one of any number of sweepers returns it.
    """
    overdue = (
        select(QuizReport.id)
        .where(
            QuizReport.queue == queue,
            QuizReport.enqueued_at < func.now() - datetime.timedelta(seconds=older_than_seconds),
            or_(QuizReport.state == ReportState.QUEUED, _lease_expired()),
        )
        .order_by(QuizReport.enqueued_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    rows = session.execute(
        update(QuizReport)
        .where(QuizReport.id.in_(overdue.scalar_subquery()))
        .values(enqueued_at=func.now(), send_count=QuizReport.send_count + 1)
        .returning(QuizReport.id, QuizReport.progress_id, QuizReport.queue, QuizReport.send_count)
        .execution_options(synchronize_session=False)
    )
    return [
        JobMessage(report_id, progress_id, queue, send)
        for report_id, progress_id, queue, send in rows
        if progress_id
    ]


def hand_out(session: Session, *, most_of_course: int) -> Sequence[JobMessage]:
    """Return the jobs that were held back and whose turn has come, courses in turn, and mark them enqueued.

    Afterwards the broker and the workers have at most `most_of_course` jobs of each course.
    """
    rows = session.execute(_HAND_OUT, {"most_of_course": most_of_course, "most": _MOST_HANDED_OUT})
    return _messages(rows.all())


def _messages(handed_out: Iterable[Row[*tuple[Any, ...]]]) -> Sequence[JobMessage]:
    return [
        JobMessage(row.id, row.progress_id, Queue(row.queue), row.send_count)
        for row in sorted(handed_out, key=lambda row: (row.turn, row.id))
    ]


def remove_expired_files(session: Session, *, retention_days: int, most: int = 1000) -> Sequence[str]:
    """Clear the reports whose files have outlived the retention; return the keys of the objects to delete."""
    expired = session.execute(
        select(QuizReport.progress_id, QuizReport.file_id, File.storage_key)
        .join(File, File.id == QuizReport.file_id)
        .where(File.created_at < func.now() - datetime.timedelta(days=retention_days))
        .limit(most)
        .with_for_update(of=QuizReport, skip_locked=True)
    ).all()
    if expired:
        clear(session, [row.progress_id for row in expired], [row.file_id for row in expired])
    return [row.storage_key for row in expired]


def unreferenced(session: Session, storage_keys: Sequence[str]) -> Sequence[str]:
    """Return the keys that belong to no file and to no running job."""
    known = set(session.scalars(select(File.storage_key).where(File.storage_key.in_(storage_keys))))
    running = session.execute(
        select(QuizReport.progress_id, QuizReport.claim_token).where(QuizReport.state == ReportState.RUNNING)
    )
    known |= {_STORAGE_KEY.format(progress_id=progress_id, token=token) for progress_id, token in running}
    return [key for key in storage_keys if key not in known]


def _holds(claim: Claim) -> ColumnElement[bool]:
    return and_(
        QuizReport.id == claim.report_id,
        QuizReport.state == ReportState.RUNNING,
        QuizReport.claim_token == claim.token,
    )


def _lease_expired() -> ColumnElement[bool]:
    return and_(QuizReport.state == ReportState.RUNNING, QuizReport.lease_until < func.now())
