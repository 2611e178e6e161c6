"""The rights of a user in a course, and the objects that a request names.

A quiz or a report is found with its course and the user's roles by one statement.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Row, Select, Text, and_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute, Session, defer, joinedload, load_only

from models.access.tokens import CALLER, IS_VALID, AccessToken, Caller, sha256
from models.errors import NotFoundError, UnknownSectionError
from models.lms.courses import Course, CourseUser, Enrollment, EnrollmentState, EnrollmentType, Section, User
from models.lms.quizzes import Quiz
from models.reports.tables import IS_PUBLIC, File, Progress, QuizReport
from models.reports.variants import Variant

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


def find_caller_and_report(
    session: Session, token: str, course_key: int | str, quiz_id: int | None, report_id: int | None
) -> tuple[Caller | None, QuizContext | None]:
    """Find the caller of a token, as `find_caller` does, and a report, as `find_report_context` does.

    The caller is None if the token is not valid, and the context if there is no such course.
    """
    ids = {"quiz_id": quiz_id, "report_id": report_id, "sha256": sha256(token)}
    row = session.execute(_REPORT_OF_TOKEN[type(course_key)], {"course_key": course_key, **ids}).first()
    if row is None:
        return None, None
    return Caller.of(row), None if row.Course is None else _context(row)


def find_course(session: Session, key: int | str) -> Course:
    """Find a course by its id, or by its SIS id if the key is a string; raise NotFoundError."""
    column = Course.id if isinstance(key, int) else Course.sis_course_id
    course = session.scalar(select(Course).where(column == key))
    if course is None:
        raise NotFoundError
    return course


def find_course_user(session: Session, course_id: int, key: int | str) -> int:
    """Find a user of a course by id, or by SIS id if the key is a string; raise NotFoundError.

    Users of several institutions may have the same SIS id, which then names none of them.
    """
    column = User.id if isinstance(key, int) else User.sis_user_id
    found = session.scalars(
        select(User.id)
        .join(CourseUser, CourseUser.user_id == User.id)
        .where(CourseUser.course_id == course_id, column == key)
        .limit(2)
    ).all()
    if len(found) != 1:
        raise NotFoundError
    return found[0]


def require_sections(session: Session, course: Course, section_ids: Collection[int]) -> None:
    """Raise UnknownSectionError if one of the ids is not that of a section of the course."""
    if not section_ids:
        return
    known = session.scalars(
        select(Section.id).where(Section.course_id == course.id, Section.id.in_(section_ids))
    )
    if unknown := set(section_ids) - set(known):
        raise UnknownSectionError(f"section_ids: {min(unknown)} is not a section of the course")


def _find_context(
    session: Session,
    statements: Mapping[type, Select[*tuple[Any, ...]]],
    course_key: int | str,
    **ids: int | None,
) -> QuizContext:
    row = session.execute(statements[type(course_key)], {"course_key": course_key, **ids}).first()
    if row is None:
        raise NotFoundError
    return _context(row)


def _context(row: Row[*tuple[Any, ...]]) -> QuizContext:
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
    return (
        select(*_with_roles_of(bindparam("user_id")))
        .outerjoin(Quiz, _IS_THE_QUIZ)
        .where(course_column == bindparam("course_key"))
    )


def _with_report(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return statement.add_columns(QuizReport).outerjoin(QuizReport, _IS_THE_REPORT).options(*_SHOWN)


def _token_statement(course_column: InstrumentedAttribute[Any]) -> Select[*tuple[Any, ...]]:
    return (
        select(*CALLER, *_with_roles_of(AccessToken.user_id), QuizReport)
        .select_from(AccessToken)
        .outerjoin(Course, course_column == bindparam("course_key"))
        .outerjoin(Quiz, _IS_THE_QUIZ)
        .outerjoin(QuizReport, _IS_THE_REPORT)
        .where(IS_VALID)
        .options(*_SHOWN)
    )


def _with_roles_of(user_id: Any) -> tuple[Any, ...]:
    roles = _active_roles(Course.id, user_id)
    return Course, Quiz, func.array(roles.scalar_subquery(), type_=ARRAY(Text)).label("roles")


_IS_THE_QUIZ = and_(Quiz.course_id == Course.id, Quiz.id == bindparam("quiz_id"))
_IS_THE_REPORT = and_(QuizReport.quiz_id == Quiz.id, QuizReport.id == bindparam("report_id"), IS_PUBLIC)
# Clients poll with this, and each column costs time: it reads what a report shows, and what a cancel needs.
_SHOWN = (
    load_only(Course.id, raiseload=True),
    load_only(
        Quiz.id, Quiz.course_id, Quiz.title, Quiz.quiz_type, Quiz.anonymous_submissions, raiseload=True
    ),
    load_only(
        *(getattr(QuizReport, field.name) for field in fields(Variant)),
        QuizReport.state,
        QuizReport.progress_id,
        QuizReport.file_id,
        QuizReport.created_at,
        QuizReport.updated_at,
        raiseload=True,
    ),
    joinedload(QuizReport.progress).options(defer(Progress.request_id, raiseload=True)),
    joinedload(QuizReport.file).options(
        *(defer(column, raiseload=True) for column in (File.storage_key, File.sha256, File.node))
    ),
)


# Built once, since every request for a report executes one of them.
_QUIZ = {int: _quiz_statement(Course.id), str: _quiz_statement(Course.sis_course_id)}
_REPORT = {key: _with_report(statement) for key, statement in _QUIZ.items()}
_REPORT_OF_TOKEN = {int: _token_statement(Course.id), str: _token_statement(Course.sis_course_id)}
