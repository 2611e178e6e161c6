"""Contract, sections 2 and 5: requests as other clients send them, and as no client should."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.factories import COURSE_ID, Api, reports_path
from tests.serving import served

pytestmark = pytest.mark.exhaustive

REPORTS = reports_path()
COURSE = f"/api/v1/courses/{COURSE_ID}"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "text/html,application/xhtml+xml,*/*;q=0.8",
        "text/csv",
        "application/json; version=9",
        "application/vnd.api+json;q=0",
        "application/x-nonsense",
        "nonsense",
        "",
        ",;q=x",
        "a/b;" * 500,
    ],
)
def test_an_accept_that_is_not_known_gets_plain_json(api: Api, accept: str) -> None:
    response = api.get(REPORTS, headers={"Accept": accept})
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert response.json[0]["report_type"] == "student_analysis"


@pytest.mark.parametrize("language", ["*", "xx", "de;q=x", "-", "de-" + "x" * 5000, "ü", ",,,"])
def test_any_accept_language_is_answered(api: Api, language: str) -> None:
    assert api.get(REPORTS, headers={"Accept-Language": language}).status_code == 200


@pytest.mark.contract("2 Parameters", "ids as strings where the Accept asks for them")
def test_ids_as_strings(api: Api) -> None:
    listed = api.get(REPORTS, headers={"Accept": "application/json+canvas-string-ids"}).json
    assert [type(report["id"]) for report in listed] == [str, str]
    assert {report["quiz_id"] for report in listed} == {"201"}


def test_a_front_end_asks_as_json_api_and_embeds_what_is_there(api: Api) -> None:
    body = b'{"quiz_reports":[{"report_type":"student_analysis"}],"include":["file","progress"]}'
    response = api.post(
        REPORTS,
        data=body,
        content_type="application/vnd.api+json",
        headers={"Accept": "application/vnd.api+json", "X-Requested-With": "XMLHttpRequest"},
    )
    (report,) = response.json["quiz_reports"]
    assert set(report) >= {"progress", "links"}
    assert "file" not in report


@pytest.mark.contract("2 Parameters", "report_type in every spelling")
def test_a_script_asks_with_nothing_but_a_query(api: Api) -> None:
    token = api.tokens["teacher"]
    path = f"{REPORTS}?access_token={token}&quiz_report%5Breport_type%5D=student_analysis"
    assert api.client.post(path).status_code == 200


@pytest.mark.contract("2 Parameters", "report_type in every spelling")
def test_a_script_asks_with_nothing_but_a_form(api: Api) -> None:
    form = {"access_token": api.tokens["teacher"], "quiz_report[report_type]": "student_analysis"}
    assert api.client.post(REPORTS, data=form).status_code == 200


def test_a_get_may_have_its_token_and_parameters_in_a_form(api: Api) -> None:
    form = {"access_token": api.tokens["teacher"], "includes_all_versions": "1"}
    response = api.get(REPORTS, None, data=form, content_type=FORM)
    assert response.get_json()[0]["includes_all_versions"] is True


OVER_LONG: dict[str, dict[str, Any]] = {
    "a path": {"path": "/api/v1/courses/" + "1" * 20_000},
    "a SIS id": {"path": "/api/v1/courses/sis_course_id:" + "x" * 20_000},
    "a key": {"path": REPORTS, "query_string": {"x" * 20_000: "1"}},
    "a value": {"path": REPORTS, "query_string": {"include": "x" * 20_000}},
    "many values": {"path": REPORTS, "query_string": "include[]=file&" * 5_000},
    "a token": {"path": REPORTS, "headers": {"Authorization": "Bearer " + "x" * 20_000}},
    "a verifier": {"path": "/files/1/download?verifier=" + "x" * 20_000},
    "a request id": {"path": REPORTS, "headers": {"X-Request-Id": "x" * 20_000}},
}


@pytest.mark.parametrize("options", OVER_LONG.values(), ids=OVER_LONG)
@pytest.mark.contract("2 Parameters", "bad input is one JSON error and never a crash")
def test_what_is_over_long_is_no_crash(api: Api, options: dict[str, Any]) -> None:
    response = api.get(**options)
    assert response.status_code in {200, 401, 404}
    assert "Traceback" not in response.text


def test_a_form_of_too_many_parts(api: Api) -> None:
    fields = {f"x{number}": "1" for number in range(2_000)}
    for content_type in (FORM, "multipart/form-data"):
        response = api.post(REPORTS, data=fields, content_type=content_type)
        assert response.status_code in {400, 413}
        assert response.json["errors"][0]["message"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "gzip, identity", "x"])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_a_packed_body_is_refused_everywhere(api: Api, method: str, encoding: str) -> None:
    response = api.call(method, REPORTS, data=b"\x1f\x8b\x08", headers={"Content-Encoding": encoding})
    assert response.status_code == 415


@pytest.mark.parametrize("charset", ["utf-16", "latin-1", "nonsense", "utf-7"])
def test_bytes_decide_and_not_what_the_charset_says(api: Api, charset: str) -> None:
    body = b'{"quiz_report": {"report_type": "student_analysis"}}'
    response = api.post(REPORTS, data=body, content_type=f"application/json; charset={charset}")
    assert response.status_code == 200


@pytest.fixture
def port(api: Api) -> Iterator[int]:
    with served(api.app) as url:
        yield int(url.rpartition(":")[2])


@pytest.mark.parametrize(
    "target",
    [
        "/files/../../etc/passwd",
        "/files/%2e%2e/%2e%2e/etc/passwd",
        "/files/..%2f..%2fetc%2fpasswd/download",
        "/files/1/../../api/v1/courses/101",
        "//etc/passwd",
        "/files/%00/download",
        "/api/v1/courses/101;x=1",
        "/api/v1/courses/101%2fquizzes",
        "http://127.0.0.1/api/v1/courses/101",
    ],
)
@pytest.mark.contract("2 Parameters", "bad input is one JSON error and never a crash")
def test_a_path_that_climbs_is_json_and_leads_nowhere(port: int, target: str) -> None:
    """Sent as bytes: a client library would have tidied it up."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"GET {target} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        response = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    status = int(response.split(" ")[1])
    assert status in {401, 404}
    assert "application/json" in response
    assert "root:" not in response
