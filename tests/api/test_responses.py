"""How responses are written; ETags over HTTP are tested with the routes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug import Response

from api.media_types import JSON_API, STRING_IDS
from api.responses import conditional, json_response, retry_later, serialized_response, wants, with_string_ids
from models.reports.tables import QuizReport, ReportState

APP = Flask(__name__)


@pytest.fixture(autouse=True)
def _request() -> Iterator[None]:
    with APP.test_request_context():
        yield


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (STRING_IDS, True),
        (STRING_IDS.upper(), True),
        (f"text/html, {STRING_IDS};q=0.1", True),
        (f"{STRING_IDS};q=0", False),
        ("*/*", False),
        ("application/*", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_only_the_exact_type_is_wanted(accept: str, expected: bool) -> None:
    with APP.test_request_context(headers={"Accept": accept}):
        assert wants(STRING_IDS) is expected


def test_every_integer_under_an_id_becomes_a_string() -> None:
    body = {
        "id": 9007199254740993,
        "user_id": None,
        "uuid": "x",
        "size": 3,
        "is_id": True,
        "files": [{"id": 1, "name": "id"}],
        "user_ids": [7, None, "8"],
        "results": {"report_id": 2, "counts": [3]},
    }

    assert with_string_ids(body) == {
        "id": "9007199254740993",
        "user_id": None,
        "uuid": "x",
        "size": 3,
        "is_id": True,
        "files": [{"id": "1", "name": "id"}],
        "user_ids": ["7", None, "8"],
        "results": {"report_id": "2", "counts": [3]},
    }


def test_ids_are_strings_only_for_those_that_ask() -> None:
    assert serialized_response({"id": 1}).data == b'{"id":1}'
    with APP.test_request_context(headers={"Accept": STRING_IDS}):
        response = serialized_response({"id": 1})

    assert response.data == b'{"id":"1"}'
    assert set(response.vary) == {"Accept", "Accept-Language", "Authorization"}


def test_only_plain_json_names_its_encoding() -> None:
    assert json_response({}).content_type == "application/json; charset=utf-8"
    assert json_response({}, mimetype=JSON_API).content_type == JSON_API


@pytest.mark.parametrize("state", ReportState)
def test_a_report_is_asked_for_again_while_its_job_lives(state: ReportState) -> None:
    live = state in {ReportState.QUEUED, ReportState.RUNNING}

    assert retry_later(QuizReport(state=state)) == ({"Retry-After": "1"} if live else {})


def etag(body: str) -> str | None:
    return conditional(Response(body)).headers.get("ETag")


def test_an_etag_is_weak_and_that_of_the_body() -> None:
    assert etag("a") == etag("a") != etag("b")
    # The first 32 digits of the SHA-256 of "a".
    assert etag("a") == 'W/"ca978112ca1bbdcafac231b39a23dc4d"'


def test_a_fresh_verifier_makes_no_other_etag_for_half_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    def at(seconds: float, verifier: str) -> str | None:
        monkeypatch.setattr("api.responses.time.time", lambda: seconds)
        return etag(f'{{"url":"/files/1/download?verifier={verifier}"}}')

    first = at(3600.0, "one.A-_~")
    assert at(5399.0, "another") == first
    assert at(5400.0, "one.A-_~") != first


def test_a_body_that_the_caller_has_is_a_304() -> None:
    with APP.test_request_context(headers={"If-None-Match": etag("a") or ""}):
        assert conditional(Response("a")).status_code == 304
        assert conditional(Response("b")).status_code == 200
