"""What a request for a report needs to know, found by one statement: course, roles, quiz, report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Text, and_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute, Session

from models.errors import NotFoundError
from models.lms.courses import Course, Enrollment, EnrollmentState, EnrollmentType
from models.lms.quizzes import Quiz
from models.reports.tables import QuizReport


@dataclass(frozen=True)
class QuizVisit:
    """A course as a user enters it on the way to a quiz and a report of it, if there are any of those ids."""

    course: Course
    roles: frozenset[EnrollmentType]
    quiz: Quiz | None
    report: QuizReport | None


def visit_quiz(session: Session, course_key: int | str, quiz_id: int | None, user_id: int) -> QuizVisit:
    """Find a course by its id, or by its SIS id where the key is a text, with a user's roles and a quiz.

    Raises NotFoundError if there is no such course; who may know about the quiz is for the caller to tell.
    """
    return _visit(session, _QUIZ, course_key, quiz_id=quiz_id, user_id=user_id)


def visit_report(
    session: Session, course_key: int | str, quiz_id: int | None, report_id: int | None, user_id: int
) -> QuizVisit:
    """Find the same, and a report of the quiz."""
    return _visit(session, _REPORT, course_key, quiz_id=quiz_id, report_id=report_id, user_id=user_id)


def _visit(
    session: Session,
    statements: Mapping[type, Select[*tuple[Any, ...]]],
    course_key: int | str,
    **ids: int | None,
) -> QuizVisit:
    row = session.execute(statements[type(course_key)], {"course_key": course_key, **ids}).first()
    if row is None:
        raise NotFoundError
    return QuizVisit(
        course=row.Course,
        roles=frozenset(EnrollmentType(role) for role in row.roles),
        quiz=row.Quiz,
        report=row._mapping.get("QuizReport"),
    )


def _statement(course_column: InstrumentedAttribute[Any]) -> Select[*tuple[Any, ...]]:
    roles = select(Enrollment.type).where(
        Enrollment.course_id == Course.id,
        Enrollment.user_id == bindparam("user_id"),
        Enrollment.enrollment_state == EnrollmentState.ACTIVE,
    )
    return (
        select(Course, Quiz, func.array(roles.scalar_subquery(), type_=ARRAY(Text)).label("roles"))
        .outerjoin(Quiz, and_(Quiz.course_id == Course.id, Quiz.id == bindparam("quiz_id")))
        .where(course_column == bindparam("course_key"))
    )


def _with_report(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    is_the_report = and_(QuizReport.quiz_id == Quiz.id, QuizReport.id == bindparam("report_id"))
    return statement.add_columns(QuizReport).outerjoin(QuizReport, is_the_report)


# Every request for a report comes through one of these, so they are made once.
_QUIZ = {int: _statement(Course.id), str: _statement(Course.sis_course_id)}
_REPORT = {key: _with_report(statement) for key, statement in _QUIZ.items()}
