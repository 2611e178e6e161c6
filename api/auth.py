"""Who calls, what their token lets them do, and what they are in a course.

The checks come in one order: 401, scope, the course's 404, 403, the rest's 404.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import current_app, g, request
from sqlalchemy.orm import Session

from api.errors import ForbiddenError, InsufficientScopeError, InvalidTokenError, UnauthenticatedError
from api.params import FORMS, course_key, is_object_id, object_id
from api.services import services
from models.access.permissions import (
    find_active_roles,
    find_quiz_context,
    find_report_context,
    may_read_statistics,
    may_see_sis_ids,
)
from models.access.tokens import PREFIX, Caller, find_caller
from models.errors import NotFoundError
from models.lms.courses import Course, EnrollmentType, find_course
from models.lms.quizzes import Quiz, find_quiz_and_course
from models.reports.tables import QuizReport

_BEARER = re.compile(r"Bearer +(\S+) *", re.IGNORECASE)
_VIEW_SCOPE = "quiz_reports_scope"

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class CourseAccess:
    """A course that the caller may read the statistics of."""

    course: Course
    sees_sis_ids: bool

    def require(self, report: QuizReport) -> QuizReport:
        """Return a report of the course if the caller may have its file, else raise ForbiddenError."""
        if report.includes_sis_ids and not self.sees_sis_ids:
            raise ForbiddenError
        return report


@dataclass(frozen=True)
class Visit:
    """One request of a known caller, with the transaction that it runs in."""

    session: Session
    caller: Caller

    def course(self, course_id: str) -> CourseAccess:
        """Find a course by what stands in the path: NotFoundError, then ForbiddenError."""
        course = find_course(self.session, course_key(course_id))
        return self._enter(course, find_active_roles(self.session, course.id, self.caller.user_id))

    def quiz(self, course_id: str, quiz_id: str) -> tuple[CourseAccess, Quiz]:
        """Find a quiz below its course; NotFoundError also where it belongs to another."""
        found = find_quiz_context(self.session, course_key(course_id), _number(quiz_id), self.caller.user_id)
        access = self._enter(found.course, found.roles)
        if found.quiz is None:
            raise NotFoundError
        return access, found.quiz

    def report(self, course_id: str, quiz_id: str, report_id: str) -> tuple[Quiz, QuizReport]:
        """Find a report below its quiz and course that the caller may have: NotFoundError, ForbiddenError."""
        found = find_report_context(
            self.session,
            course_key(course_id),
            _number(quiz_id),
            _number(report_id),
            self.caller.user_id,
        )
        access = self._enter(found.course, found.roles)
        if found.quiz is None or found.report is None:
            raise NotFoundError
        return found.quiz, access.require(found.report)

    def quiz_of(self, report: QuizReport) -> Quiz:
        """Find the quiz of a report that was found by its Progress or file, if the caller may have it."""
        quiz, course = find_quiz_and_course(self.session, report.quiz_id)
        roles = find_active_roles(self.session, course.id, self.caller.user_id)
        if not self.caller.may_enter(course.id) or not (roles or self.caller.is_admin):
            # The path names no course, so a 403 would tell an outsider that there is such an id.
            raise NotFoundError
        self._enter(course, roles).require(report)
        return quiz

    def require_course(self, course_id: int) -> None:
        """Raise ForbiddenError if the token is limited to other courses."""
        if not self.caller.may_enter(course_id):
            raise ForbiddenError

    def _enter(self, course: Course, roles: frozenset[EnrollmentType]) -> CourseAccess:
        self.require_course(course.id)
        if self.caller.is_admin:
            return CourseAccess(course, sees_sis_ids=True)
        if not may_read_statistics(roles):
            raise ForbiddenError
        return CourseAccess(course, sees_sis_ids=may_see_sis_ids(roles))


def scope(name: str) -> Callable[[View], View]:
    """Declare the scope that a token needs for a route."""

    def declare(view: View) -> View:
        setattr(view, _VIEW_SCOPE, name)
        return view

    return declare


def scope_of(view: Callable[..., Any]) -> str | None:
    """Tell the scope that a route declares."""
    return getattr(view, _VIEW_SCOPE, None)


@contextmanager
def visit() -> Iterator[Visit]:
    """Open the transaction of a route for a caller whose token lets them use it."""
    with _visit(services().database.transaction) as visitor:
        yield visitor


@contextmanager
def reading_visit() -> Iterator[Visit]:
    """Open a session, for a route that only reads, for a caller whose token lets them use it."""
    with _visit(services().database.reading) as visitor:
        yield visitor


@contextmanager
def _visit(opened: Callable[[], AbstractContextManager[Session]]) -> Iterator[Visit]:
    token = _token()
    if token is None:
        raise UnauthenticatedError
    if "requests_left" not in g:
        # A push is authorized twice, before and after its body is received, and counts once.
        g.limited_as = services().rate_limit.name(token)
        g.requests_left = services().rate_limit.take(g.limited_as)
    # Keys may have to be fetched, so a JSON Web Token is read before a connection is taken.
    caller = None if token.startswith(PREFIX) else services().tokens.read(token)
    with opened() as session:
        if caller is None and (caller := find_caller(session, token)) is None:
            raise InvalidTokenError
        g.user_id = caller.user_id
        _require_scope(caller)
        yield Visit(session, caller)


def _require_scope(caller: Caller) -> None:
    """Without scopes a token may do everything but push data in, which an administrator's may as well."""
    needed = scope_of(current_app.view_functions[request.endpoint or ""])
    if needed is None:
        raise RuntimeError(f"{request.endpoint} declares no scope")
    if needed in caller.scopes:
        return
    if caller.scopes or (needed.startswith("url:PUT|") and not caller.is_admin):
        raise InsufficientScopeError


def _number(object_id_text: str) -> int | None:
    """Read an id; one that is no integer names nothing, but only those in the course are told."""
    return object_id(object_id_text) if is_object_id(object_id_text) else None


def _token() -> str | None:
    if bearer := _BEARER.fullmatch(request.headers.get("Authorization", "")):
        return bearer[1]
    if token := request.args.get("access_token"):
        return token
    return request.form.get("access_token") if request.mimetype in FORMS else None
