"""The rights of a user in a course, and the objects that a request names, found by one statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Text, and_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute, Session

from models.access.tokens import Caller
from models.errors import NotFoundError
from models.lms.courses import Course, Enrollment, EnrollmentState, EnrollmentType
from models.lms.quizzes import Quiz
from models.reports.tables import Progress, QuizReport
from models.reports.variants import PUBLIC_TYPES

Roles = frozenset[EnrollmentType]


def may_read_statistics(roles: Roles) -> bool:
    """Whether these roles permit it: teachers and teaching assistants may; administrators need no role."""
    return not roles.isdisjoint({EnrollmentType.TEACHER, EnrollmentType.TA})


def may_see_sis_ids(roles: Roles) -> bool:
    """Whether these roles permit it: teachers may, teaching assistants may not."""
    return EnrollmentType.TEACHER in roles


def may_cancel(caller: Caller, progress: Progress) -> bool:
    """Whether a caller may cancel a job: the user who asked for it may, and administrators."""
    return caller.is_admin or caller.user_id == progress.user_id


def find_active_roles(session: Session, course_id: int, user_id: int) -> Roles:
    """Find the roles of a user's active enrollments in a course."""
    return frozenset(session.scalars(_active_roles(course_id, user_id)))


@dataclass(frozen=True)
class QuizContext:
    """The course, quiz and report that a request names, and the user's roles in the course.

    Quiz and report are None if the course has no such quiz, or the quiz no such report.
    """

    course: Course
    roles: Roles
    quiz: Quiz | None
    report: QuizReport | None


def find_quiz_context(
    session: Session, course_key: int | str, quiz_id: int | None, user_id: int
) -> QuizContext:
    """Find a course by its id, or by its SIS id if the key is a string, with a user's roles and a quiz.

    Raises NotFoundError if there is no such course. Whether the user may learn that the quiz exists is the
    caller's decision.
    """
    return _find_context(session, _QUIZ, course_key, quiz_id=quiz_id, user_id=user_id)


def find_report_context(
    session: Session, course_key: int | str, quiz_id: int | None, report_id: int | None, user_id: int
) -> QuizContext:
    """Find a course as `find_quiz_context` does, and a report of the quiz as well."""
    return _find_context(session, _REPORT, course_key, quiz_id=quiz_id, report_id=report_id, user_id=user_id)


def _find_context(
    session: Session,
    statements: Mapping[type, Select[*tuple[Any, ...]]],
    course_key: int | str,
    **ids: int | None,
) -> QuizContext:
    row = session.execute(statements[type(course_key)], {"course_key": course_key, **ids}).first()
    if row is None:
        raise NotFoundError
    return QuizContext(
        course=row.Course,
        roles=frozenset(EnrollmentType(role) for role in row.roles),
        quiz=row.Quiz,
        report=row._mapping.get("QuizReport"),
    )


def _active_roles(course_id: Any, user_id: Any) -> Select[EnrollmentType]:
    return select(Enrollment.type).where(
        Enrollment.course_id == course_id,
        Enrollment.user_id == user_id,
        Enrollment.enrollment_state == EnrollmentState.ACTIVE,
    )


def _quiz_statement(course_column: InstrumentedAttribute[Any]) -> Select[*tuple[Any, ...]]:
    roles = _active_roles(Course.id, bindparam("user_id"))
    return (
        select(Course, Quiz, func.array(roles.scalar_subquery(), type_=ARRAY(Text)).label("roles"))
        .outerjoin(Quiz, and_(Quiz.course_id == Course.id, Quiz.id == bindparam("quiz_id")))
        .where(course_column == bindparam("course_key"))
    )


def _with_report(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    is_the_report = and_(
        QuizReport.quiz_id == Quiz.id,
        QuizReport.id == bindparam("report_id"),
        QuizReport.report_type.in_(PUBLIC_TYPES),
    )
    return statement.add_columns(QuizReport).outerjoin(QuizReport, is_the_report)


# Built once, since every request for a report executes one of them.
_QUIZ = {int: _quiz_statement(Course.id), str: _quiz_statement(Course.sis_course_id)}
_REPORT = {key: _with_report(statement) for key, statement in _QUIZ.items()}
