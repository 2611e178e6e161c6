"""Contract, section 5: who may do what; every route, every kind of caller, with and without scopes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from api.auth import PAGE_LINKS_SCOPE, authorized, scope_of
from models.access.tokens import list_tokens, revoke_token
from tests.factories import ASSIGNMENT_ID, CALLERS, COURSE_ID, QUIZ_ID, Api, reports_path
from workers.generation import generate
from workers.resources import Resources

REPORTS = reports_path()
READERS = {"teacher", "second_teacher", "ta", "admin"}
JSON = {"quiz_report": {"report_type": "item_analysis", "format": "csv"}}
# Without a scope: they need no token, or are told what they may do by other means.
OPEN = {"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/docs/<page_part>"}


@dataclass(frozen=True)
class Route:
    """A route as a caller uses it who is not asked for anything else."""

    method: str
    path: str
    scope: str
    status: int = 200
    needs: str = ""
    json: Any = None


_QUIZ = f"/api/v1/courses/{COURSE_ID}/quizzes/{QUIZ_ID}"
_IN_QUIZ = "/api/v1/courses/:course_id/quizzes/:quiz_id"
_IN_COURSE = f"{_IN_QUIZ}/reports"
ROUTES = [
    Route("GET", REPORTS, f"url:GET|{_IN_COURSE}"),
    Route("POST", REPORTS, f"url:POST|{_IN_COURSE}", json=JSON),
    Route("GET", REPORTS + "/{report}", f"url:GET|{_IN_COURSE}/:id", needs="queued"),
    Route("DELETE", REPORTS + "/{report}", f"url:DELETE|{_IN_COURSE}/:id", 204, needs="queued"),
    Route("GET", "/api/v1/progress/{progress}", "url:GET|/api/v1/progress/:id", needs="queued"),
    Route("GET", "/api/v1/files/{file}", "url:GET|/api/v1/files/:id", needs="generated"),
    Route("GET", "/files/{file}/download", "url:GET|/api/v1/files/:id", needs="generated"),
    Route("GET", f"/api/v1/courses/{COURSE_ID}", "url:GET|/api/v1/courses/:id"),
    Route("GET", f"/api/v1/courses/{COURSE_ID}/quizzes", "url:GET|/api/v1/courses/:course_id/quizzes"),
    Route(
        "GET",
        f"/api/v1/courses/{COURSE_ID}/quizzes/{QUIZ_ID}",
        "url:GET|/api/v1/courses/:course_id/quizzes/:id",
    ),
    Route("GET", f"/api/v1/courses/{COURSE_ID}/sections", "url:GET|/api/v1/courses/:course_id/sections"),
    Route("GET", f"{_QUIZ}/questions", f"url:GET|{_IN_QUIZ}/questions"),
    Route("GET", f"{_QUIZ}/submissions", f"url:GET|{_IN_QUIZ}/submissions"),
    Route("GET", f"{_QUIZ}/statistics", f"url:GET|{_IN_QUIZ}/statistics", needs="statistics"),
    Route(
        "POST",
        f"/api/quiz/v1/courses/{COURSE_ID}/quizzes/{ASSIGNMENT_ID}/reports",
        "url:POST|/api/quiz/v1/courses/:course_id/quizzes/:assignment_id/reports",
        201,
        json=JSON,
    ),
]
CANCEL = Route(
    "POST", "/api/v1/progress/{progress}/cancel", "url:POST|/api/v1/progress/:id/cancel", needs="queued"
)
EVERY_ROUTE = pytest.mark.parametrize(
    "route", [*ROUTES, CANCEL], ids=lambda route: f"{route.method} {route.path}"
)


@pytest.fixture
def prepared(api: Api, resources: Resources) -> Callable[[Route], dict[str, Any]]:
    """Give the request of a route, after making the report or the statistics that it needs."""

    def prepare(route: Route) -> dict[str, Any]:
        ids: dict[str, Any] = {}
        if route.needs == "statistics":
            generate(resources, *api.queue_statistics())
        elif route.needs:
            report = api.post(REPORTS, json=JSON).json
            ids = {"report": report["id"], "progress": report["progress_url"].rsplit("/", 1)[1]}
        if route.needs == "generated":
            api.finish(ids["report"])
            ids["file"] = api.report(ids["report"]).file_id
        return {"method": route.method, "path": route.path.format(**ids), "json": route.json}

    return prepare


Prepared = Callable[[Route], dict[str, Any]]


# Without an active role in the course: what they find by its own id alone is not there for them.
OUTSIDERS = {"former_teacher", "invited_teacher", "removed_teacher", "other_teacher", "stranger"}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
@pytest.mark.contract("5 Permission", "every route, every kind of caller")
def test_readers_of_statistics_only(api: Api, prepared: Prepared, route: Route, caller: str) -> None:
    response = api.call(caller=caller, **prepared(route))
    if caller in READERS:
        assert response.status_code == route.status, response.text
    elif caller in OUTSIDERS and "/courses/" not in route.path:
        assert response.status_code == 404
    else:
        assert response.status_code == 403
        assert response.json == {
            "status": "unauthorized",
            "errors": [{"message": "user not authorized to perform that action"}],
        }


@pytest.mark.parametrize("caller", CALLERS)
def test_only_its_owner_and_administrators_cancel_a_job(api: Api, prepared: Prepared, caller: str) -> None:
    response = api.call(caller=caller, **prepared(CANCEL))
    refused = 404 if caller in OUTSIDERS else 403
    assert response.status_code == (200 if caller in {"teacher", "admin"} else refused)


@EVERY_ROUTE
@pytest.mark.contract("5 Permission", "with and without the route's scope")
def test_a_token_with_the_scope_may(api: Api, prepared: Prepared, route: Route) -> None:
    token = api.token(CALLERS["teacher"][0], scopes=["url:GET|/something/else", route.scope])
    response = api.call(caller=None, headers={"Authorization": f"Bearer {token}"}, **prepared(route))
    assert response.status_code == route.status


@EVERY_ROUTE
@pytest.mark.contract("5 Permission", "with and without the route's scope")
def test_a_token_with_other_scopes_may_not(api: Api, prepared: Prepared, route: Route) -> None:
    others = [other.scope for other in [*ROUTES, CANCEL] if other.scope != route.scope]
    for options in ({}, {"admin": True}):
        token = api.token(CALLERS["teacher"][0], scopes=others, **options)
        response = api.call(caller=None, headers={"Authorization": f"Bearer {token}"}, **prepared(route))
        assert response.status_code == 401
        assert response.json == {"errors": [{"message": "Insufficient scopes on access token."}]}
        assert "WWW-Authenticate" not in response.headers
        if route.needs:
            break


@EVERY_ROUTE
@pytest.mark.contract("5 Errors", "no credentials, a bad token: to the word, with WWW-Authenticate")
def test_no_credentials(api: Api, prepared: Prepared, route: Route) -> None:
    response = api.call(caller=None, **prepared(route))
    assert response.status_code == 401
    assert response.json == {
        "status": "unauthenticated",
        "errors": [{"message": "user authorization required"}],
    }
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="canvas-lms"'


@EVERY_ROUTE
@pytest.mark.contract("5 Errors", "no credentials, a bad token: to the word, with WWW-Authenticate")
def test_a_bad_token(api: Api, prepared: Prepared, route: Route) -> None:
    response = api.call(caller=None, headers={"Authorization": "Bearer nonsense"}, **prepared(route))
    assert response.status_code == 401
    assert response.json == {"errors": [{"message": "Invalid access token."}]}
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="canvas-lms"'


@pytest.mark.contract("1 Routes", "every route has a scope spelled after its path")
def test_every_route_declares_a_scope_spelled_after_its_path(api: Api) -> None:
    for rule, scope in _scopes(api.app):
        assert scope is not None, rule
        method, path = scope.removeprefix("url:").split("|")
        assert method in rule.methods
        if not rule.rule.startswith("/files/"):
            spelled, declared = (re.sub(r"<\w+>|:\w+", "*", text) for text in (rule.rule, path))
            assert spelled == declared


def test_the_tables_here_name_every_route(api: Api) -> None:
    declared = {
        scope for _, scope in _scopes(api.app) if scope is not None and not scope.startswith("url:PUT")
    }
    # Page links are given to administrators and tokens with their scope only, as test_page_links shows.
    assert declared - {PAGE_LINKS_SCOPE} == {route.scope for route in [*ROUTES, CANCEL]}


def _scopes(app: Flask) -> list[tuple[Any, str | None]]:
    # Pages have sessions in place of tokens.
    rules = [
        rule
        for rule in app.url_map.iter_rules()
        if rule.rule not in OPEN and not rule.rule.startswith(("/courses/", "/pages/"))
    ]
    return [(rule, scope_of(app.view_functions[rule.endpoint])) for rule in rules]


class TestTokens:
    PATH = f"/api/v1/courses/{COURSE_ID}"

    @pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER   "])
    @pytest.mark.contract("5 Tokens", "opaque tokens: in header, query, form; expiry; revocable at once")
    def test_in_the_header(self, api: Api, scheme: str) -> None:
        headers = {"Authorization": scheme + api.tokens["teacher"]}
        assert api.get(self.PATH, None, headers=headers).status_code == 200

    @pytest.mark.contract("5 Tokens", "opaque tokens: in header, query, form; expiry; revocable at once")
    def test_in_the_query(self, api: Api) -> None:
        assert api.get(f"{self.PATH}?access_token={api.tokens['teacher']}", None).status_code == 200

    @pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data"])
    @pytest.mark.contract("5 Tokens", "opaque tokens: in header, query, form; expiry; revocable at once")
    def test_in_a_form(self, api: Api, content_type: str) -> None:
        form = {"access_token": api.tokens["teacher"], "quiz_report[report_type]": "item_analysis"}
        assert api.post(REPORTS, None, data=form, content_type=content_type).status_code == 200

    def test_the_header_stands_before_the_query(self, api: Api) -> None:
        path = f"{self.PATH}?access_token={api.tokens['student']}"
        assert api.get(path, "teacher").status_code == 200

    @pytest.mark.parametrize("header", ["Basic dTpw", "Bearer", "Bearer ", "", "nonsense", "Bearer a b"])
    def test_what_holds_no_bearer_token_is_no_credential(self, api: Api, header: str) -> None:
        response = api.get(self.PATH, None, headers={"Authorization": header})
        assert (response.status_code, response.json["status"]) == (401, "unauthenticated")

    @pytest.mark.contract("5 Tokens", "opaque tokens: in header, query, form; expiry; revocable at once")
    def test_an_expired_token(self, api: Api) -> None:
        headers = {"Authorization": f"Bearer {api.token(7, expires_days=-1)}"}
        assert (
            api.get(self.PATH, None, headers=headers).json["errors"][0]["message"] == "Invalid access token."
        )

    def test_a_token_that_expires_later(self, api: Api) -> None:
        headers = {"Authorization": f"Bearer {api.token(7, expires_days=1)}"}
        assert api.get(self.PATH, None, headers=headers).status_code == 200

    @pytest.mark.contract("5 Tokens", "opaque tokens: in header, query, form; expiry; revocable at once")
    def test_a_revoked_token_is_refused_at_once(self, api: Api) -> None:
        assert api.get(self.PATH).status_code == 200
        with api.database.transaction() as session:
            for token in list_tokens(session):
                revoke_token(session, token.id)
        assert api.get(self.PATH).json["errors"][0]["message"] == "Invalid access token."

    @pytest.mark.parametrize("token", ["qr_" + "x" * 43, "qr_%00", "a.b.c", "x" * 10_000, "ü"])
    def test_invented_tokens(self, api: Api, token: str) -> None:
        response = api.get(f"{self.PATH}?access_token={token}", None)
        assert response.json == {"errors": [{"message": "Invalid access token."}]}


class TestOrderOfChecks:
    @pytest.mark.contract(
        "5 Permission", "checks in order: 401, scope, the course's 404, 403, the rest's 404"
    )
    def test_credentials_before_anything_else(self, api: Api) -> None:
        for path in ("/api/v1/courses/999", "/api/v1/progress/999", "/api/v1/files/x", f"{REPORTS}/999"):
            assert api.get(path, None).status_code == 401
        assert api.post(REPORTS, None, data=b"{", content_type="application/json").status_code == 401

    @pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nonsense"}], ids=["none", "invalid"])
    def test_credentials_before_the_body_is_received(self, api: Api, headers: dict[str, str]) -> None:
        # Without an input, reading the body would be a bad request.
        environ = {"wsgi.input": None, "CONTENT_LENGTH": "100"}
        given: dict[str, Any] = {"content_type": "application/json", "environ_overrides": environ}
        assert api.post(REPORTS, None, headers=headers, **given).status_code == 401
        assert api.post(REPORTS, **given).status_code == 400

    @pytest.mark.contract(
        "5 Permission", "checks in order: 401, scope, the course's 404, 403, the rest's 404"
    )
    def test_scope_before_the_courses_404(self, api: Api) -> None:
        token = api.token(7, scopes=["url:GET|/api/v1/files/:id"])
        response = api.get("/api/v1/courses/999", None, headers={"Authorization": f"Bearer {token}"})
        assert response.json["errors"][0]["message"] == "Insufficient scopes on access token."

    @pytest.mark.contract(
        "5 Permission", "checks in order: 401, scope, the course's 404, 403, the rest's 404"
    )
    def test_the_courses_404_before_403(self, api: Api) -> None:
        assert api.get(reports_path(course_id=999), "student").status_code == 404

    @pytest.mark.contract(
        "5 Permission", "checks in order: 401, scope, the course's 404, 403, the rest's 404"
    )
    def test_403_before_the_rests_404(self, api: Api) -> None:
        for path in (reports_path(999), reports_path("x"), f"{REPORTS}/999", f"{REPORTS}/x"):  # type: ignore[arg-type]
            assert api.get(path, "student").status_code == 403
            assert api.get(path, "teacher").status_code == 404

    def test_404_before_400(self, api: Api) -> None:
        assert api.post(reports_path(999), json={}).status_code == 404
        assert api.post(reports_path(999), "student", data=b"{", content_type="text/plain").status_code == 403


class TestSisIds:
    @pytest.mark.contract("5 Permission", "SIS ids are not for TAs")
    def test_a_report_with_sis_ids_is_not_a_tas(self, api: Api) -> None:
        report = api.generated("teacher")
        progress = f"/api/v1/progress/{api.report(report['id']).progress_id}"
        file = f"/api/v1/files/{report['file']['id']}"
        for path in (f"{REPORTS}/{report['id']}", progress, file, f"/files/{report['file']['id']}/download"):
            assert api.get(path, "ta").status_code == 403, path
            assert api.get(path, "second_teacher").status_code == 200, path
        assert api.delete(f"{REPORTS}/{report['id']}", "ta").status_code == 403

    def test_a_report_without_them_is_a_teachers_too(self, api: Api) -> None:
        report = api.generated("ta")
        assert api.get(f"{REPORTS}/{report['id']}", "teacher").json["includes_sis_ids"] is False

    @pytest.mark.contract(
        "2 QuizReport", "SIS ids follow the caller; two callers of different rights never share a file"
    )
    def test_two_callers_with_different_rights_never_share_a_file(self, api: Api) -> None:
        files = {api.generated(caller)["file"]["id"] for caller in ("teacher", "ta")}
        assert len(files) == 2

    @pytest.mark.contract("5 Permission", "SIS ids are not for TAs")
    def test_the_courses_sis_id_is_shown_by_permission(self, api: Api) -> None:
        path = f"/api/v1/courses/{COURSE_ID}"
        assert api.get(path, "teacher").json["sis_course_id"] == "2026-BIO-101"
        assert api.get(path, "admin").json["sis_course_id"] == "2026-BIO-101"
        assert "sis_course_id" not in api.get(path, "ta").json


@pytest.mark.contract("5 Permission", "ids of another course lead nowhere, in every position")
def test_ids_of_another_course_in_every_position(api: Api) -> None:
    """Another course's teacher reaches nothing of this one by putting its ids below their own course."""
    report = api.generated()
    for path in (
        f"/api/v1/courses/102/quizzes/{QUIZ_ID}",
        reports_path(QUIZ_ID, 102),
        f"{reports_path(QUIZ_ID, 102)}/{report['id']}",
        f"{reports_path(301, 102)}/{report['id']}",
    ):
        assert api.get(path, "other_teacher").status_code == 404, path
    other = f"/api/quiz/v1/courses/102/quizzes/{ASSIGNMENT_ID}/reports"
    assert api.post(other, "other_teacher", json=JSON).status_code == 404
    for path in (
        f"/api/v1/progress/{api.report(report['id']).progress_id}",
        f"/api/v1/files/{report['file']['id']}",
        f"/files/{report['file']['id']}/download",
    ):
        assert api.get(path, "other_teacher").status_code == 404, path
        assert api.get(path, "student").status_code == 403, path


def test_a_route_without_a_scope_cannot_check_a_token(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.tokens['admin']}"}
    with (
        api.app.test_request_context("/healthz", headers=headers),
        api.database.transaction() as session,
        pytest.raises(RuntimeError, match=r"health.alive declares no scope"),
    ):
        authorized(session)
