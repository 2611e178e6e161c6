"""The caller of a request, the scope of the token, and the objects that the caller may access.

The checks run in this order: the token (401), its scope (401), the course (404), the caller's role in it
(403), the quiz and the report (404).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from flask import current_app, g, request
from sqlalchemy.orm import Session

from api.errors import ForbiddenError, InsufficientScopeError, InvalidTokenError, UnauthenticatedError
from api.json_web_tokens import signed_part
from api.media_types import FORMS
from api.params import course_key, course_key_or_none, object_id, object_id_or_none
from api.services import services
from models.access.permissions import (
    ReportContext,
    Roles,
    find_active_roles,
    find_caller_and_report,
    find_course,
    find_quiz_context,
    find_report_context,
    may_read_statistics,
    may_see_sis_ids,
)
from models.access.tokens import PREFIX, Caller, find_caller
from models.errors import NotFoundError
from models.lms.courses import Course
from models.lms.quizzes import Quiz, find_quiz_and_course, find_quiz_by_assignment
from models.reports.requests import find_file_report, find_progress_report
from models.reports.shown import ShownQuiz, ShownReport
from models.reports.tables import QuizReport
from models.reports.variants import Variant

_BEARER: Final = re.compile(r"Bearer +(\S+) *", re.IGNORECASE)
_VIEW_SCOPE: Final = "quiz_reports_scope"
# A page link signs its holder in as another user.
PAGE_LINKS_SCOPE: Final = "url:POST|/api/v1/page_links"

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class CourseAccess:
    """A course whose statistics the caller may read."""

    course: Course
    sees_sis_ids: bool


@dataclass(frozen=True)
class QuizAccess(CourseAccess):
    """Such a course, and one of its quizzes."""

    quiz: Quiz


@dataclass(frozen=True)
class ReportAccess:
    """A report whose file the caller may read, and its quiz, as responses show them."""

    quiz: ShownQuiz
    report: ShownReport


@dataclass(frozen=True)
class StoredReportAccess:
    """The same as rows of a session: with the file's place in the store."""

    quiz: Quiz
    report: QuizReport


@dataclass(frozen=True)
class RequestContext:
    """An authorized request: the caller, and the session of the route.

    Its methods find what a path names. They raise NotFoundError, and ForbiddenError for a course whose
    statistics the caller may not read.
    """

    session: Session
    caller: Caller

    def course(self, course_id: str) -> CourseAccess:
        """Find a course."""
        course = find_course(self.session, course_key(course_id))
        roles = find_active_roles(self.session, course.id, self.caller.user_id)
        return CourseAccess(course, self._sees_sis_ids(course.id, roles))

    def quiz(self, course_id: str, quiz_id: str) -> QuizAccess:
        """Find a quiz of a course."""
        found = find_quiz_context(
            self.session, course_key(course_id), object_id_or_none(quiz_id), self.caller.user_id
        )
        sees_sis_ids = self._sees_sis_ids(found.course.id, found.roles)
        if found.quiz is None:
            raise NotFoundError
        return QuizAccess(found.course, sees_sis_ids, found.quiz)

    def quiz_of_assignment(self, course_id: str, assignment_id: str) -> QuizAccess:
        """Find the quiz of an assignment of a course."""
        found = self.course(course_id)
        quiz = find_quiz_by_assignment(self.session, found.course.id, object_id(assignment_id))
        return QuizAccess(found.course, found.sees_sis_ids, quiz)

    def report(self, course_id: str, quiz_id: str, report_id: str) -> ReportAccess:
        """Find a report of a quiz of a course."""
        found = find_report_context(
            self.session,
            course_key(course_id),
            object_id_or_none(quiz_id),
            object_id_or_none(report_id),
            self.caller.user_id,
        )
        return self.report_of(found)

    def report_of(self, found: ReportContext) -> ReportAccess:
        """Return the report that was found, if the caller may access it."""
        sees_sis_ids = self._sees_sis_ids(found.course_id, found.roles)
        if found.quiz is None or found.report is None:
            raise NotFoundError
        _require_sis_ids(found.report.variant, sees_sis_ids=sees_sis_ids)
        return ReportAccess(found.quiz, found.report)

    def report_of_progress(self, progress_id: str) -> StoredReportAccess:
        """Find the report of a Progress."""
        return self._report_without_course(find_progress_report(self.session, object_id(progress_id)))

    def report_of_file(self, file_id: str) -> StoredReportAccess:
        """Find the report of a file."""
        return self._report_without_course(find_file_report(self.session, object_id(file_id)))

    def _report_without_course(self, report: QuizReport) -> StoredReportAccess:
        quiz, course = find_quiz_and_course(self.session, report.quiz_id)
        roles = find_active_roles(self.session, course.id, self.caller.user_id)
        if not self.caller.may_access(course.id) or not (roles or self.caller.is_admin):
            # The path names no course, so a 403 would tell an outsider that the id exists.
            raise NotFoundError
        _require_sis_ids(report.variant, sees_sis_ids=self._sees_sis_ids(course.id, roles))
        return StoredReportAccess(quiz, report)

    def require_course(self, course_id: int) -> None:
        """Raise ForbiddenError if the token is limited to other courses."""
        if not self.caller.may_access(course_id):
            raise ForbiddenError

    def _sees_sis_ids(self, course_id: int, roles: Roles) -> bool:
        self.require_course(course_id)
        if self.caller.is_admin:
            return True
        if not may_read_statistics(roles):
            raise ForbiddenError
        return may_see_sis_ids(roles)


def scope(name: str) -> Callable[[View], View]:
    """Declare the scope that a token needs for a route."""

    def declare(view: View) -> View:
        setattr(view, _VIEW_SCOPE, name)
        return view

    return declare


def scope_of(view: Callable[..., Any]) -> str | None:
    """Return the scope that a route declares, or None if it needs no token."""
    return getattr(view, _VIEW_SCOPE, None)


def authorized(session: Session) -> RequestContext:
    """Check the token of the request and its scope; call it first in the block of the session.

    Raises UnauthenticatedError, TooManyRequestsError, InvalidTokenError and InsufficientScopeError.
    """
    if (caller_before_body := g.get("caller")) is not None:
        return RequestContext(session, caller_before_body)
    token = _token()
    if token is None:
        raise UnauthenticatedError
    if token.startswith(PREFIX):
        return _authorized(session, token, find_caller(session, token))
    try:
        # A session takes a connection for its first statement. Keys that a JSON Web Token needs are therefore
        # fetched without holding one.
        caller = services().tokens.read(token)
    except InvalidTokenError:
        _count_invalid_token()
        raise
    return _authorized(session, token, caller)


def authorized_report(session: Session, course_id: str, quiz_id: str, report_id: str) -> ReportAccess:
    """Check the token as `authorized` does, and find a report as `RequestContext.report` does.

    Clients poll with this, so for a token of the service it is a single statement.
    """
    token = _token()
    if token is None or not token.startswith(PREFIX) or (course := course_key_or_none(course_id)) is None:
        return authorized(session).report(course_id, quiz_id, report_id)
    caller, found = find_caller_and_report(
        session, token, course, object_id_or_none(quiz_id), object_id_or_none(report_id)
    )
    context = _authorized(session, token, caller)
    if found is None:
        raise NotFoundError
    return context.report_of(found)


def _authorized(session: Session, token: str, caller: Caller | None) -> RequestContext:
    """Count the request, and check the scope; the caller is None if the token is not valid."""
    if caller is None:
        _count_invalid_token()
        raise InvalidTokenError
    if "requests_left" not in g:
        # A request may check its token twice, but uses it once.
        counted = token if token.startswith(PREFIX) else signed_part(token)
        g.rate_limit_key = services().rate_limit.key(counted)
        g.requests_left = services().rate_limit.take(g.rate_limit_key)
    g.user_id = caller.user_id
    _require_scope(caller)
    return RequestContext(session, caller)


def _count_invalid_token() -> None:
    services().rate_limit.count_invalid_token(request.remote_addr)


def check_token_before_body() -> None:
    """Refuse a request whose token is missing or invalid before its body is received.

    A form may carry its token in the body, so that token is checked later.
    """
    if _declared_scope() is None or (_token_outside_body() is None and request.mimetype in FORMS):
        return
    with services().database.reading() as session:
        g.caller = authorized(session).caller


def _require_scope(caller: Caller) -> None:
    """Raise InsufficientScopeError unless the token has the scope of the route.

    A token without scopes may use every route, but the privileged ones only if it is an administrator's.
    """
    needed = _declared_scope()
    if needed is None:
        raise RuntimeError(f"{request.endpoint} declares no scope")
    if needed in caller.scopes:
        return
    if caller.scopes or (_is_privileged(needed) and not caller.is_admin):
        raise InsufficientScopeError


def _is_privileged(scope_name: str) -> bool:
    return scope_name.startswith("url:PUT|") or scope_name == PAGE_LINKS_SCOPE


def _declared_scope() -> str | None:
    view = current_app.view_functions.get(request.endpoint or "")
    return None if view is None else scope_of(view)


def _token() -> str | None:
    if (token := _token_outside_body()) is not None:
        return token
    return request.form.get("access_token") if request.mimetype in FORMS else None


def _token_outside_body() -> str | None:
    if bearer := _BEARER.fullmatch(request.headers.get("Authorization", "")):
        return bearer[1]
    return request.args.get("access_token") or None


def _require_sis_ids(variant: Variant, *, sees_sis_ids: bool) -> None:
    """Raise ForbiddenError if the file has SIS ids and the caller may not see them."""
    if variant.includes_sis_ids and not sees_sis_ids:
        raise ForbiddenError
