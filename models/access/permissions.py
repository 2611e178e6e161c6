"""The rights of a user in a course, and the courses, quizzes and reports that they are for.

A quiz or a report is found with its course and the user's roles by one statement.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, Select, Text, and_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from models.access.tokens import CALLER, IS_VALID, AccessToken, Caller, sha256
from models.errors import NotFoundError, UnknownSectionError
from models.lms.courses import Course, CourseUser, Enrollment, EnrollmentState, EnrollmentType, Section, User
from models.lms.quizzes import Quiz
from models.reports.shown import SHOWN, AnyProgress, ShownQuiz, ShownReport, read_shown
from models.reports.tables import IS_PUBLIC, File, Progress, QuizReport

Roles = frozenset[EnrollmentType]

_courses, _enrollments = Course.__table__.c, Enrollment.__table__.c
_quizzes, _reports = Quiz.__table__.c, QuizReport.__table__.c


def may_read_statistics(roles: Roles) -> bool:
    """Whether these roles permit it: teachers and teaching assistants may; administrators need no role."""
    return not roles.isdisjoint({EnrollmentType.TEACHER, EnrollmentType.TA})


def may_see_sis_ids(roles: Roles) -> bool:
    """Whether these roles permit it: teachers may, teaching assistants may not."""
    return EnrollmentType.TEACHER in roles


def may_cancel(caller: Caller, progress: AnyProgress) -> bool:
    """Whether a caller may cancel a job: the user who asked for it may, and administrators."""
    return caller.is_admin or caller.user_id == progress.user_id


def find_active_roles(session: Session, course_id: int, user_id: int) -> Roles:
    """Find the roles of a user's active enrollments in a course."""
    return frozenset(session.scalars(_active_roles(course_id, user_id)))


@dataclass(frozen=True)
class QuizContext:
    """The course and the quiz that a request names, and the user's roles in the course.

    The quiz is None if the course has no such quiz.
    """

    course: Course
    roles: Roles
    quiz: Quiz | None


@dataclass(frozen=True)
class ReportContext:
    """The course, quiz and report that a request names, and the user's roles in the course.

    Quiz and report are None if the course has no such quiz, or the quiz no such report.
    """

    course_id: int
    roles: Roles
    quiz: ShownQuiz | None
    report: ShownReport | None


def find_quiz_context(
    session: Session, course_key: int | str, quiz_id: int | None, user_id: int
) -> QuizContext:
    """Find a course by its id, or by its SIS id if the key is a string, with a user's roles and a quiz.

    Raises NotFoundError if there is no such course. Whether the user may learn that the quiz exists is the
    caller's decision.
    """
    parameters = {"course_key": course_key, "quiz_id": quiz_id, "user_id": user_id}
    row = session.execute(_QUIZ[type(course_key)], parameters).first()
    if row is None:
        raise NotFoundError
    return QuizContext(row.Course, _roles(row), row.Quiz)


def find_report_context(
    session: Session, course_key: int | str, quiz_id: int | None, report_id: int | None, user_id: int
) -> ReportContext:
    """Find a course as `find_quiz_context` does, and a report of the quiz as well."""
    ids = {"quiz_id": quiz_id, "report_id": report_id, "user_id": user_id}
    row = session.execute(_REPORT[type(course_key)], {"course_key": course_key, **ids}).first()
    if row is None:
        raise NotFoundError
    return _report_context(row)


def find_caller_and_report(
    session: Session, token: str, course_key: int | str, quiz_id: int | None, report_id: int | None
) -> tuple[Caller | None, ReportContext | None]:
    """Find the caller of a token, as `find_caller` does, and a report, as `find_report_context` does.

    The caller is None if the token is not valid, and the context if there is no such course.
    """
    ids = {"quiz_id": quiz_id, "report_id": report_id, "sha256": sha256(token)}
    row = session.execute(_REPORT_OF_TOKEN[type(course_key)], {"course_key": course_key, **ids}).first()
    if row is None:
        return None, None
    return Caller.of(row), None if row.course_key is None else _report_context(row)


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


def _report_context(row: Row[*tuple[Any, ...]]) -> ReportContext:
    return ReportContext(row.course_key, _roles(row), *read_shown(row))


def _roles(row: Row[*tuple[Any, ...]]) -> Roles:
    return frozenset(EnrollmentType(role) for role in row.roles)


def _active_roles(course_id: Any, user_id: Any) -> Select[EnrollmentType]:
    return select(_enrollments.type).where(
        _enrollments.course_id == course_id,
        _enrollments.user_id == user_id,
        _enrollments.enrollment_state == EnrollmentState.ACTIVE,
    )


def _roles_of(user_id: Any) -> ColumnElement[Any]:
    roles = _active_roles(_courses.id, user_id)
    return func.array(roles.scalar_subquery(), type_=ARRAY(Text)).label("roles")


def _quiz_statement(course_column: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    return (
        select(Course, Quiz, _roles_of(bindparam("user_id")))
        .outerjoin(Quiz, _IS_THE_QUIZ)
        .where(course_column == bindparam("course_key"))
    )


def _report_statement(course_column: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    found = _with_report(Course.__table__)
    return (
        select(_courses.id.label("course_key"), _roles_of(bindparam("user_id")), *SHOWN)
        .select_from(found)
        .where(course_column == bindparam("course_key"))
    )


def _token_statement(course_column: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    token = AccessToken.__table__
    found = _with_report(token.outerjoin(Course.__table__, course_column == bindparam("course_key")))
    return (
        select(*CALLER, _courses.id.label("course_key"), _roles_of(token.c.user_id), *SHOWN)
        .select_from(found)
        .where(IS_VALID)
    )


def _with_report(found: FromClause) -> FromClause:
    reports, progress, files = QuizReport.__table__, Progress.__table__, File.__table__
    return (
        found.outerjoin(Quiz.__table__, _IS_THE_QUIZ)
        .outerjoin(reports, _IS_THE_REPORT)
        .outerjoin(progress, progress.c.id == reports.c.progress_id)
        .outerjoin(files, files.c.id == reports.c.file_id)
    )


_IS_THE_QUIZ = and_(_quizzes.course_id == _courses.id, _quizzes.id == bindparam("quiz_id"))
_IS_THE_REPORT = and_(_reports.quiz_id == _quizzes.id, _reports.id == bindparam("report_id"), IS_PUBLIC)


# Built once, since every request for a report executes one of them.
_QUIZ = {int: _quiz_statement(_courses.id), str: _quiz_statement(_courses.sis_course_id)}
_REPORT = {int: _report_statement(_courses.id), str: _report_statement(_courses.sis_course_id)}
_REPORT_OF_TOKEN = {int: _token_statement(_courses.id), str: _token_statement(_courses.sis_course_id)}
