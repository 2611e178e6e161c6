"""Tokens that are limited to courses, and downloads that count against the limit of the token behind them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api.app import create_app
from api.rate_limit import RateLimit
from api.services import Services
from api.verifiers import Verifiers
from tests.factories import (
    COURSE_ID,
    OTHER_COURSE_ID,
    OTHER_QUIZ_ID,
    OTHER_SECTION_ID,
    QUIZ_ID,
    SIS_COURSE_ID,
    Api,
    reports_path,
)
from tests.payloads import quiz

QUIZ = {"quiz": quiz(assignment_id=None, questions=[])}
COURSE = f"/api/v1/courses/{COURSE_ID}"
OTHER = f"/api/v1/courses/{OTHER_COURSE_ID}"


@pytest.fixture
def api(api: Api) -> Api:
    """A school with a caller `pusher`, who may do everything in one course."""
    pusher = api.token(1, admin=True, course_ids=[COURSE_ID])
    return replace(api, tokens={**api.tokens, "pusher": pusher})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"course": {"name": "Biology"}}),
        (f"/quizzes/{QUIZ_ID}", QUIZ),
        (f"/quizzes/{QUIZ_ID}/submissions", {"quiz_submissions": []}),
    ],
)
def test_it_pushes_into_its_course(api: Api, path: str, body: object) -> None:
    for course in (COURSE_ID, f"sis_course_id:{SIS_COURSE_ID}"):
        assert api.call("PUT", f"/api/v1/courses/{course}{path}", "pusher", json=body).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (OTHER, {"course": {"name": "Biology"}}),
        ("/api/v1/courses/999", {"course": {"name": "New"}}),
        (f"{OTHER}/quizzes/{OTHER_QUIZ_ID}", QUIZ),
        (f"{OTHER}/quizzes/{QUIZ_ID}", QUIZ),
        (f"{OTHER}/quizzes/{OTHER_QUIZ_ID}/submissions", {"quiz_submissions": []}),
    ],
)
def test_it_pushes_into_no_other(api: Api, path: str, body: object) -> None:
    assert api.call("PUT", path, "pusher", json=body).status_code == 403


def test_it_takes_no_section_from_another(api: Api) -> None:
    pushed = {"course": {"sections": [{"id": OTHER_SECTION_ID, "name": "Taken"}]}}

    response = api.call("PUT", COURSE, "pusher", json=pushed)

    assert response.status_code == 422
    assert response.json["errors"][0]["place"] == "course.sections[0].id"
    assert api.call("PUT", COURSE, "admin", json=pushed).status_code == 200


def test_it_reads_nothing_of_another(api: Api) -> None:
    report = api.generated("admin")
    theirs = api.post(reports_path(OTHER_QUIZ_ID, OTHER_COURSE_ID), "admin", json={"quiz_report": _WISH}).json
    api.finish(theirs["id"])
    theirs = api.get(f"{reports_path(OTHER_QUIZ_ID, OTHER_COURSE_ID)}/{theirs['id']}", "admin").json

    assert api.get(COURSE, "pusher").status_code == 200
    assert api.get(f"/api/v1/files/{report['file']['id']}", "pusher").status_code == 200
    assert api.get(OTHER, "pusher").status_code == 403
    assert api.get(reports_path(OTHER_QUIZ_ID, OTHER_COURSE_ID), "pusher").status_code == 403
    assert api.get(f"/api/v1/files/{theirs['file']['id']}", "pusher").status_code == 404
    assert (
        api.get(f"/api/v1/progress/{theirs['progress_url'].rsplit('/', 1)[1]}", "pusher").status_code == 404
    )


_WISH = {"report_type": "student_analysis"}


def test_downloads_by_verifier_count_for_the_token_that_got_it(api: Api) -> None:
    url = api.generated()["file"]["url"]
    settings = replace(api.settings, rate_limit=3)
    app = create_app(settings)
    Services.of(app).rate_limit.close()
    # A minute that does not end while the test runs.
    Services.of(app).rate_limit = RateLimit(settings, clock=lambda: 600.0)
    limited = replace(api, app=app, settings=settings)

    responses = [limited.get(url, caller=None).status_code for _ in range(4)]

    assert responses == [200, 200, 200, 429]
    assert limited.get(COURSE, "teacher").status_code == 429
    assert limited.get(COURSE, "ta").status_code == 200
    Services.of(app).close()


def test_the_verifier_tells_nothing_of_the_token(api: Api) -> None:
    url = api.generated()["file"]["url"]
    signed = Verifiers(api.settings.secret_key).read(url.split("verifier=")[1])

    assert signed is not None
    mine = RateLimit(api.settings).key(api.tokens["teacher"])
    theirs = RateLimit(replace(api.settings, secret_key="another secret")).key(api.tokens["teacher"])
    assert signed.rate_limit_key == mine
    assert mine != theirs
