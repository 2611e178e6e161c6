"""The page of the item analysis: what a teacher reads of a made-up exam with a wrong key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from models.db.session import Database
from models.lms.courses import EnrollmentType, User
from models.reports.tables import QuizReport, ReportState
from models.settings import Settings
from ops.sample.loading import sample_quizzes
from tests.api.pages.browser import PAGES, Browser, buttons, link_for, text_of
from tests.factories import COURSE_ID, QUIZ_ID, Api, enroll
from tests.lms import Lms
from workers.generation import generate
from workers.resources import Resources

ITEMS = f"{PAGES}/items"
WRONG_KEY, NEVER_CHOSEN, TOO_EASY = 17, 8, 5


@pytest.fixture
def resources(settings: Settings) -> Iterator[Resources]:
    resources = Resources(settings)
    yield resources
    resources.snapshots.close()
    resources.database.dispose()


@pytest.fixture
def exam(api: Api, database: Database) -> Api:
    """The exam of the sample course, as a quiz of the school."""
    (sample,) = (quiz for quiz in sample_quizzes() if quiz.name == "exam")
    with database.transaction() as session:
        for submission in sample.submissions:
            session.add(User(id=submission["user_id"], name="A student"))
            session.flush()
            enroll(session, submission["user_id"], EnrollmentType.STUDENT)
    lms = Lms(database)
    lms.patch_quiz(QUIZ_ID, COURSE_ID, points_possible=40.0, questions=sample.definition["questions"])
    lms.put_attempts(*sample.submissions, quiz_id=QUIZ_ID, course_id=COURSE_ID)
    return api


@pytest.fixture
def browser(exam: Api) -> Browser:
    browser = Browser(exam)
    browser.sign_in(link_for(exam))
    return browser


def make_statistics(api: Api, resources: Resources) -> None:
    with api.database.transaction() as session:
        live = [r for r in session.scalars(select(QuizReport)) if r.state is ReportState.QUEUED]
    for report in live:
        assert report.progress_id is not None
        generate(resources, report.id, report.progress_id)


def section_of(page: Any, number: int) -> Any:
    (found,) = page.xpath(
        f"//section[contains(@class, 'item')][.//span[@class = 'number' and . = '{number}']]"
    )
    return found


def test_the_first_look_shows_that_the_statistics_are_computed(browser: Browser) -> None:
    page = browser.page(ITEMS)
    assert "The statistics are being computed." in text_of(page)
    assert page.xpath("//*[@data-live and @data-reload]")


def test_the_page_finds_what_is_wrong_with_the_exam(
    exam: Api, browser: Browser, resources: Resources
) -> None:
    browser.page(ITEMS)
    make_statistics(exam, resources)

    page = browser.page(ITEMS)
    findings = text_of(page.get_element_by_id("findings").getparent())
    assert f"Question {WRONG_KEY}" in findings
    assert "Heterozygous" in findings
    assert "Cell wall" in text_of(section_of(page, NEVER_CHOSEN))
    assert section_of(page, TOO_EASY).xpath(".//*[contains(@class, 'remark')]")
    # Each dot of the scatter is a link to an item of the page.
    links = [str(link.get("href")) for link in page.xpath("//*[contains(@class, 'xy-graph')]//a")]
    assert len(links) == 40
    assert {link.removeprefix("#") for link in links} <= set(page.xpath("//section/@id"))


def test_questions_are_sorted_and_filtered(exam: Api, browser: Browser, resources: Resources) -> None:
    browser.page(ITEMS)
    make_statistics(exam, resources)

    def numbers(**choices: str) -> list[str]:
        page = browser.page(ITEMS, query_string=choices)
        return list(page.xpath("//span[@class = 'number']/text()"))

    assert numbers() == [str(number) for number in range(1, 41)]
    assert numbers(sort="item_rest_correlation")[0] == str(WRONG_KEY)
    assert numbers(sort="facility")[-1] == str(TOO_EASY)
    assert str(WRONG_KEY) in numbers(findings="1")
    assert numbers(sort="x", attempts="y", section_ids="z") == numbers()


def test_the_page_is_light_and_runs_nothing_of_its_own(
    exam: Api, browser: Browser, resources: Resources
) -> None:
    browser.page(ITEMS)
    make_statistics(exam, resources)
    page = browser.get(ITEMS)
    assert len(page.data) < 150_000
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert b"style=" not in page.data
    assert b"<script>" not in page.data


def test_an_empty_quiz_has_a_page(api: Api, resources: Resources) -> None:
    browser = Browser(api)
    browser.sign_in(link_for(api))
    browser.page(ITEMS)
    make_statistics(api, resources)
    page = browser.page(ITEMS)
    assert "No question to show." in text_of(page)
    assert buttons(page, "Show")
