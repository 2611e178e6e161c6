"""Signing in to the pages: a link works once, and its session shows what the roster allows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from models.access.page_links import LINK_SECONDS, PageLink
from models.db.session import Database
from models.lms.courses import Enrollment, EnrollmentState
from models.settings import Settings
from tests.api.pages.browser import PAGES, Browser, link_for, text_of
from tests.factories import COURSE_ID, OTHER_COURSE_ID, OTHER_QUIZ_ID, QUIZ_ID, Api, open_api


@pytest.fixture
def browser(api: Api) -> Browser:
    return Browser(api)


def test_a_link_leads_to_the_reports(api: Api, browser: Browser) -> None:
    response = browser.sign_in(link_for(api))
    assert (response.status_code, response.headers["Location"]) == (
        303,
        f"{api.settings.public_url}{PAGES}/reports",
    )
    assert "Student Analysis" in text_of(browser.page())


def test_the_address_of_a_quiz_leads_to_its_reports(api: Api, browser: Browser) -> None:
    browser.sign_in(link_for(api))
    assert browser.get(PAGES).headers["Location"].endswith(f"{PAGES}/reports")


def test_the_cookie_reaches_only_the_pages_of_its_course(api: Api, browser: Browser) -> None:
    cookie = browser.sign_in(link_for(api)).headers["Set-Cookie"]
    attributes = {part.strip() for part in cookie.split(";")[1:]}
    assert {"HttpOnly", f"Path=/courses/{COURSE_ID}", "SameSite=Lax", "Max-Age=7200"} <= attributes
    assert browser.get(f"/courses/{OTHER_COURSE_ID}/quizzes/{OTHER_QUIZ_ID}/reports").status_code == 401


def test_the_api_accepts_no_cookie(api: Api, browser: Browser) -> None:
    value = browser.sign_in(link_for(api)).headers["Set-Cookie"].split(";")[0]
    response = api.get(f"/api/v1{PAGES}/reports", None, headers={"Cookie": value})
    assert response.status_code == 401


def test_a_link_works_once(api: Api, browser: Browser) -> None:
    link = link_for(api)
    browser.sign_in(link)
    second = Browser(api)
    response = second.sign_in(link)
    assert response.status_code == 401
    assert "works once" in response.text


def test_of_many_browsers_at_once_one_is_signed_in(api: Api) -> None:
    link = link_for(api)
    with ThreadPoolExecutor(8) as threads:
        statuses = list(
            threads.map(lambda browser: browser.sign_in(link).status_code, [Browser(api) for _ in range(8)])
        )
    assert sorted(statuses) == [303] + [401] * 7


def test_a_link_expires_after_a_minute(api: Api, browser: Browser, database: Database) -> None:
    link = link_for(api)
    with database.transaction() as session:
        session.execute(
            update(PageLink).values(expires_at=PageLink.expires_at - timedelta(seconds=LINK_SECONDS))
        )
    assert browser.sign_in(link).status_code == 401


def test_looking_whether_a_link_exists_does_not_use_it_up(api: Api, browser: Browser) -> None:
    link = link_for(api)
    browser.client.head(link, base_url=api.settings.public_url)
    assert browser.sign_in(link).status_code == 303


@pytest.mark.parametrize("secret", ["", "x", "\0", "é", "a" * 2000])
def test_a_guess_signs_nobody_in(browser: Browser, secret: str) -> None:
    response = browser.get(f"{PAGES}/sign_in", query_string={"link": secret})
    assert response.status_code == 401
    assert "Set-Cookie" not in response.headers


def test_a_link_opens_its_own_quiz_and_course_only(api: Api, browser: Browser) -> None:
    secret = link_for(api).partition("?")[2]
    for path in (
        f"/courses/{COURSE_ID}/quizzes/{OTHER_QUIZ_ID}",
        f"/courses/{OTHER_COURSE_ID}/quizzes/{QUIZ_ID}",
    ):
        assert browser.get(f"{path}/sign_in?{secret}").status_code == 401


def test_signing_in_begins_a_session_of_its_own(api: Api, browser: Browser) -> None:
    planted = Browser(api)
    cookie = planted.sign_in(link_for(api)).headers["Set-Cookie"].split(";")[0]
    (token, *_) = planted.page().xpath("//input[@name = 'form_token']/@value")

    response = browser.get(link_for(api), headers={"Cookie": cookie})

    assert response.headers["Set-Cookie"].split(";")[0] != cookie
    fields = {"quiz_report[report_type]": "student_analysis", "form_token": str(token)}
    assert browser.post(f"{PAGES}/reports", **fields).status_code == 403


@pytest.mark.parametrize("name", ["next", "url", "return_to"])
def test_signing_in_leads_nowhere_else(api: Api, browser: Browser, name: str) -> None:
    response = browser.sign_in(f"{link_for(api)}&{name}=https://elsewhere.example")
    assert response.headers["Location"] == f"{api.settings.public_url}{PAGES}/reports"


def test_who_leaves_the_course_sees_nothing_more(api: Api, browser: Browser, database: Database) -> None:
    browser.sign_in(link_for(api))
    with database.transaction() as session:
        session.execute(
            update(Enrollment)
            .where(Enrollment.user_id == 7)
            .values(enrollment_state=EnrollmentState.COMPLETED)
        )
    assert browser.get(f"{PAGES}/reports").status_code == 403


def test_below_a_path_of_the_public_address_the_pages_work_as_well(
    settings: Settings, database: Database
) -> None:
    with open_api(replace(settings, public_url="https://school.test/quiz-reports"), database) as api:
        browser = Browser(api)
        cookie = browser.sign_in(link_for(api)).headers["Set-Cookie"]
        assert f"Path=/quiz-reports/courses/{COURSE_ID};" in f"{cookie};"
        assert "Student Analysis" in text_of(browser.page())


class TestInFrames:
    @pytest.fixture
    def framed(self, settings: Settings, database: Database) -> Iterator[Api]:
        origins = ("https://lms.example.edu",)
        with open_api(replace(settings, page_frame_origins=origins), database) as api:
            yield api

    def test_the_named_hosts_may_frame_the_pages(self, framed: Api) -> None:
        browser = Browser(framed)
        cookie = browser.sign_in(link_for(framed)).headers["Set-Cookie"]
        assert {"Secure", "SameSite=None", "Partitioned"} <= {part.strip() for part in cookie.split(";")}
        response = browser.get(f"{PAGES}/reports", headers={"Cookie": cookie.split(";")[0]})
        assert "frame-ancestors https://lms.example.edu" in response.headers["Content-Security-Policy"]
