"""What an attacker puts into every place of a request: SQL, header lines, bombs, fields of others."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from models.lms.courses import Course
from models.lms.quizzes import Quiz
from tests.factories import (
    ANONYMOUS_SURVEY_ID,
    COURSE_ID,
    OTHER_COURSE_ID,
    OTHER_QUIZ_ID,
    QUIZ_ID,
    SURVEY_ID,
    Api,
    reports_path,
)
from tests.scenarios.security.canaries import QUIZ_BODY, course, submissions

COURSE = f"/api/v1/courses/{COURSE_ID}"
REPORTS = reports_path()
SQL = st.sampled_from(
    [
        "'",
        "''",
        "1' OR '1'='1",
        "1; DROP TABLE users; --",
        "1) OR (1=1",
        "1 UNION SELECT sha256 FROM access_tokens",
        "%(id)s",
        "%s",
        ":id",
        "{0}",
        "$1",
        "\\'; SELECT pg_sleep(9); --",
        "1/**/OR/**/1=1",
        "0x31",
        "null",
        "1e3",
        "%27%20OR%201=1",
        "${jndi:ldap://x}",
        "{{7*7}}",
        "../../etc/passwd",
        "\r\nX-Evil: 1",
        "\u2019 OR 1=1",
        "1\0",
    ]
)
hostile = st.builds("{}{}".format, st.sampled_from(["", "1", str(QUIZ_ID), "sis_course_id:"]), SQL) | st.text(
    max_size=20
)
# What the administrator finds below the paths.
THERE = {"", *map(str, (COURSE_ID, OTHER_COURSE_ID, QUIZ_ID, SURVEY_ID, ANONYMOUS_SURVEY_ID))}
PATHS = (
    "/api/v1/courses/{}",
    "/api/v1/courses/{}/quizzes",
    COURSE + "/quizzes/{}",
    COURSE + "/quizzes/{}/reports",
    REPORTS + "/{}",
    "/api/v1/progress/{}",
    "/api/v1/files/{}",
    "/files/{}/download",
)
together = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def tables(api: Api) -> Iterator[None]:
    """See that nothing is stored, changed or lost, whatever is sent."""

    def everything() -> list[Any]:
        with api.database.transaction() as session:
            names = ("users", "courses", "quizzes", "access_tokens", "enrollments", "files", "attempts")
            return [
                session.execute(text(f"SELECT t::text FROM {name} t ORDER BY 1")).scalars().all()
                for name in names
            ]

    before = everything()
    yield
    assert everything() == before


@together
@given(hostile)
def test_in_paths(api: Api, tables: None, value: str) -> None:
    # Hypothesis also tries the strings of the code.
    assume(value.strip("0/").split("/")[0] not in THERE)
    for path in PATHS:
        response = api.get(path.format(quote(value, safe="")), "admin")
        assert response.status_code in {400, 404}, (path, response.text)
        assert "X-Evil" not in response.headers
    assert api.call("PUT", f"{COURSE}/quizzes/{quote(value, safe='')}", "admin", json={}).status_code < 500


@together
@given(hostile, hostile)
def test_in_queries_forms_and_json(api: Api, tables: None, name: str, value: str) -> None:
    # Hypothesis also tries the strings of the code, and these ask for a report.
    assume(value not in {"student_analysis", "item_analysis"})
    requests: list[dict[str, Any]] = [
        {"query_string": {"per_page": value, "page": value, "include[]": value, name: value}},
        {"data": {"quiz_report[report_type]": value, name: value}},
        {"json": {"quiz_report": {"report_type": value, name: value}, "include": [value]}},
        {"json": {"quiz_report": {"report_type": {name: value}, "includes_all_versions": value}}},
    ]
    for params in requests:
        for response in (api.post(REPORTS, **params), api.post("/api/v1/progress/1/cancel", **params)):
            assert 400 <= response.status_code < 500, response.text
    for path in (COURSE, f"{COURSE}/quizzes", REPORTS):
        assert api.get(path, **requests[0]).status_code in {200, 400}


@together
@given(hostile)
def test_in_headers(api: Api, tables: None, value: str) -> None:
    value = value.translate(dict.fromkeys(map(ord, "\r\n\0"))).encode("latin-1", "ignore").decode("latin-1")
    names = (
        "Accept",
        "Accept-Language",
        "Range",
        "If-None-Match",
        "X-Request-Id",
        "X-Forwarded-For",
        "Cookie",
    )
    response = api.get(COURSE, headers=dict.fromkeys(names, value))
    assert response.status_code in {200, 304}
    assert api.get(COURSE, None, headers={"Authorization": f"Bearer {value}"}).status_code == 401


@pytest.mark.parametrize("sis_id", ["日本", "a\r\nX-Evil: 1", '">,<evil.test>; rel="next', "a b", "%0d%0a"])
def test_a_sis_id_adds_nothing_to_a_header(api: Api, sis_id: str) -> None:
    with api.database.transaction() as session:
        session.get_one(Course, COURSE_ID).sis_course_id = sis_id
    for path in ("quizzes", f"quizzes/{QUIZ_ID}/reports"):
        response = api.get(f"/api/v1/courses/sis_course_id:{quote(sis_id, safe='')}/{path}")
        assert response.status_code == 200, response.text
        assert response.headers["Link"].count("; rel=") == 3
        assert "evil.test>" not in response.headers["Link"]
        assert "X-Evil" not in response.headers


def test_nothing_is_removed_through_another_course(api: Api) -> None:
    """A teacher of another course names a report of this one below a quiz of their own."""
    report = api.generated()
    theirs = f"{reports_path(OTHER_QUIZ_ID, OTHER_COURSE_ID)}/{report['id']}"
    assert api.delete(theirs, "other_teacher").status_code == 404
    assert api.delete(f"{REPORTS}/{report['id']}", "other_teacher").status_code == 403
    progress = f"/api/v1/progress/{api.report(report['id']).progress_id}"
    assert api.post(f"{progress}/cancel", "other_teacher").status_code == 404
    assert "file" in api.get(f"{REPORTS}/{report['id']}").json


EXTRA: Mapping[str, Any] = {
    "state": "generated",
    "file_id": 1,
    "file": {"id": 1},
    "revision": 99,
    "roster_revision": 99,
    "tries": 9,
    "progress_id": 1,
    "storage_key": "../../etc/passwd",
    "claim_token": "x",
    "is_admin": True,
    "user_id": 1,
    "includes_sis_ids": True,
    "anonymous": False,
    "analysis_version": "1",
    "course_id": OTHER_COURSE_ID,
    "created_at": "1990-01-01T00:00:00Z",
    "id": 777,
    "workflow_state": "completed",
    "question_set_id": 1,
}


class TestFieldsThatAreNotTheirs:
    def test_in_a_request_for_a_report(self, api: Api) -> None:
        params = {**EXTRA, "report_type": "student_analysis"}
        report = api.post(REPORTS, "ta", json={"quiz_report": params, **EXTRA}).json
        assert (report["id"], report["includes_sis_ids"]) != (777, True)
        assert "file" not in report
        assert report["created_at"] > "2000"
        stored = api.report(report["id"])
        assert (stored.state, stored.tries, stored.file_id, stored.claim_token) == ("queued", 0, None, None)
        assert stored.includes_sis_ids is False
        progress = api.get(report["progress_url"].removeprefix(api.settings.public_url), "ta").json
        assert (progress["workflow_state"], progress["user_id"]) == ("queued", 9)

    def test_in_what_is_pushed(self, api: Api) -> None:
        pushes = (
            (f"/api/v1/courses/{COURSE_ID}", course()["course"], "course"),
            (f"{COURSE}/quizzes/{QUIZ_ID}", QUIZ_BODY["quiz"], "quiz"),
        )
        plain = [api.call("PUT", path, "admin", json={key: body}).json for path, body, key in pushes]
        assert [response["revision"] for response in plain] == [2, 2]
        for path, body, key in pushes:
            extra = {name: EXTRA[name] for name in EXTRA if name not in body}
            again = api.call("PUT", path, "admin", json={key: {**body, **extra}}).json
            # The same data again: nothing of what was added counts.
            assert (again["created"], again["updated"], again["deleted"]) == (0, 0, 0)
            assert again["revision"] == 2
        with api.database.transaction() as session:
            quiz = session.get_one(Quiz, QUIZ_ID)
            assert (quiz.course_id, quiz.revision) == (COURSE_ID, 2)

    def test_in_an_attempt(self, api: Api) -> None:
        api.call("PUT", COURSE, "admin", json=course())
        path = f"{COURSE}/quizzes/{QUIZ_ID}"
        api.call("PUT", path, "admin", json=QUIZ_BODY)
        pushed = submissions(quiz_id=999, question_set_id=1, digest="x", revision=99, claim_token="x")
        response = api.call("PUT", f"{path}/submissions", "admin", json=pushed)
        assert (response.status_code, response.json["created"], response.json["revision"]) == (200, 1, 3)
        assert api.call("PUT", f"{path}/submissions", "admin", json=submissions()).json["unchanged"] == 1

    def test_a_token_does_not_grow_by_what_a_request_says(self, api: Api) -> None:
        for params in ({"is_admin": True, "scope": "url:PUT|/api/v1/courses/:id"}, {"as_user_id": 1}):
            response = api.call("PUT", COURSE, json={**course(), **params}, query_string=params)
            assert response.status_code == 401
        # An older Canvas habit: to act as somebody else.
        assert api.get(f"{COURSE}?as_user_id=1", "stranger").status_code == 403


DEEP = b'{"quiz_report":' + b"[" * 100_000
BOMBS = {
    "deep lists": DEEP,
    "deep objects": b'{"a":' * 100_000,
    "deep and closed": b"[" * 5000 + b"]" * 5000,
    "a huge number": b'{"quiz_report": ' + b"9" * 100_000 + b"}",
    "a huge exponent": b'{"quiz_report": 1e999999999}',
    "a key twice": b'{"quiz_report": 1, "quiz_report": 2}',
    "half a surrogate": b'{"quiz_report": "\\ud800"}',
    "a NUL": b'{"quiz_report": "\\u0000"}',
    "NaN": b'{"quiz_report": NaN}',
    "no UTF-8": b'{"quiz_report": "\xff"}',
    "many keys": json.dumps({f"k{n}": n for n in range(60_000)}).encode(),
    "backslashes": b'{"quiz_report": "' + b"\\" * 500_000,
    "quotes": b'"' * 500_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_json_that_is_a_bomb_is_refused_at_once(api: Api, bomb: str) -> None:
    for path, method in (
        (REPORTS, "POST"),
        (COURSE, "PUT"),
        (f"{COURSE}/quizzes/{QUIZ_ID}/submissions", "PUT"),
    ):
        response = api.call(method, path, "admin", data=BOMBS[bomb], content_type="application/json")
        assert response.status_code in {400, 422}, response.text
        assert len(response.text) < 20_000


def test_packed_bodies_are_never_unpacked(api: Api) -> None:
    packed = gzip.compress(b" " * 10**6)
    for encoding in ("gzip", "deflate", "br", "zstd", "gzip, identity", "GZIP"):
        for path, method in ((REPORTS, "POST"), (COURSE, "PUT"), (COURSE, "GET")):
            response = api.call(method, path, "admin", data=packed, headers={"Content-Encoding": encoding})
            assert response.status_code == 415


def test_what_is_too_large_is_refused(api: Api) -> None:
    for body, status in ((2**20, 415), (2**20 + 1, 413)):
        assert api.post(REPORTS, data=b"x" * body, content_type="text/plain").status_code == status
    for many in ({f"k{n}": "x" for n in range(1001)}, {"x": "y" * 505_000}):
        response = api.post(REPORTS, data=many, content_type="multipart/form-data")
        assert response.status_code == 413


def test_methods_that_are_invented_do_not_add_up(api: Api) -> None:
    for number in range(5):
        api.call(f"INVENTED{number}", COURSE)
    figures = api.get("/metrics", None).text
    assert "INVENTED" not in figures
    assert 'method="other"' in figures
