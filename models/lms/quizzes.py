"""Quizzes, the versions of their questions, and the question sets that attempts were made of."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.db.base import Base, CreatedAt, LmsId, OwnId, enum_by_value
from models.errors import NotFoundError
from models.lms.courses import Course


class QuizType(StrEnum):
    """What a quiz is for."""

    PRACTICE = "practice_quiz"
    ASSIGNMENT = "assignment"
    GRADED_SURVEY = "graded_survey"
    SURVEY = "survey"

    @property
    def is_survey(self) -> bool:
        """Whether it is a survey: a survey has no correct answers, so no item analysis."""
        return self in {QuizType.GRADED_SURVEY, QuizType.SURVEY}


class ScoringPolicy(StrEnum):
    """Which of several attempts' scores counts."""

    HIGHEST = "keep_highest"
    LATEST = "keep_latest"
    AVERAGE = "keep_average"


class QuestionType(StrEnum):
    """How a question is asked and answered."""

    MULTIPLE_CHOICE = "multiple_choice_question"
    TRUE_FALSE = "true_false_question"
    SHORT_ANSWER = "short_answer_question"
    FILL_IN_BLANKS = "fill_in_multiple_blanks_question"
    MULTIPLE_ANSWERS = "multiple_answers_question"
    DROPDOWNS = "multiple_dropdowns_question"
    MATCHING = "matching_question"
    NUMERICAL = "numerical_question"
    CALCULATED = "calculated_question"
    ESSAY = "essay_question"
    FILE_UPLOAD = "file_upload_question"
    TEXT_ONLY = "text_only_question"
    # Multiple choice within a sentence.
    MISSING_WORD = "missing_word_question"
    # A question whose import failed; only its text is left.
    ERROR = "Error"

    @property
    def is_choice(self) -> bool:
        """Whether one answer is chosen from a list; the item analysis covers these questions."""
        return self in {QuestionType.MULTIPLE_CHOICE, QuestionType.TRUE_FALSE, QuestionType.MISSING_WORD}

    @property
    def is_text_block(self) -> bool:
        """Whether it has no response."""
        return self in {QuestionType.TEXT_ONLY, QuestionType.ERROR}


class Quiz(Base):
    """A quiz of a course; each change of its questions or attempts raises its revision.

    `question_groups` maps the id of each group that questions are drawn from to the points of its questions,
    null if they are not known.
    """

    __tablename__ = "quizzes"
    __table_args__ = (
        Index("ix_quizzes_course_id_id", "course_id", "id"),
        # A partial index, since a change of the columns of a whole one locks out foreign keys: a push that
        # changes the assignment could then deadlock with pushes of attempts.
        Index(
            "uq_quizzes_course_id_assignment_id",
            "course_id",
            "assignment_id",
            unique=True,
            postgresql_where=text("assignment_id IS NOT NULL"),
        ),
    )

    id: Mapped[LmsId]
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(Text)
    quiz_type: Mapped[QuizType] = mapped_column(enum_by_value(QuizType))
    anonymous_submissions: Mapped[bool] = mapped_column(default=False)
    published_at: Mapped[datetime.datetime | None] = mapped_column(DateTime(timezone=True))
    scoring_policy: Mapped[ScoringPolicy] = mapped_column(enum_by_value(ScoringPolicy))
    points_possible: Mapped[float | None]
    assignment_id: Mapped[int | None] = mapped_column(BigInteger)
    question_set_id: Mapped[int | None] = mapped_column(ForeignKey("question_sets.id", use_alter=True))
    question_groups: Mapped[dict[str, float | None]] = mapped_column(JSONB, default=dict)
    revision: Mapped[int] = mapped_column(BigInteger, default=0)
    response_count: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[CreatedAt]

    @property
    def is_anonymous_survey(self) -> bool:
        """Whether the files of this quiz must not name its takers."""
        return self.quiz_type.is_survey and self.anonymous_submissions


class QuestionVersion(Base):
    """One wording of a question, stored once by its content.

    The digest is computed with the answers sorted by id, so shuffled answers make no new version. `content`
    is a `models.content.questions.Question` as JSON, with the answers in the quiz's order.
    """

    __tablename__ = "question_versions"
    __table_args__ = (UniqueConstraint("quiz_id", "question_id", "digest"),)

    id: Mapped[OwnId]
    quiz_id: Mapped[int] = mapped_column(ForeignKey("quizzes.id", ondelete="CASCADE"))
    question_id: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[CreatedAt]


class QuestionSet(Base):
    """The question versions of an attempt in their order; most attempts of a quiz share one.

    In psychometrics it is called a test form: the items that were administered to a test taker.
    """

    __tablename__ = "question_sets"
    __table_args__ = (UniqueConstraint("quiz_id", "digest"),)

    id: Mapped[OwnId]
    quiz_id: Mapped[int] = mapped_column(ForeignKey("quizzes.id", ondelete="CASCADE"))
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    question_version_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))


def find_quiz_by_assignment(session: Session, course_id: int, assignment_id: int) -> Quiz:
    """Find the quiz of an assignment of a course, or raise NotFoundError."""
    quiz = session.scalar(
        select(Quiz).where(Quiz.course_id == course_id, Quiz.assignment_id == assignment_id)
    )
    if quiz is None:
        raise NotFoundError
    return quiz


def find_quiz_and_course(session: Session, quiz_id: int) -> tuple[Quiz, Course]:
    """Find a quiz and its course by the quiz's id alone, or raise NotFoundError."""
    row = session.execute(
        select(Quiz, Course).join(Course, Course.id == Quiz.course_id).where(Quiz.id == quiz_id)
    ).first()
    if row is None:
        raise NotFoundError
    return row.Quiz, row.Course


def list_quizzes(session: Session, course_id: int, *, offset: int, limit: int) -> Sequence[Quiz]:
    """List a page of a course's quizzes, ordered by id."""
    return session.scalars(
        select(Quiz).where(Quiz.course_id == course_id).order_by(Quiz.id).offset(offset).limit(limit)
    ).all()


def count_quizzes(session: Session, course_id: int) -> int:
    """Count the quizzes of a course."""
    return session.execute(
        select(func.count()).select_from(Quiz).where(Quiz.course_id == course_id)
    ).scalar_one()


def question_counts(session: Session, quizzes: Sequence[Quiz]) -> Mapping[int, int]:
    """Count the questions of each quiz, by quiz id; text blocks do not count."""
    counts = session.execute(
        select(QuestionSet.quiz_id, func.count().label("questions"))
        .join(QuestionVersion, QuestionVersion.id == func.any(QuestionSet.question_version_ids))
        .where(
            QuestionSet.id.in_(
                [quiz.question_set_id for quiz in quizzes if quiz.question_set_id is not None]
            ),
            QuestionVersion.content["question_type"].astext.not_in(
                [kind.value for kind in QuestionType if kind.is_text_block]
            ),
        )
        .group_by(QuestionSet.quiz_id)
    )
    found = {row.quiz_id: row.questions for row in counts}
    return {quiz.id: found.get(quiz.id, 0) for quiz in quizzes}


def list_questions(
    session: Session, quiz: Quiz, *, offset: int, limit: int
) -> tuple[Sequence[QuestionVersion], int]:
    """List a page of the questions that a quiz has now, in its order, and count all, text blocks included."""
    of_quiz = select(QuestionSet.question_version_ids).where(QuestionSet.id == quiz.question_set_id)
    ids = session.scalar(of_quiz) or []
    shown = ids[offset : offset + limit]
    versions = session.scalars(select(QuestionVersion).where(QuestionVersion.id.in_(shown)))
    by_id = {version.id: version for version in versions}
    return [by_id[version_id] for version_id in shown], len(ids)
