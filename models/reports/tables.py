"""The tables of reports: QuizReport and its one state, the Progress of its job, and its File."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    Uuid,
    or_,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.db.base import Base, CreatedAt, OwnId, enum_by_value
from models.lms.courses import Course
from models.lms.quizzes import Quiz
from models.reports.variants import PUBLIC_TYPES, AttemptChoice, ReportFormat, ReportType, Variant

# The columns that distinguish the files of a quiz.
_VARIANT: Final = [field.name for field in dataclasses.fields(Variant)]


class ReportState(StrEnum):
    """The one state of a report; its Progress shows it."""

    IDLE = "idle"
    QUEUED = "queued"
    RUNNING = "running"
    FAILED = "failed"
    GENERATED = "generated"

    @property
    def is_live(self) -> bool:
        """Whether a job is queued or running."""
        return self in {ReportState.QUEUED, ReportState.RUNNING}


class Queue(StrEnum):
    """Small reports must not wait behind large ones."""

    SMALL = "small"
    LARGE = "large"


@dataclass(frozen=True)
class JobMessage:
    """Tells the workers that a report's job may be waiting.

    It carries no state, so a lost, late or repeated one harms nothing. All messages of a job are equal,
    whatever their `send`.
    """

    report_id: int
    progress_id: int
    queue: Queue
    send: int = field(compare=False)

    @property
    def task_id(self) -> str:
        """The id of the Celery task, one for each send, so that a revoke does not stop a later one."""
        return f"progress-{self.progress_id}-{self.send}"

    @property
    def arguments(self) -> dict[str, int]:
        """The task's keyword arguments."""
        return {"report_id": self.report_id, "progress_id": self.progress_id}


class Progress(Base):
    """The progress of a job; its state is that of the report."""

    __tablename__ = "progress"

    id: Mapped[OwnId]
    user_id: Mapped[int] = mapped_column(BigInteger)
    completion: Mapped[float] = mapped_column(default=0.0)
    message: Mapped[str | None] = mapped_column(Text)
    # The request that asked for the job, by which the lines of all processes are found.
    request_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]


class File(Base):
    """A finished file, whose bytes are in the store under the key."""

    __tablename__ = "files"

    id: Mapped[OwnId]
    uuid: Mapped[uuid.UUID] = mapped_column(Uuid, default=uuid.uuid4, unique=True)
    storage_key: Mapped[str] = mapped_column(Text, unique=True)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    # The machine whose worker wrote it, for the case that no other machine finds it.
    node: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]


class QuizReport(Base):
    """A report of a quiz in one variant, with the job that makes its file, and the file."""

    __tablename__ = "quiz_reports"
    __table_args__ = (
        Index(
            "uq_quiz_reports_live_variant",
            *_VARIANT,
            unique=True,
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
        Index("ix_quiz_reports_quiz_id_id", "quiz_id", "id"),
        Index(
            "ix_quiz_reports_live",
            "state",
            "enqueued_at",
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
        CheckConstraint(
            "(state = 'running') = (claim_token IS NOT NULL)"
            " AND (state = 'running') = (lease_until IS NOT NULL)",
            name="lease_while_running",
        ),
        CheckConstraint("(state = 'generated') = (file_id IS NOT NULL)", name="file_when_generated"),
        CheckConstraint("(state = 'idle') = (progress_id IS NULL)", name="progress_unless_idle"),
    )

    id: Mapped[OwnId]
    quiz_id: Mapped[int] = mapped_column(ForeignKey("quizzes.id", ondelete="CASCADE"))
    report_type: Mapped[ReportType] = mapped_column(enum_by_value(ReportType))
    # Unchecked, so that a further format needs no migration.
    format: Mapped[ReportFormat] = mapped_column(enum_by_value(ReportFormat, checked=False))
    includes_all_versions: Mapped[bool]
    includes_sis_ids: Mapped[bool]
    anonymous: Mapped[bool]
    section_ids: Mapped[tuple[int, ...]] = mapped_column(ARRAY(BigInteger, as_tuple=True))
    attempt_choice: Mapped[AttemptChoice] = mapped_column(enum_by_value(AttemptChoice, checked=False))
    state: Mapped[ReportState] = mapped_column(enum_by_value(ReportState), default=ReportState.IDLE)
    progress_id: Mapped[int | None] = mapped_column(ForeignKey("progress.id"), unique=True)
    queue: Mapped[Queue] = mapped_column(enum_by_value(Queue), default=Queue.SMALL)
    enqueued_at: Mapped[datetime.datetime | None] = mapped_column(DateTime(timezone=True))
    send_count: Mapped[int] = mapped_column(default=0)
    tries: Mapped[int] = mapped_column(default=0)
    claim_token: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    lease_until: Mapped[datetime.datetime | None] = mapped_column(DateTime(timezone=True))
    file_id: Mapped[int | None] = mapped_column(ForeignKey("files.id"), unique=True)
    # Those that the file was made from; before it is there, those at the time of the last claim.
    quiz_revision: Mapped[int | None] = mapped_column(BigInteger)
    roster_revision: Mapped[int | None] = mapped_column(BigInteger)
    # Of a file, the version that made it; of a job, the version that was requested.
    analysis_version: Mapped[str | None] = mapped_column(Text)
    # How many attempts the file has, and its snapshot as pg_current_snapshot writes it.
    attempt_count: Mapped[int | None]
    transactions: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    progress: Mapped[Progress | None] = relationship(lazy="joined")
    file: Mapped[File | None] = relationship(lazy="joined")

    @property
    def variant(self) -> Variant:
        """What distinguishes this report's file from the others of the quiz."""
        return Variant(**{name: getattr(self, name) for name in _VARIANT})

    @property
    def message(self) -> JobMessage | None:
        """The last message that told the workers of this report's job, if one was sent."""
        if self.progress_id is None or self.send_count == 0:
            return None
        return JobMessage(self.id, self.progress_id, self.queue, self.send_count)

    def is_current(self, quiz: Quiz, course: Course, *, formula_guard: bool) -> bool:
        """Whether the file was made from the present data by the present analysis."""
        return (
            self.state is ReportState.GENERATED
            and self.quiz_revision == quiz.revision
            and self.roster_revision == course.roster_revision
            and self.analysis_version == self.variant.analysis_version(formula_guard=formula_guard)
        )


IS_PUBLIC: Final = or_(*(QuizReport.report_type == kind for kind in PUBLIC_TYPES))
"""The condition of a report that clients may see; SQLAlchemy would expand an IN at each execution."""
