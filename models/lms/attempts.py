"""Attempts at a quiz: one row for each attempt, with its responses as arrays."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    distinct,
    func,
    not_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, DOUBLE_PRECISION, distinct_on
from sqlalchemy.orm import Mapped, Session, load_only, mapped_column

from models.db.base import Base, LmsId, OwnId, UtcTime, enum_by_value


class AttemptState(StrEnum):
    """The state of an attempt; reports read the submitted ones."""

    COMPLETE = "complete"
    PENDING_REVIEW = "pending_review"
    PREVIEW = "preview"


SUBMITTED_STATES = (AttemptState.COMPLETE, AttemptState.PENDING_REVIEW)


class QuizSubmission(Base):
    """The quiz that a submission belongs to for good: the key lets no second quiz have it.

    Every transaction that writes attempts of a submission locks its row, so it is also their order.
    """

    __tablename__ = "submissions"

    id: Mapped[LmsId]
    quiz_id: Mapped[int] = mapped_column(ForeignKey("quizzes.id", ondelete="CASCADE"))


class DeletedAttempt(Base):
    """What stays of an attempt that the LMS deleted: an older push of it must not bring it back."""

    __tablename__ = "deleted_attempts"

    submission_id: Mapped[int] = mapped_column(
        ForeignKey("submissions.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    updated_at: Mapped[UtcTime]


class Attempt(Base):
    """One attempt; its arrays are in the order of its question set.

    `answer_ids` holds the chosen answer of choice questions, `texts` the finished plain text of all other
    kinds, `points` the points given, `selections` which answers were selected; an element is null if the
    attempt has no such value. `outcomes` has a letter for each question; what these mean is in
    `models.content.responses`. `response_bytes` is about what the responses take in a report, however little
    their compressed row takes. `text_version` is the version of the rules that made the texts and counts.

    `quiz_question_set_id` is the quiz's question set when the attempt was first pushed, null if the attempt
    sends its own questions. It differs from `question_set_id` where the quiz draws questions. An attempt that
    has no data has no row in a report. `changed_in` is the transaction that last pushed or changed the row:
    whether a snapshot shows it is then exact, which no clock and no counter tells of concurrent pushes.
    """

    __tablename__ = "attempts"
    __table_args__ = (
        UniqueConstraint("submission_id", "attempt"),
        CheckConstraint("(user_id IS NULL) <> (temporary_user_code IS NULL)", name="one_taker"),
        Index("ix_attempts_quiz_id_changed_in", "quiz_id", "changed_in"),
        # It holds all that decides which attempts a report has, so that these are selected without their wide
        # rows: twenty times fewer pages.
        Index(
            "ix_attempts_selected",
            *("quiz_id", "user_id", "submission_id", "attempt"),
            postgresql_include=[
                *("id", "question_set_id", "quiz_question_set_id", "workflow_state", "was_preview", "score"),
                *("kept_score", "finished_at", "updated_at", "has_data", "response_bytes"),
            ],
        ),
        {
            "postgresql_with": {
                # Rows of fifty responses stay in the table's pages: fetching them from TOAST costs more.
                "toast_tuple_target": "8160",
                # The index alone is read for vacuumed pages only, and an exam may be a small part of all.
                "autovacuum_vacuum_insert_scale_factor": "0.02",
            }
        },
    )

    id: Mapped[OwnId]
    quiz_id: Mapped[int] = mapped_column(ForeignKey("quizzes.id", ondelete="CASCADE"))
    submission_id: Mapped[int] = mapped_column(BigInteger)
    attempt: Mapped[int]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    temporary_user_code: Mapped[str | None] = mapped_column(Text)
    workflow_state: Mapped[AttemptState] = mapped_column(enum_by_value(AttemptState))
    was_preview: Mapped[bool]
    score: Mapped[float | None]
    kept_score: Mapped[float | None]
    started_at: Mapped[datetime.datetime | None] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime.datetime | None] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[UtcTime]
    has_data: Mapped[bool]
    n_correct: Mapped[int]
    n_incorrect: Mapped[int]
    question_set_id: Mapped[int] = mapped_column(ForeignKey("question_sets.id"))
    quiz_question_set_id: Mapped[int | None] = mapped_column(ForeignKey("question_sets.id"))
    answer_ids: Mapped[list[int | None]] = mapped_column(ARRAY(BigInteger))
    texts: Mapped[list[str | None]] = mapped_column(ARRAY(Text))
    points: Mapped[list[float | None]] = mapped_column(ARRAY(DOUBLE_PRECISION))
    outcomes: Mapped[str] = mapped_column(Text)
    selections: Mapped[list[str | None]] = mapped_column(ARRAY(Text))
    response_bytes: Mapped[int]
    text_version: Mapped[int]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    changed_in: Mapped[int] = mapped_column(
        BigInteger, server_default=text("(pg_current_xact_id()::text)::bigint")
    )


class AttemptPayload(Base):
    """An attempt as it was pushed, so that its row can be derived again; no report reads it.

    `payload` is its JSON, unchanged, as `models.payloads.attempts` compresses it, and `payload_bytes` what
    the JSON takes in memory.
    """

    __tablename__ = "attempt_payloads"

    attempt_id: Mapped[int] = mapped_column(
        ForeignKey("attempts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    payload_bytes: Mapped[int]


def list_latest_attempts(session: Session, quiz_id: int, *, offset: int, limit: int) -> Sequence[Attempt]:
    """List a page of the latest attempts of a quiz's students, one a submission, ordered by its id."""
    latest = (
        select(Attempt.id)
        .ext(distinct_on(Attempt.submission_id))
        .where(*_of_students(quiz_id))
        .order_by(Attempt.submission_id, Attempt.attempt.desc())
        .offset(offset)
        .limit(limit)
    )
    return session.scalars(
        select(Attempt)
        .options(load_only(*_SHOWN))
        .where(Attempt.id.in_(latest))
        .order_by(Attempt.submission_id)
    ).all()


def count_submissions(session: Session, quiz_id: int) -> int:
    """Count the submissions of a quiz's students."""
    return session.execute(
        select(func.count(distinct(Attempt.submission_id))).where(*_of_students(quiz_id))
    ).scalar_one()


def _of_students(quiz_id: int) -> Sequence[ColumnElement[bool]]:
    return (Attempt.quiz_id == quiz_id, Attempt.user_id.is_not(None), not_(Attempt.was_preview))


# The responses of an attempt may take megabytes.
_SHOWN = (
    Attempt.submission_id,
    Attempt.quiz_id,
    Attempt.user_id,
    Attempt.attempt,
    Attempt.workflow_state,
    Attempt.score,
    Attempt.kept_score,
    Attempt.started_at,
    Attempt.finished_at,
)
