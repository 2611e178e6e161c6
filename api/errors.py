"""The table of errors: the status and the body of each exception. Every error is JSON."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

import sqlalchemy.exc
import structlog
from flask import Blueprint, Flask
from psycopg.errors import IdleInTransactionSessionTimeout, ReadOnlySqlTransaction
from werkzeug import Response
from werkzeug.exceptions import HTTPException

from api.responses import json_response
from models.errors import (
    AlreadyBeingGeneratedError,
    CannotAbortError,
    CannotCancelError,
    InvalidInputError,
    InvalidReportFormatError,
    InvalidReportTypeError,
    NotFoundError,
    StorageError,
    TemporaryFileError,
    UnknownSectionError,
)
from models.reports.variants import MOST_SECTIONS

_log = structlog.stdlib.get_logger(__name__)

_AUTHENTICATE = {"WWW-Authenticate": 'Bearer realm="canvas-lms"'}
RETRY_SECONDS: Final = 2


class ApiError(Exception):
    """The base of the errors that the API itself raises."""


class UnauthenticatedError(ApiError):
    """The request carries no credentials."""


class InvalidTokenError(ApiError):
    """The token is unknown, expired, revoked or forged."""


class InsufficientScopeError(ApiError):
    """The token may not be used for this route."""


class ForbiddenError(ApiError):
    """The caller is known and not allowed to do this."""


class InvalidParameterError(ApiError):
    """The request cannot be understood; the message names the part."""


class TooManySectionsError(InvalidParameterError):
    """More sections are named than a report can be limited to."""

    def __init__(self) -> None:
        super().__init__(f"section_ids must be at most {MOST_SECTIONS}")


class UnsupportedContentError(ApiError):
    """The route does not read bodies of this type or encoding."""


class BodyTooLargeError(ApiError):
    """The body is larger than the route accepts."""


class NotReceivedError(ApiError):
    """The body cannot be received at the moment; the message says why."""


class TooManyRequestsError(ApiError):
    """The token has been used more often than the rate limit allows."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("Rate limit exceeded.")
        self.retry_after = retry_after


class NotSignedInError(ApiError):
    """The browser has no session for the pages of this course."""


class ForgedFormError(ApiError):
    """The form was not made for the session that sends it."""


class NotReadyError(ApiError):
    """What is asked for is still being computed, or could not be; the message says which."""

    def __init__(self, message: str, retry_after: int = RETRY_SECONDS) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnavailableError(ApiError):
    """A server that the request needs does not respond at the moment."""


@dataclass(frozen=True)
class Case:
    """The response to one kind of exception.

    Without `text`, the message of the exception is shown. A `terse` body has `errors` and no `message`.
    """

    status: int
    name: str | None = None
    text: str | None = None
    terse: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    is_logged: bool = False

    def response(self, error: Exception, *, error_report_id: str | None = None) -> Response:
        """Make the response to an exception of this kind, with the id of its log line if it has one."""
        text = self.text if self.text is not None else str(error)
        body: dict[str, Any] = {} if self.name is None else {"status": self.name}
        if not self.terse:
            body["message"] = text
        body["errors"] = _issues(error) or [{"message": text}]
        if error_report_id is not None:
            body["errors"][0]["error_code"] = self.name
            body["error_report_id"] = error_report_id
        return json_response(body, status=self.status, headers=self.headers_for(error))

    def headers_for(self, error: Exception) -> Mapping[str, str]:
        """Return the headers of the response to an exception of this kind."""
        if isinstance(error, TooManyRequestsError | NotReadyError):
            return {**self.headers, "Retry-After": str(error.retry_after)}
        return self.headers


_NOT_FOUND = Case(404, text="The specified resource does not exist.", terse=True)
_UNAVAILABLE = Case(
    503,
    "service_unavailable",
    "The service is busy or being restarted. Please try again.",
    headers={"Retry-After": str(RETRY_SECONDS)},
    is_logged=True,
)
_NOT_RECEIVED = dataclasses.replace(_UNAVAILABLE, text=None)
_NOT_READY = Case(503, "service_unavailable")
_CONFLICT = Case(409, "conflict", headers={"Retry-After": str(RETRY_SECONDS)})
_UNPROCESSABLE = Case(422, "unprocessable_entity")
_BAD_REQUEST = Case(400, "bad_request")
_UNFORESEEN = Case(500, "internal_server_error", "An error occurred.")

CASES: Mapping[type[Exception], Case] = {
    UnauthenticatedError: Case(
        401, "unauthenticated", "user authorization required", terse=True, headers=_AUTHENTICATE
    ),
    InvalidTokenError: Case(401, text="Invalid access token.", terse=True, headers=_AUTHENTICATE),
    InsufficientScopeError: Case(401, text="Insufficient scopes on access token.", terse=True),
    ForbiddenError: Case(403, "unauthorized", "user not authorized to perform that action", terse=True),
    NotSignedInError: Case(401, text="Open this page from your course: a link works once, within a minute."),
    ForgedFormError: Case(403, text="This form has expired. Load the page again."),
    NotFoundError: _NOT_FOUND,
    InvalidReportTypeError: _BAD_REQUEST,
    InvalidReportFormatError: _BAD_REQUEST,
    UnknownSectionError: _BAD_REQUEST,
    InvalidParameterError: _BAD_REQUEST,
    AlreadyBeingGeneratedError: _CONFLICT,
    CannotCancelError: _CONFLICT,
    CannotAbortError: _UNPROCESSABLE,
    InvalidInputError: _UNPROCESSABLE,
    BodyTooLargeError: Case(413, "payload_too_large"),
    UnsupportedContentError: Case(415, "unsupported_media_type"),
    NotReceivedError: _NOT_RECEIVED,
    NotReadyError: _NOT_READY,
    TooManyRequestsError: Case(429, "too_many_requests"),
    UnavailableError: _UNAVAILABLE,
    StorageError: _UNAVAILABLE,
    TemporaryFileError: _UNAVAILABLE,
    sqlalchemy.exc.OperationalError: _UNAVAILABLE,
    sqlalchemy.exc.InterfaceError: _UNAVAILABLE,
    sqlalchemy.exc.TimeoutError: _UNAVAILABLE,
}

# The names and texts of the errors that Flask and Werkzeug raise.
_HTTP_CASES: Mapping[int, Case] = {
    400: Case(400, "bad_request", "The request can not be read."),
    404: _NOT_FOUND,
    405: Case(405, "method_not_allowed", "This method is not allowed here."),
    413: Case(413, "payload_too_large", "The body is too large."),
    415: Case(415, "unsupported_media_type", "The media type of the body is not supported."),
    416: Case(416, "range_not_satisfiable", "The range lies outside the file."),
}


class Render(Protocol):
    """Writes the response to an exception: as JSON, or as a page."""

    def __call__(self, case: Case, error: Exception, /, *, error_report_id: str | None = None) -> Response:
        """Write it."""


def register_error_handlers(app: Flask | Blueprint, render: Render = Case.response) -> None:
    """Respond to every exception of an application, or of one of its parts, by the table."""

    def respond(case: Case, error: Exception) -> Response:
        if case.is_logged:
            _log.warning("service_unavailable", kind=type(error).__name__, reason=_first_line(error))
        return render(case, error)

    def respond_to_http_error(error: HTTPException) -> Response:
        status = error.code or 500
        case = _HTTP_CASES.get(status) or Case(status, error.name.lower().replace(" ", "_"), error.name)
        response = render(case, error)
        for name, value in error.get_headers():
            if name.lower() not in {"content-type", "content-length"}:
                response.headers[name] = value
        return response

    def respond_to_unforeseen(error: Exception) -> Response:
        report_id = uuid.uuid4().hex
        _log.error("request_failed", error_report_id=report_id, exc_info=error)
        return render(_UNFORESEEN, error, error_report_id=report_id)

    def respond_to_internal_error(error: Exception) -> Response:
        # During a failover the database may be a standby, which can only be read. If this process stood
        # still, the database has ended its transaction.
        kinds = (ReadOnlySqlTransaction, IdleInTransactionSessionTimeout)
        is_transient = isinstance(getattr(error, "orig", None), kinds)
        return respond(_UNAVAILABLE, error) if is_transient else respond_to_unforeseen(error)

    for kind, case in CASES.items():
        app.register_error_handler(kind, partial(respond, case))
    app.register_error_handler(sqlalchemy.exc.InternalError, respond_to_internal_error)
    app.register_error_handler(HTTPException, respond_to_http_error)
    app.register_error_handler(Exception, respond_to_unforeseen)


def _issues(error: Exception) -> list[dict[str, str]]:
    if not isinstance(error, InvalidInputError):
        return []
    return [{"place": issue.path, "message": issue.message} for issue in error.issues]


def _first_line(error: Exception) -> str:
    # The other lines of a database error contain the statement and its values.
    return (str(error).splitlines() or [""])[0]
