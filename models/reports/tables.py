"""Quiz reports: their types, their variants, and the one state that each is in."""

from __future__ import annotations

import datetime
import uuid
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Text,
    Uuid,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.db.base import Base, CreatedAt, OwnId, enum_by_value
from models.errors import InvalidReportTypeError
from models.lms.courses import Course
from models.lms.quizzes import Quiz
from models.queue import JobMessage, Queue
from models.reports.files import File
from models.reports.progress import Progress

# Rises when a file made from the same data would come out different.
ANALYSIS_VERSION = 1


class ReportType(StrEnum):
    """The two reports of a quiz."""

    STUDENT_ANALYSIS = "student_analysis"
    ITEM_ANALYSIS = "item_analysis"


class ReportState(StrEnum):
    """The one state of a report; its Progress shows it."""

    IDLE = "idle"
    QUEUED = "queued"
    RUNNING = "running"
    FAILED = "failed"
    GENERATED = "generated"

    @property
    def is_live(self) -> bool:
        """A job is waiting or at work."""
        return self in {ReportState.QUEUED, ReportState.RUNNING}


@dataclass(frozen=True)
class Variant:
    """A quiz, a report type and the options that make a different file."""

    quiz_id: int
    report_type: ReportType
    includes_all_versions: bool
    includes_sis_ids: bool
    anonymous: bool

    @classmethod
    def of(cls, quiz: Quiz, report_type: ReportType, *, all_versions: bool, sis_ids: bool) -> Variant:
        """Name the variant that a caller's wishes and permission come to."""
        is_item_analysis = report_type is ReportType.ITEM_ANALYSIS
        return cls(
            quiz_id=quiz.id,
            report_type=report_type,
            includes_all_versions=is_item_analysis or all_versions,
            includes_sis_ids=sis_ids and not is_item_analysis,
            anonymous=quiz.is_anonymous_survey,
        )

    @property
    def lock_name(self) -> str:
        """The name of the advisory lock under which rows of this variant are made."""
        return (
            f"quiz_reports:{self.quiz_id}:{self.report_type}:{self.includes_all_versions:d}"
            f":{self.includes_sis_ids:d}:{self.anonymous:d}"
        )


class QuizReport(Base):
    """A report of a quiz: one variant, asked for once, and the file that came of it."""

    __tablename__ = "quiz_reports"
    __table_args__ = (
        Index(
            "uq_quiz_reports_live_variant",
            "quiz_id",
            "report_type",
            "includes_all_versions",
            "includes_sis_ids",
            "anonymous",
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
    includes_all_versions: Mapped[bool]
    includes_sis_ids: Mapped[bool]
    anonymous: Mapped[bool]
    state: Mapped[ReportState] = mapped_column(enum_by_value(ReportState), default=ReportState.IDLE)
    progress_id: Mapped[int | None] = mapped_column(ForeignKey("progress.id"), unique=True)
    queue: Mapped[Queue] = mapped_column(enum_by_value(Queue), default=Queue.SMALL)
    enqueued_at: Mapped[datetime.datetime | None] = mapped_column(DateTime(timezone=True))
    tries: Mapped[int] = mapped_column(default=0)
    claim_token: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    lease_until: Mapped[datetime.datetime | None] = mapped_column(DateTime(timezone=True))
    file_id: Mapped[int | None] = mapped_column(ForeignKey("files.id"), unique=True)
    quiz_revision: Mapped[int | None] = mapped_column(BigInteger)
    roster_revision: Mapped[int | None] = mapped_column(BigInteger)
    analysis_version: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    progress: Mapped[Progress | None] = relationship(lazy="joined")
    file: Mapped[File | None] = relationship(lazy="joined")

    @property
    def variant(self) -> Variant:
        """What makes this report's file different from the quiz's others."""
        return Variant(
            self.quiz_id, self.report_type, self.includes_all_versions, self.includes_sis_ids, self.anonymous
        )

    @property
    def message(self) -> JobMessage | None:
        """The message that tells a worker of this report's job, if it has one."""
        return None if self.progress_id is None else JobMessage(self.id, self.progress_id, self.queue)

    def is_current(self, quiz: Quiz, course: Course, analysis_version: str) -> bool:
        """Whether the file was made from exactly the data, and by the analysis, that the service has now."""
        return (
            self.state is ReportState.GENERATED
            and self.quiz_revision == quiz.revision
            and self.roster_revision == course.roster_revision
            and self.analysis_version == analysis_version
        )


def analysis_version(*, formula_guard: bool) -> str:
    """Name the analysis that makes today's files; switching the formula guard makes older ones stale."""
    return f"{ANALYSIS_VERSION}+guard" if formula_guard else str(ANALYSIS_VERSION)


def parse_report_type(name: object, quiz: Quiz) -> ReportType:
    """Read a report type that can be made of this quiz, or raise InvalidReportTypeError."""
    try:
        report_type = ReportType(str(name))
    except ValueError:
        raise InvalidReportTypeError("invalid quiz report type") from None
    if not is_generatable(report_type, quiz):
        raise InvalidReportTypeError("item_analysis can not be generated for a survey")
    return report_type


def is_generatable(report_type: ReportType, quiz: Quiz) -> bool:
    """Surveys have no right answers, so no item analysis can be made of them."""
    return not (report_type is ReportType.ITEM_ANALYSIS and quiz.quiz_type.is_survey)
