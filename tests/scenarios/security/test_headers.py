"""Every response carries the headers that protect it: each route, answered well and refused in each way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from api.app import create_app
from api.openapi.document import Route, routes
from api.services import Services
from tests.factories import ASSIGNMENT_ID, COURSE_ID, QUIZ_ID, Api, ApiResponse, reports_path
from workers.generation import generate
from workers.resources import Resources

POLICY = "default-src 'none'; frame-ancestors 'none'"
PROTECTION = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
}
OTHER_POLICIES = {
    "/docs": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "/files/<file_id>/download": "default-src 'none'; sandbox",
}
NEVER = ("Set-Cookie", "Access-Control-Allow-Origin", "Server", "X-Powered-By")
HERE = {"course_id": COURSE_ID, "quiz_id": QUIZ_ID, "assignment_id": ASSIGNMENT_ID}

# How a request is made, and with which status it may be refused.
REFUSALS: Mapping[str, tuple[dict[str, Any], set[int]]] = {
    "no credentials": ({"caller": None}, {401}),
    "a bad token": ({"headers": {"Authorization": "Bearer qr_bad"}}, {401}),
    "a stranger": ({"caller": "stranger"}, {401, 403, 404}),
    "nothing there": ({"ids": "999"}, {404}),
    "no id": ({"ids": "x"}, {404}),
    "a body of another kind": ({"data": b"<x/>", "content_type": "text/xml"}, {404, 415}),
    "a packed body": ({"headers": {"Content-Encoding": "gzip"}, "data": b"x"}, {415}),
    "a large body": ({"data": b"x" * (2**20 + 1)}, {404, 413, 415}),
    "another method": ({"method": "PATCH"}, {405}),
    "no such path": ({"suffix": "/nonsense"}, {404}),
}


@pytest.fixture
def secure(api: Api) -> Iterator[Api]:
    settings = replace(api.settings, public_url="https://quiz-reports.test")
    app = create_app(settings)
    yield replace(api, app=app, settings=settings)
    Services.of(app).close()


def assert_protected(response: ApiResponse, rule: str) -> None:
    shown = {name: response.headers.get(name) for name in PROTECTION}
    assert shown == PROTECTION, (rule, response.status)
    is_good = response.status_code < 400
    policy = OTHER_POLICIES.get(rule, re.escape(POLICY)) if is_good else re.escape(POLICY)
    assert re.fullmatch(policy, response.headers["Content-Security-Policy"]), rule
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-Id"])
    assert not [name for name in NEVER if name in response.headers]
    if not is_good:
        assert response.mimetype == "application/json"
        assert response.json["errors"][0]["message"]


def ids_of(api: Api) -> dict[str, Any]:
    report = api.generated()
    progress = api.report(report["id"]).progress_id
    return {
        **HERE,
        "page_part": "swagger-ui.css",
        "report_id": report["id"],
        "file_id": report["file"]["id"],
        "progress_id": progress,
    }


def ask(api: Api, route: Route, ids: Mapping[str, Any], **options: Any) -> ApiResponse:
    path = re.sub(r"<(\w+)>", lambda found: str(ids[found[1]]), route.rule.rule)
    method, caller = options.pop("method", route.method), options.pop("caller", "admin")
    return api.call(method, path + options.pop("suffix", ""), caller, **options)


def test_on_every_route_that_answers_well(
    secure: Api, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A half-hour that does not end while the test runs: the next one has other ETags.
    monkeypatch.setattr("api.responses.time", SimpleNamespace(time=lambda: 0.0))
    ids = ids_of(secure)
    generate(resources, *secure.queue_statistics())
    reading = [route for route in routes(secure.app) if route.method == "GET"]
    assert len(reading) > 10
    for route in reading:
        response = ask(secure, route, ids)
        assert response.status_code == 200
        assert_protected(response, route.rule.rule)
        for method in {"HEAD", "OPTIONS"} & (route.rule.methods or set()):
            other = ask(secure, route, ids, method=method)
            assert {name: other.headers.get(name) for name in PROTECTION} == PROTECTION
    report = f"{reports_path()}/{ids['report_id']}"
    for response, status in (
        (secure.get(report, headers={"If-None-Match": secure.get(report).headers["ETag"]}), 304),
        (secure.post(reports_path(), json={"quiz_report": {"report_type": "item_analysis"}}), 200),
        (secure.delete(report), 204),
    ):
        assert response.status_code == status
        assert_protected(response, "")


@pytest.mark.parametrize("kind", REFUSALS)
def test_on_every_route_that_refuses(secure: Api, kind: str) -> None:
    options, statuses = REFUSALS[kind]
    seen = set()
    for route in routes(secure.app):
        given = dict(options)
        ids = dict.fromkeys([*HERE, "report_id", "file_id", "progress_id", "page_part"], "999") | HERE
        if "ids" in given:
            ids = dict.fromkeys(ids, given.pop("ids"))
        # Those that need no token can hardly be refused.
        if route.scope is not None or kind in {"another method", "no such path"}:
            response = ask(secure, route, ids, **given)
            assert response.status_code < 500, (route.rule.rule, response.text)
            assert_protected(response, route.rule.rule)
            seen.add(response.status_code)
    assert seen & statuses


def test_on_what_nobody_foresaw(secure: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr("api.routes.courses.course_json", fail)
    response = secure.get(f"/api/v1/courses/{COURSE_ID}")
    assert response.status_code == 500
    assert_protected(response, "")


def test_a_host_of_somebodys_own_is_no_markup(api: Api) -> None:
    app = create_app(replace(api.settings, public_url=""))
    page = replace(api, app=app).get("/docs", None, headers={"Host": "x<img src=y>"})
    assert "<img" not in page.text
