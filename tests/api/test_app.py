"""Contract, section 5: every error is JSON, and every response carries the headers that protect it."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import text

import api.app as api_app
import api.routes.courses as api_courses
from api.app import create_app, from_env
from api.services import Services
from models.errors import InvalidSettingError
from tests.factories import COURSE_ID, Api, ApiResponse, reports_path

REPORTS = reports_path()
COURSE = f"/api/v1/courses/{COURSE_ID}"


def with_settings(given: Api, **changes: Any) -> Api:
    settings = replace(given.settings, **changes)
    return Api(create_app(settings), settings, given.database, given.tokens)


@pytest.fixture
def closing() -> Iterator[list[Api]]:
    opened: list[Api] = []
    yield opened
    for one in opened:
        Services.of(one.app).close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/nonsense", 404),
        ("GET", "/api/v1/courses", 404),
        ("GET", "/api/v1//courses/101", 404),
        ("GET", f"{REPORTS}/../../../etc/passwd", 404),
        ("GET", f"{REPORTS}/%2e%2e%2f%2e%2e", 404),
        ("GET", "/files/../../etc/passwd/download", 404),
        ("PATCH", REPORTS, 405),
        ("PUT", f"{REPORTS}/1", 405),
        ("DELETE", COURSE, 405),
        ("POST", "/healthz", 405),
        ("TRACE", COURSE, 405),
    ],
)
@pytest.mark.contract("5 Errors", "every error is JSON, every answer has X-Request-Id")
def test_what_is_not_there_is_json_too(api: Api, method: str, path: str, status: int) -> None:
    for caller in ("teacher", None):
        response = api.call(method, path, caller)
        assert response.status_code == status
        assert response.mimetype == "application/json"
        assert response.json["errors"][0]["message"]
    if status == 404:
        assert response.json == {"errors": [{"message": "The specified resource does not exist."}]}
    else:
        assert response.json["status"] == "method_not_allowed"
        assert "GET" in response.headers["Allow"] or "DELETE" in response.headers["Allow"]


def test_a_slash_at_the_end_is_no_redirect(api: Api) -> None:
    assert api.get(f"{REPORTS}/").status_code == 200


ANSWERS = [
    ("GET", COURSE, "teacher", 200),
    ("GET", COURSE, None, 401),
    ("GET", COURSE, "student", 403),
    ("GET", f"{COURSE}/quizzes/9", "teacher", 404),
    ("POST", REPORTS, "teacher", 400),
    ("DELETE", COURSE, "teacher", 405),
    ("GET", "/healthz", None, 200),
    ("GET", "/metrics", None, 200),
    ("GET", "/nonsense", None, 404),
]


@pytest.mark.parametrize(("method", "path", "caller", "status"), ANSWERS)
@pytest.mark.contract("5 Errors", "every error is JSON, every answer has X-Request-Id")
def test_every_answer_is_protected(api: Api, method: str, path: str, caller: str | None, status: int) -> None:
    response = api.call(method, path, caller)
    assert response.status_code == status
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert response.headers["Cache-Control"] == "private, no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in response.headers
    assert "Access-Control-Allow-Origin" not in response.headers
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Request-Id"])


def test_https_is_asked_for_where_the_public_address_has_it(api: Api, closing: list[Api]) -> None:
    assert "Strict-Transport-Security" not in api.get(COURSE).headers
    secure = with_settings(api, public_url="https://quiz-reports.test")
    closing.append(secure)
    for caller in ("teacher", None):
        assert secure.get(COURSE, caller).headers["Strict-Transport-Security"] == "max-age=31536000"


class TestRequestId:
    def test_a_sane_one_is_kept(self, api: Api) -> None:
        for path in (COURSE, "/nonsense"):
            headers = {"X-Request-Id": "abc-123_X.y"}
            assert api.get(path, headers=headers).headers["X-Request-Id"] == "abc-123_X.y"

    @pytest.mark.parametrize("strange", ["a b", "x" * 129, "<script>", "ü", '"', "a;b"])
    def test_a_strange_one_is_replaced(self, api: Api, strange: str) -> None:
        response = api.get(COURSE, headers={"X-Request-Id": strange})
        assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Request-Id"])


class TestUnforeseen:
    @pytest.fixture
    def broken(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> ApiResponse:
        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("a detail that belongs in a log")

        monkeypatch.setattr("api.routes.courses.course_json", fail)
        with structlog.testing.capture_logs() as logs:
            response = api.get(COURSE)
        self.logs = logs
        return response

    @pytest.mark.contract("5 Errors", "anything unforeseen is a 500 with an id and without detail")
    def test_is_a_500_without_detail(self, broken: ApiResponse) -> None:
        assert broken.status_code == 500
        assert set(broken.json) == {"status", "message", "errors", "error_report_id"}
        assert "detail" not in broken.text
        assert broken.headers["X-Request-Id"]

    @pytest.mark.contract("5 Errors", "anything unforeseen is a 500 with an id and without detail")
    def test_is_logged_under_its_id(self, broken: ApiResponse) -> None:
        (entry,) = [entry for entry in self.logs if entry["event"] == "request_failed"]
        assert entry["error_report_id"] == broken.json["error_report_id"]
        assert "belongs in a log" in str(entry["exc_info"])


class TestDatabaseTrouble:
    @pytest.mark.contract("5 Errors", "429 and 503 carry Retry-After")
    def test_a_database_that_is_away_is_a_503(self, api: Api, closing: list[Api]) -> None:
        away = with_settings(api, database_url="postgresql://nobody@127.0.0.1:1/nothing")
        closing.append(away)
        for path in (COURSE, REPORTS, "/files/1/download"):
            response = away.get(path)
            assert (response.status_code, response.json["status"]) == (503, "service_unavailable")
            assert int(response.headers["Retry-After"]) >= 1
        assert away.get("/readyz", None).status_code == 503
        assert away.get("/healthz", None).status_code == 200
        assert "quiz_reports_database_up 0.0" in away.get("/metrics", None).text

    def test_a_database_without_the_tables_is_not_ready(
        self, api: Api, empty_database_url: str, closing: list[Api]
    ) -> None:
        empty = with_settings(api, database_url=empty_database_url)
        closing.append(empty)
        response = empty.get("/readyz", None)
        assert (response.status_code, response.json["status"]) == (503, "not ready")

    def test_connections_that_were_cut_are_made_again(self, api: Api) -> None:
        assert api.get(COURSE).status_code == 200
        with api.database.transaction() as session:
            session.execute(
                text(
                    # Within ten seconds: cut means that the other end knows of it.
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND usename = current_user"
                    " AND pid <> pg_backend_pid()"
                )
            )
        assert api.get(COURSE).status_code == 200

    def test_a_statement_that_takes_too_long_is_a_503(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def slow(session: Any, *_: object, **__: object) -> None:
            session.execute(text("SET statement_timeout = 10"))
            session.execute(text("SELECT pg_sleep(5)"))

        monkeypatch.setattr(api_courses, "count_quizzes", slow)
        assert api.get(f"{COURSE}/quizzes").status_code == 503
        # Later tests of this application need connections without this timeout.
        Services.of(api.app).database.dispose()


class TestPublicUrl:
    def url(self, given: Api, **headers: str) -> str:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return str(given.get(REPORTS, headers=headers, base_url="http://inner:8000").json[0]["url"])

    def test_the_setting_stands_before_the_request(self, api: Api) -> None:
        assert self.url(api, X_Forwarded_Host="evil.test").startswith(f"http://quiz-reports.test{REPORTS}")

    def test_without_a_setting_it_is_the_requests_own(self, api: Api, closing: list[Api]) -> None:
        plain = with_settings(api, public_url="")
        closing.append(plain)
        assert self.url(plain).startswith(f"http://inner:8000{REPORTS}")

    @pytest.mark.contract("2 Index", "a Link header on the public base URL, also behind a proxy")
    def test_forwarded_headers_are_believed_only_when_configured(self, api: Api, closing: list[Api]) -> None:
        # What proxies pass on as a client sent it counts for nothing.
        forwarded = {"X_Forwarded_Port": "81", "X_Forwarded_Prefix": "/evil"}
        forwarded |= {"X_Forwarded_Host": "public.test", "X_Forwarded_Proto": "https"}
        for trusted, base in ((0, "http://inner:8000"), (1, "https://public.test")):
            behind = with_settings(api, public_url="", trusted_proxies=trusted)
            closing.append(behind)
            assert self.url(behind, **forwarded).startswith(f"{base}{REPORTS}")
            link = behind.get(
                REPORTS,
                headers={n.replace("_", "-"): v for n, v in forwarded.items()},
                base_url="http://inner:8000",
            ).headers["Link"]
            assert link.startswith(f"<{base}{REPORTS}?")

    @pytest.mark.parametrize("host", ["a b", "<script>", '"', "a/b", "ü", ":", "[::1"])
    def test_a_strange_host_is_no_crash(self, api: Api, closing: list[Api], host: str) -> None:
        plain = with_settings(api, public_url="")
        closing.append(plain)
        response = plain.get(REPORTS, headers={"Host": host})
        assert response.status_code in {200, 400}
        assert "<script>" not in response.text


def test_a_slow_body_of_a_refused_request_is_not_read_for_long(
    api: Api, closing: list[Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_app, "_DISCARD_SECONDS", 0.2)
    behind = with_settings(api, trusted_proxies=1)
    closing.append(behind)
    ended = threading.Event()
    server, sender = socket.socketpair()

    def send_slowly() -> None:
        # What is sent after the API has given up is refused.
        with suppress(BrokenPipeError):
            while not ended.wait(0.01):
                sender.send(b"a")

    with server, sender, server.makefile("rb") as body:
        slow = threading.Thread(target=send_slowly)
        slow.start()
        try:
            refused = behind.call(
                "PUT",
                COURSE,
                None,
                environ_overrides={
                    "wsgi.input": body,
                    "CONTENT_LENGTH": str(2**20),
                    "gunicorn.socket": server,
                },
            )
            refused.close()
        finally:
            ended.set()
            slow.join()
    assert refused.status_code == 401


class TestLog:
    def test_a_request_is_one_line_without_query_or_secret(self, api: Api) -> None:
        with structlog.testing.capture_logs() as logs:
            api.get(f"{COURSE}?access_token={api.tokens['teacher']}&x=canary", None)
            api.get("/files/1/download?verifier=canary", None)
            api.post(REPORTS, None, data={"access_token": api.tokens["teacher"], "x": "canary"})
        requests = [entry for entry in logs if entry["event"] == "request"]
        assert [entry["status"] for entry in requests] == [200, 401, 400]
        assert {**requests[0], "milliseconds": 0, "log_level": ""} == {
            "event": "request",
            "log_level": "",
            "method": "GET",
            "path": COURSE,
            "route": "/api/v1/courses/<course_id>",
            "status": 200,
            "milliseconds": 0,
            "user_id": 7,
        }
        assert api.tokens["teacher"] not in str(logs)
        assert "canary" not in str(logs)

    def test_the_user_is_the_one_who_asks_not_the_one_who_asked_for_the_report(self, api: Api) -> None:
        report_id = api.post(REPORTS, json={"quiz_report": {"report_type": "student_analysis"}}).json["id"]
        with structlog.testing.capture_logs() as logs:
            for caller in ("second_teacher", "teacher", "admin"):
                api.get(f"{REPORTS}/{report_id}", caller)
        assert [entry["user_id"] for entry in logs if entry["event"] == "request"] == [8, 7, 1]


GOOD = {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "STORAGE_URL": "file:///nowhere",
    "SECRET_KEY": "x" * 32,
}


class TestSettings:
    @pytest.fixture(autouse=True)
    def logging_as_it_was(self) -> Iterator[None]:
        root = logging.getLogger()
        handlers, level = list(root.handlers), root.level
        before = structlog.get_config()
        yield
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**before)

    def use(self, monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
        for name, value in {**GOOD, **changes}.items():
            monkeypatch.setenv(name, value)

    def test_nothing_is_connected_or_made_at_the_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.use(monkeypatch)
        assert from_env().test_client().get("/healthz").status_code == 200
        assert not Path("/nowhere").exists()

    @pytest.mark.parametrize(
        "changes",
        [
            {"SECRET_KEY": ""},
            {"SECRET_KEY": "short"},
            {"DATABASE_URL": ""},
            {"STORAGE_URL": ""},
            {"QUIZ_REPORTS_JWT_JWKS_URL": "https://lms.test/jwks"},
        ],
    )
    def test_a_missing_or_unsafe_setting_stops_the_start(
        self, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]
    ) -> None:
        self.use(monkeypatch, **changes)
        with pytest.raises(InvalidSettingError):
            from_env()

    def test_requests_are_logged_as_json(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.use(monkeypatch)
        from_env().test_client().get("/healthz?access_token=canary")
        line = json.loads(capsys.readouterr().err.splitlines()[-1])
        assert (line["event"], line["route"], line["status"]) == ("request", "/healthz", 200)
        assert "canary" not in str(line)
