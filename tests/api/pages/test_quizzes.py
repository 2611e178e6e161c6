"""The page of a course's quizzes: a line each, with figures where the statistics have been computed."""

from __future__ import annotations

import lxml.html
import pytest

from models.db.session import Database
from models.reports.tables import File
from tests.api.pages.browser import PAGES, Browser, link_for, text_of
from tests.api.pages.exams import HOSTILE, make_queued_reports, push_exam, sample_exam
from tests.factories import COURSE_ID, OTHER_COURSE_ID, QUIZ_ID, SURVEY_ID, Api, add_quiz
from tests.statements import statements_of
from workers.resources import Resources

QUIZZES = f"/courses/{COURSE_ID}/quizzes"


@pytest.fixture
def browser(api: Api) -> Browser:
    browser = Browser(api)
    browser.sign_in(link_for(api))
    return browser


def line_of(page: lxml.html.HtmlElement, quiz_id: int) -> lxml.html.HtmlElement:
    (found,) = page.xpath(f"//tbody/tr[.//a[contains(@href, '/quizzes/{quiz_id}/')]]")
    return found


def test_a_quiz_without_statistics_leads_to_where_they_are_computed(browser: Browser) -> None:
    page = browser.page(QUIZZES)
    assert "Not computed yet" in text_of(line_of(page, QUIZ_ID))
    assert line_of(page, QUIZ_ID).xpath(".//a/@href")[0].endswith(f"{PAGES}/items")
    assert "has no item analysis" in text_of(line_of(page, SURVEY_ID))
    assert line_of(page, SURVEY_ID).xpath(".//a/@href")[0].endswith(f"/quizzes/{SURVEY_ID}/reports")


def test_a_line_has_the_figures_of_the_statistics(
    api: Api, browser: Browser, database: Database, resources: Resources
) -> None:
    push_exam(database, *sample_exam(), title=HOSTILE[0])
    browser.page(f"{PAGES}/items")
    make_queued_reports(database, resources)
    line = line_of(browser.page(QUIZZES), QUIZ_ID)
    cells = [text_of(cell) for cell in line]
    assert cells == [HOSTILE[0], "200", "65%", "0.90", "2", ""]
    assert sum(float(bar.get("height")) > 0 for bar in line.xpath(".//rect")) == 16

    api.bring_new_data()
    assert "Newer data have come in since." in text_of(line_of(browser.page(QUIZZES), QUIZ_ID))


def test_a_quiz_without_responses_has_no_mean(
    browser: Browser, database: Database, resources: Resources
) -> None:
    browser.page(f"{PAGES}/items")
    make_queued_reports(database, resources)
    assert [text_of(cell) for cell in line_of(browser.page(QUIZZES), QUIZ_ID)][1:] == ["0", "–", "–", "0", ""]


def made_statistics(browser: Browser, database: Database, resources: Resources) -> File:
    browser.page(f"{PAGES}/items")
    make_queued_reports(database, resources)
    with database.transaction() as session:
        return session.query(File).one()


def test_statistics_whose_bytes_are_lost_are_not_shown(
    browser: Browser, database: Database, resources: Resources
) -> None:
    resources.store.delete(made_statistics(browser, database, resources).storage_key)
    assert "Not computed yet" in text_of(line_of(browser.page(QUIZZES), QUIZ_ID))


def test_statistics_that_another_release_wrote_are_not_shown(
    browser: Browser, database: Database, resources: Resources
) -> None:
    file = made_statistics(browser, database, resources)
    with resources.store.writer(file.storage_key) as writer:
        writer.write(b'{"psychometrics": {"quiz": {}}}'.ljust(file.size))
    assert "Not computed yet" in text_of(line_of(browser.page(QUIZZES), QUIZ_ID))


def test_the_number_of_statements_does_not_follow_that_of_the_quizzes(
    browser: Browser, database: Database, resources: Resources
) -> None:
    made_statistics(browser, database, resources)
    few = len(statements_of(lambda: browser.page(QUIZZES)))
    with database.transaction() as session:
        for number in range(5):
            add_quiz(session, 500 + number)

    assert len(statements_of(lambda: browser.page(QUIZZES))) == few


def test_many_quizzes_have_several_pages(browser: Browser, database: Database) -> None:
    with database.transaction() as session:
        for number in range(20):
            add_quiz(session, 500 + number)
    first, last = browser.page(QUIZZES), browser.page(f"{QUIZZES}?page=3")
    assert first.xpath("//a[@rel]/@rel") == ["next"]
    assert last.xpath("//a[@rel]/@rel") == ["prev"]
    assert len(first.xpath("//tbody/tr")) == 10
    assert len(last.xpath("//tbody/tr")) == 3
    assert "No quiz to show." in text_of(browser.page(f"{QUIZZES}?page=9"))


def test_another_course_is_not_shown(browser: Browser) -> None:
    assert browser.get(f"/courses/{OTHER_COURSE_ID}/quizzes").status_code == 401


def test_the_address_of_the_statistics_leads_to_the_item_analysis(browser: Browser) -> None:
    assert browser.get(f"{PAGES}/statistics").headers["Location"].endswith(f"{PAGES}/items")
