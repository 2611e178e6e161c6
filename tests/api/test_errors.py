"""The error table, to the word."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
import sqlalchemy.exc
from flask import Flask
from psycopg import sql
from psycopg.errors import IdleInTransactionSessionTimeout
from werkzeug.test import TestResponse

from api.errors import (
    CASES,
    ApiError,
    BodyTooLargeError,
    ForbiddenError,
    InsufficientScopeError,
    InvalidParameterError,
    InvalidTokenError,
    TooManyRequestsError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedContentError,
    register_error_handlers,
)
from api.services import Services
from models import errors as domain
from models.errors import ValidationIssue
from tests.factories import Api, reports_path

CHALLENGE = 'Bearer realm="canvas-lms"'


def said(status: str, message: str) -> dict[str, Any]:
    return {"status": status, "message": message, "errors": [{"message": message}]}


def answer_to(error: Exception) -> TestResponse:
    app = Flask("test")
    register_error_handlers(app)

    @app.get("/")
    def fail() -> str:
        raise error

    return app.test_client().get("/")


TABLE: list[tuple[Exception, int, dict[str, Any], dict[str, str | None]]] = [
    (
        UnauthenticatedError(),
        401,
        {"status": "unauthenticated", "errors": [{"message": "user authorization required"}]},
        {"WWW-Authenticate": CHALLENGE},
    ),
    (
        InvalidTokenError("secret reason"),
        401,
        {"errors": [{"message": "Invalid access token."}]},
        {"WWW-Authenticate": CHALLENGE},
    ),
    (
        InsufficientScopeError(),
        401,
        {"errors": [{"message": "Insufficient scopes on access token."}]},
        {"WWW-Authenticate": None},
    ),
    (
        ForbiddenError(),
        403,
        {"status": "unauthorized", "errors": [{"message": "user not authorized to perform that action"}]},
        {},
    ),
    (
        domain.NotFoundError("reports/7/secret"),
        404,
        {"errors": [{"message": "The specified resource does not exist."}]},
        {},
    ),
    (domain.InvalidReportTypeError("x"), 400, said("bad_request", "x"), {}),
    (domain.InvalidReportFormatError("x"), 400, said("bad_request", "x"), {}),
    (domain.UnknownSectionError("x"), 400, said("bad_request", "x"), {}),
    (InvalidParameterError("x"), 400, said("bad_request", "x"), {}),
    (domain.AlreadyBeingGeneratedError("x"), 409, said("conflict", "x"), {"Retry-After": "2"}),
    (domain.CannotCancelError("x"), 409, said("conflict", "x"), {"Retry-After": "2"}),
    (domain.CannotAbortError("x"), 422, said("unprocessable_entity", "x"), {}),
    (BodyTooLargeError("x"), 413, said("payload_too_large", "x"), {}),
    (UnsupportedContentError("x"), 415, said("unsupported_media_type", "x"), {}),
    (TooManyRequestsError(7), 429, said("too_many_requests", "Rate limit exceeded."), {"Retry-After": "7"}),
]


@pytest.mark.parametrize(("error", "status", "body", "headers"), TABLE, ids=lambda v: type(v).__name__)
def test_case(error: Exception, status: int, body: dict[str, Any], headers: dict[str, str | None]) -> None:
    response = answer_to(error)
    assert (response.status_code, response.get_json()) == (status, body)
    assert response.mimetype == "application/json"
    for name, value in headers.items():
        assert response.headers.get(name) == value


@pytest.mark.parametrize(
    "error",
    [
        sqlalchemy.exc.OperationalError("SELECT secret", {"name": "secret"}, Exception("secret")),
        sqlalchemy.exc.InterfaceError("SELECT secret", {}, Exception("secret")),
        sqlalchemy.exc.InternalError("SELECT secret", {}, IdleInTransactionSessionTimeout("secret")),
        sqlalchemy.exc.TimeoutError("secret"),
        domain.StorageError("secret"),
        UnavailableError("secret"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_does_not_answer_just_now_is_a_503_that_says_when_to_come_again(error: Exception) -> None:
    response = answer_to(error)
    assert (response.status_code, response.get_json()["status"]) == (503, "service_unavailable")
    assert int(response.headers["Retry-After"]) >= 1
    assert "secret" not in response.text


def test_invalid_input_names_each_place() -> None:
    issues = [ValidationIssue(f"quiz_submissions[{number}].id", "must be an integer") for number in range(30)]
    response = answer_to(domain.InvalidInputError(issues))
    body = response.get_json()
    assert (response.status_code, body["status"]) == (422, "unprocessable_entity")
    assert len(body["errors"]) == 20
    assert body["errors"][3] == {
        "place": "quiz_submissions[3].id",
        "message": "quiz_submissions[3].id: must be an integer",
    }


def test_the_unforeseen_gets_an_id_for_the_logs_and_no_detail() -> None:
    response = answer_to(RuntimeError("secret"))
    body = response.get_json()
    assert response.status_code == 500
    assert body["status"] == "internal_server_error"
    assert len(body["error_report_id"]) == 32
    assert "secret" not in response.text
    assert "Traceback" not in response.text


def test_every_error_that_the_code_knows_has_its_case() -> None:
    never_answered = {
        domain.QuizReportsError,
        domain.InvalidSettingError,
        domain.LeaseLostError,
        domain.MigrationBlockedError,
        domain.UnreleasedSchemaError,
        ApiError,
    }
    known = {
        kind
        for base in (domain.QuizReportsError, ApiError)
        for kind in [base, *base.__subclasses__()]
        if kind.__module__ in {"models.errors", "api.errors"}
    }
    assert known - never_answered == {
        kind for kind in CASES if kind.__module__.split(".")[0] in {"models", "api"}
    }


def test_a_database_that_takes_no_changes_is_a_503_until_it_does(api: Api) -> None:
    # Only a new connection takes the new default.
    Services.of(api.app).database.dispose()
    with psycopg.connect(api.settings.database_url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
        try:
            refused = api.post(reports_path(), json={"quiz_report": {"report_type": "student_analysis"}})
        finally:
            connection.execute(sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    accepted = api.post(reports_path(), json={"quiz_report": {"report_type": "student_analysis"}})
    assert accepted.status_code == 200
