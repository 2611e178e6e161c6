"""The one table: which exception is answered with which status and body. Every error is JSON."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy.exc
import structlog
from flask import Flask
from werkzeug import Response
from werkzeug.exceptions import HTTPException

from api.responses import json_response
from models.errors import (
    AlreadyBeingGeneratedError,
    CannotAbortError,
    CannotCancelError,
    InvalidInputError,
    InvalidReportTypeError,
    NotFoundError,
    StorageError,
)

_log = structlog.stdlib.get_logger(__name__)

_AUTHENTICATE = {"WWW-Authenticate": 'Bearer realm="canvas-lms"'}
_RETRY_SECONDS = 2


class ApiError(Exception):
    """Whatever the web door itself refuses."""


class UnauthenticatedError(ApiError):
    """The request carries no credentials."""


class InvalidTokenError(ApiError):
    """The token is unknown, expired, revoked or forged."""


class InsufficientScopeError(ApiError):
    """The token may not be used for this route."""


class ForbiddenError(ApiError):
    """The caller is known and may not do this."""


class InvalidParameterError(ApiError):
    """The request cannot be understood; the message says which part."""


class UnsupportedContentError(ApiError):
    """The body is of a type or an encoding that this route does not read."""


class BodyTooLargeError(ApiError):
    """The body is larger than this route reads."""


class NotReceivedError(ApiError):
    """The body cannot be received just now; the message says why."""


class TooManyRequestsError(ApiError):
    """The token was used more often than the rate limit lets it."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("Rate limit exceeded.")
        self.retry_after = retry_after


class UnavailableError(ApiError):
    """Something that the request needs does not answer just now."""


@dataclass(frozen=True)
class Case:
    """How one kind of exception is answered.

    Without `text` the exception speaks for itself. A `terse` body holds no `message` beside `errors`.
    """

    status: int
    name: str | None = None
    text: str | None = None
    terse: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    is_logged: bool = False

    def answer(self, error: Exception) -> Response:
        """Make the answer to an exception of this kind."""
        text = self.text if self.text is not None else str(error)
        body: dict[str, Any] = {} if self.name is None else {"status": self.name}
        if not self.terse:
            body["message"] = text
        body["errors"] = _places(error) or [{"message": text}]
        headers = dict(self.headers)
        if isinstance(error, TooManyRequestsError):
            headers["Retry-After"] = str(error.retry_after)
        return json_response(body, status=self.status, headers=headers)


_NOT_FOUND = Case(404, text="The specified resource does not exist.", terse=True)
_UNAVAILABLE = Case(
    503,
    "service_unavailable",
    "The service is busy or being restarted. Please try again.",
    headers={"Retry-After": str(_RETRY_SECONDS)},
    is_logged=True,
)
_NOT_RECEIVED = dataclasses.replace(_UNAVAILABLE, text=None)
_CONFLICT = Case(409, "conflict", headers={"Retry-After": str(_RETRY_SECONDS)})
_UNPROCESSABLE = Case(422, "unprocessable_entity")
_BAD_REQUEST = Case(400, "bad_request")

CASES: Mapping[type[Exception], Case] = {
    UnauthenticatedError: Case(
        401, "unauthenticated", "user authorization required", terse=True, headers=_AUTHENTICATE
    ),
    InvalidTokenError: Case(401, text="Invalid access token.", terse=True, headers=_AUTHENTICATE),
    InsufficientScopeError: Case(401, text="Insufficient scopes on access token.", terse=True),
    ForbiddenError: Case(403, "unauthorized", "user not authorized to perform that action", terse=True),
    NotFoundError: _NOT_FOUND,
    InvalidReportTypeError: _BAD_REQUEST,
    InvalidParameterError: _BAD_REQUEST,
    AlreadyBeingGeneratedError: _CONFLICT,
    CannotCancelError: _CONFLICT,
    CannotAbortError: _UNPROCESSABLE,
    InvalidInputError: _UNPROCESSABLE,
    BodyTooLargeError: Case(413, "payload_too_large"),
    UnsupportedContentError: Case(415, "unsupported_media_type"),
    NotReceivedError: _NOT_RECEIVED,
    TooManyRequestsError: Case(429, "too_many_requests"),
    UnavailableError: _UNAVAILABLE,
    StorageError: _UNAVAILABLE,
    sqlalchemy.exc.OperationalError: _UNAVAILABLE,
    sqlalchemy.exc.InterfaceError: _UNAVAILABLE,
    sqlalchemy.exc.TimeoutError: _UNAVAILABLE,
}

# The names and words of what Flask and Werkzeug refuse by themselves.
_HTTP_CASES: Mapping[int, Case] = {
    400: Case(400, "bad_request", "The request can not be read."),
    404: _NOT_FOUND,
    405: Case(405, "method_not_allowed", "This method is not allowed here."),
    413: Case(413, "payload_too_large", "The body is too large."),
    415: Case(415, "unsupported_media_type", "The body is of a type that is not read here."),
    416: Case(416, "range_not_satisfiable", "The range lies outside the file."),
}


def register_error_handlers(app: Flask) -> None:
    """Answer every exception of an application by the table."""
    for kind, case in CASES.items():
        app.register_error_handler(kind, _by(case))
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_unforeseen)


def _by(case: Case) -> Callable[[Exception], Response]:
    def answer(error: Exception) -> Response:
        if case.is_logged:
            _log.warning("service_unavailable", kind=type(error).__name__, reason=_first_line(error))
        return case.answer(error)

    return answer


def _answer_http(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return error.get_response()
    case = _HTTP_CASES.get(status) or Case(status, error.name.lower().replace(" ", "_"), error.name)
    answer = case.answer(error)
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            answer.headers[name] = value
    return answer


def _answer_unforeseen(error: Exception) -> Response:
    report_id = uuid.uuid4().hex
    _log.error("request_failed", error_report_id=report_id, exc_info=error)
    text = "An error occurred."
    return json_response(
        {
            "status": "internal_server_error",
            "message": text,
            "errors": [{"message": text, "error_code": "internal_server_error"}],
            "error_report_id": report_id,
        },
        status=500,
    )


def _places(error: Exception) -> list[dict[str, str]]:
    if not isinstance(error, InvalidInputError):
        return []
    return [
        {"place": p.path, "message": f"{p.path}: {p.reason}" if p.path else p.reason} for p in error.issues
    ]


def _first_line(error: Exception) -> str:
    # What follows the first line of a database error are its statement and the values in it.
    return (str(error).splitlines() or [""])[0]
