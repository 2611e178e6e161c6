"""Signing in to the pages: a one-time link becomes a cookie, and a cookie becomes the user of a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from flask import g, request
from sqlalchemy.orm import Session
from werkzeug import Response

from api.auth import RequestContext
from api.errors import ForgedFormError, NotSignedInError
from api.links import links
from api.page_sessions import SESSION_SECONDS, PageSession
from api.params import object_id
from api.services import services
from models.access.tokens import Caller

_COOKIE: Final = "quiz_reports_session"


def page_session(course_id: str) -> PageSession:
    """Return the session of the request, or raise NotSignedInError."""
    return _counted_session(course_id, services().rate_limit.take)


def signed_in(database_session: Session, course_id: str) -> RequestContext:
    """Return the context of a page: its user, with the rights that the roster gives at this moment."""
    return _context(database_session, page_session(course_id))


def signed_in_to_poll(database_session: Session, course_id: str) -> RequestContext:
    """Return the same for what an open page asks by itself, so that it uses up no request of its reader."""
    return _context(database_session, _counted_session(course_id, services().rate_limit.take_poll))


def _counted_session(course_id: str, count: Callable[[str], int | None]) -> PageSession:
    session = services().page_sessions.read(request.cookies.get(_COOKIE, ""))
    if session is None or session.course_id != object_id(course_id):
        raise NotSignedInError
    if "requests_left" not in g:
        g.rate_limit_key = services().rate_limit.key(session.session_id)
        g.requests_left = count(g.rate_limit_key)
    g.user_id = session.user_id
    return session


def _context(database_session: Session, session: PageSession) -> RequestContext:
    caller = Caller(session.user_id, False, frozenset(), frozenset({session.course_id}))
    return RequestContext(database_session, caller)


def require_form_token(course_id: str) -> None:
    """Refuse a form that another site made; raise ForgedFormError."""
    token = request.form.get("form_token", "")
    if not services().page_sessions.is_form_token(page_session(course_id), token):
        raise ForgedFormError


def begin_session(response: Response, *, user_id: int, course_id: int) -> None:
    """Give the browser a cookie for the pages of a course."""
    settings = services().settings
    is_framed = bool(settings.page_frame_origins)
    response.set_cookie(
        _COOKIE,
        services().page_sessions.issue(user_id, course_id),
        max_age=SESSION_SECONDS,
        # The public address may have a path, which the proxy removes.
        path=f"{urlsplit(links().base).path}/courses/{course_id}",
        secure=is_framed or request.is_secure or settings.public_url.startswith("https://"),
        httponly=True,
        samesite="None" if is_framed else "Lax",
        partitioned=is_framed,
    )
