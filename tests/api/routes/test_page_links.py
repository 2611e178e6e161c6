"""Contract, sections 1 and 5: links to the pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from models.access.page_links import PageLink
from models.db.session import Database
from models.lms.courses import User
from tests.factories import COURSE_ID, OTHER_COURSE_ID, OTHER_QUIZ_ID, QUIZ_ID, SIS_COURSE_ID, Api

SCOPE = "url:POST|/api/v1/page_links"
PARAMS = {"user_id": 7, "course_id": COURSE_ID, "quiz_id": QUIZ_ID}


def request_link(api: Api, caller: str | None = "admin", **params: Any) -> Any:
    return api.post("/api/v1/page_links", caller, json={"page_link": {**PARAMS, **params}})


def test_an_administrator_gets_a_link_that_expires_in_a_minute(api: Api) -> None:
    body = request_link(api).json
    assert set(body) == {"url", "expires_at"}
    assert body["url"].startswith(
        f"http://quiz-reports.test/courses/{COURSE_ID}/quizzes/{QUIZ_ID}/sign_in?link="
    )
    seconds = (datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC)).total_seconds()
    assert 50 < seconds <= 61


def test_the_secret_is_not_stored(api: Api, database: Database) -> None:
    secret = request_link(api).json["url"].partition("link=")[2]
    with database.transaction() as session:
        (stored,) = session.scalars(select(PageLink.sha256))
    assert secret.encode() not in stored


def test_a_token_needs_the_scope_or_an_administrators_rights(api: Api) -> None:
    for caller in ("teacher", "ta", "student"):
        assert request_link(api, caller).status_code == 401
    for scopes, status in (([SCOPE], 200), (["url:GET|/api/v1/courses/:id"], 401)):
        headers = {"Authorization": f"Bearer {api.token(7, scopes=scopes)}"}
        response = api.post("/api/v1/page_links", None, json={"page_link": PARAMS}, headers=headers)
        assert response.status_code == status


def test_a_token_for_one_course_opens_no_other(api: Api) -> None:
    token = api.token(1, admin=True, course_ids=[OTHER_COURSE_ID])
    headers = {"Authorization": f"Bearer {token}"}
    response = api.post("/api/v1/page_links", None, json={"page_link": PARAMS}, headers=headers)
    assert response.status_code == 403


def test_ids_come_in_canvas_spellings(api: Api, database: Database) -> None:
    with database.transaction() as session:
        session.get_one(User, 7).sis_user_id = "s0007"
    assert request_link(api, user_id="sis_user_id:s0007").status_code == 200
    assert request_link(api, course_id=f"sis_course_id:{SIS_COURSE_ID}").status_code == 200
    assert request_link(api, user_id="7", quiz_id=str(QUIZ_ID)).status_code == 200
    assert request_link(api, user_id=7.0, quiz_id=float(QUIZ_ID)).status_code == 200
    form = {f"page_link[{name}]": str(value) for name, value in PARAMS.items()}
    assert api.post("/api/v1/page_links", "admin", data=form).status_code == 200
    token = api.token(7, scopes=[SCOPE])
    own = {"page_link": {**PARAMS, "user_id": "self"}}
    headers = {"Authorization": f"Bearer {token}"}
    assert api.post("/api/v1/page_links", None, json=own, headers=headers).status_code == 200


def test_an_sis_id_that_two_users_of_the_course_have_names_neither(api: Api, database: Database) -> None:
    with database.transaction() as session:
        for user_id in (7, 10):
            session.get_one(User, user_id).sis_user_id = "s0007"
    assert request_link(api, user_id="sis_user_id:s0007").status_code == 404


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"user_id": 10}, 403),
        ({"user_id": 14}, 403),
        ({"user_id": 999}, 404),
        ({"user_id": "sis_user_id:"}, 404),
        ({"course_id": 999}, 404),
        ({"quiz_id": 999}, 404),
        ({"quiz_id": OTHER_QUIZ_ID}, 404),
        ({"quiz_id": "x"}, 404),
        ({"quiz_id": None}, 400),
        ({"user_id": [7]}, 400),
        ({"course_id": True}, 400),
        ({"user_id": 7.5}, 400),
    ],
)
def test_others_get_none(api: Api, params: dict[str, Any], status: int) -> None:
    assert request_link(api, **params).status_code == status
