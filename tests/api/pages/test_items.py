"""The page of the item analysis: what a teacher reads of a made-up exam with a wrong key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lxml.html
import pytest
from flask import Flask
from sqlalchemy import select, update

from api.translations import LANGUAGES
from models.db.session import Database
from models.lms.courses import Section
from models.reports.tables import QuizReport, ReportState
from models.reports.variants import MOST_SECTIONS
from models.settings import Settings
from tests.api.pages.browser import PAGES, Browser, buttons, link_for, text_of
from tests.api.pages.exams import (
    HOSTILE,
    hostile_exam,
    long_exam,
    make_queued_reports,
    push_exam,
    sample_exam,
)
from tests.factories import COURSE_ID, QUIZ_ID, SURVEY_ID, Api, ApiResponse, add_school
from tests.servers import KeptRows
from workers.resources import Resources

ITEMS = f"{PAGES}/items"
Tokens = Mapping[str, str]
WRONG_KEY, NEVER_CHOSEN, TOO_EASY = 17, 8, 5


@pytest.fixture(scope="session")
def exam_rows(migrated_database: Database) -> KeptRows[Tokens]:
    """The rows of the school with the exam, and the tokens of the callers."""
    return KeptRows(migrated_database.engine, "exam")


@pytest.fixture
def exam(app: Flask, settings: Settings, database: Database, exam_rows: KeptRows[Tokens]) -> Api:
    """The exam of the sample course, as a quiz of the school."""

    def add() -> Tokens:
        with database.transaction() as session:
            tokens = add_school(session)
        push_exam(database, *sample_exam())
        return tokens

    return Api(app, settings, database, exam_rows.put(add))


@pytest.fixture
def browser(exam: Api) -> Browser:
    browser = Browser(exam)
    browser.sign_in(link_for(exam))
    return browser


def shown_items(api: Api, resources: Resources) -> ApiResponse:
    """Return the page once the statistics are there."""
    browser = Browser(api)
    browser.sign_in(link_for(api))
    browser.page(ITEMS)
    make_queued_reports(api.database, resources)
    return browser.get(ITEMS)


def section_of(page: Any, number: int) -> Any:
    (found,) = page.xpath(
        f"//section[contains(@class, 'item')][.//span[@class = 'number' and . = '{number}']]"
    )
    return found


def test_the_first_look_shows_that_the_statistics_are_computed(browser: Browser) -> None:
    page = browser.page(ITEMS)
    assert "The statistics are being computed." in text_of(page)
    assert page.xpath("//*[@data-live and @data-reload]")


def test_a_failure_is_shown_until_its_button_starts_the_job_again(exam: Api, browser: Browser) -> None:
    chosen = {"sort": "facility", "attempts": "last", "findings": "1"}
    browser.page(ITEMS, query_string=chosen)
    queued = fail_queued(exam, "The disk is full. Reference: abc")
    for _ in range(2):
        page = browser.page(ITEMS, query_string=chosen)
        assert "The disk is full. Reference: abc" in text_of(page)
        assert not page.xpath("//*[@data-live]")

    assert browser.post(ITEMS, form_token="forged").status_code == 403
    (again,) = buttons(page, "Generate again")
    address = browser.submit(again).headers["Location"]
    assert address == f"{exam.settings.public_url}{ITEMS}?sort=facility&attempts=last&findings=1"
    assert exam.report(queued).state is ReportState.QUEUED
    assert browser.page(address.removeprefix(exam.settings.public_url)).xpath("//*[@data-live]")


def fail_queued(exam: Api, message: str) -> int:
    """Do the one queued job as a worker does that cannot finish it; return the id of its report."""
    with exam.database.transaction() as session:
        queued = session.scalars(select(QuizReport.id).where(QuizReport.state == ReportState.QUEUED)).one()
    exam.fail(queued, message)
    return queued


def test_new_data_start_a_job_that_failed_again(exam: Api, browser: Browser) -> None:
    browser.page(ITEMS)
    fail_queued(exam, "It was not to be.")
    assert not browser.page(ITEMS).xpath("//*[@data-live]")

    exam.bring_new_data()

    assert browser.page(ITEMS).xpath("//*[@data-live]")


def test_the_last_figures_are_shown_while_newer_ones_are_computed(
    exam: Api, browser: Browser, resources: Resources
) -> None:
    browser.page(ITEMS)
    make_queued_reports(exam.database, resources)
    assert not browser.page(ITEMS).xpath("//*[@id = 'reports']")

    exam.bring_new_data()
    for _ in range(2):
        page = browser.page(ITEMS)
        assert "Made from 200 submissions; newer data are being analysed." in text_of(page)
        assert section_of(page, WRONG_KEY) is not None
    (poll,) = page.xpath("//*[@id = 'reports']/@data-live")

    def polled() -> Any:
        return browser.page(str(poll).removeprefix(exam.settings.public_url)).get_element_by_id("reports")

    assert polled().get("data-live") == poll
    assert "Made from 200 submissions" in text_of(polled())
    make_queued_reports(exam.database, resources)
    assert polled().get("data-live") is None
    # The page asks again when it is loaded, a poll never does.
    exam.bring_new_data()
    assert polled().get("data-live") is None
    assert browser.page(ITEMS).xpath("//*[@data-live]")


def test_the_last_figures_stay_when_newer_ones_can_not_be_computed(
    exam: Api, browser: Browser, resources: Resources
) -> None:
    browser.page(ITEMS)
    make_queued_reports(exam.database, resources)
    exam.bring_new_data()
    browser.page(ITEMS)
    fail_queued(exam, "The disk is full. Reference: abc")
    page = browser.page(ITEMS)
    assert "The disk is full. Reference: abc" in text_of(page)
    assert buttons(page, "Generate again")
    assert section_of(page, WRONG_KEY) is not None


def test_figures_of_an_older_analysis_are_not_shown_meanwhile(
    exam: Api, browser: Browser, resources: Resources
) -> None:
    browser.page(ITEMS)
    make_queued_reports(exam.database, resources)
    with exam.database.transaction() as session:
        session.execute(update(QuizReport).values(analysis_version="0"))
    assert "The statistics are being computed." in text_of(browser.page(ITEMS))


def test_the_page_finds_what_is_wrong_with_the_exam(
    exam: Api, browser: Browser, resources: Resources
) -> None:
    browser.page(ITEMS)
    make_queued_reports(exam.database, resources)

    page = browser.page(ITEMS)
    findings = text_of(page.get_element_by_id("findings").getparent())
    assert f"Question {WRONG_KEY}" in findings
    assert "Heterozygous" in findings
    assert "Cell wall" in text_of(section_of(page, NEVER_CHOSEN))
    assert section_of(page, TOO_EASY).xpath(".//*[contains(@class, 'remark')]")
    # A question with two findings is named once, and the notes name theirs.
    assert findings.count(f"Question {WRONG_KEY} What do we call") == 1
    notes = {text_of(dt): dt.getnext() for dt in page.xpath("//dl[@class = 'notes']/dt")}
    never_chosen, too_easy = notes["An answer that nobody chose"], notes["Nearly everybody got it right"]
    assert "easier to guess than it looks" in text_of(never_chosen)
    assert f"Question {NEVER_CHOSEN}" in text_of(never_chosen.getnext())
    assert text_of(too_easy.getnext()) == f"Question {TOO_EASY}"
    # Each dot of the scatter is a link to an item of the page.
    links = [str(link.get("href")) for link in page.xpath("//*[@class = 'chart']//a")]
    assert len(links) == 40
    assert {link.removeprefix("#") for link in links} <= set(page.xpath("//section/@id"))


def test_questions_are_sorted_and_filtered(exam: Api, browser: Browser, resources: Resources) -> None:
    browser.page(ITEMS)
    make_queued_reports(exam.database, resources)

    def numbers(**choices: str) -> list[str]:
        page = browser.page(ITEMS, query_string=choices)
        return list(page.xpath("//span[@class = 'number']/text()"))

    assert numbers() == [str(number) for number in range(1, 41)]
    assert numbers(sort="item_rest_correlation")[0] == str(WRONG_KEY)
    assert numbers(sort="facility")[-1] == str(TOO_EASY)
    assert str(WRONG_KEY) in numbers(findings="1")
    # Questions that are filtered out are linked to on the page of all of them.
    filtered = browser.page(ITEMS, query_string={"findings": "1", "sort": "facility"})
    (easy,) = filtered.xpath("//dt[. = 'Nearly everybody got it right']/following-sibling::dd[2]/a/@href")
    address, _, anchor = str(easy).removeprefix(exam.settings.public_url).partition("#")
    assert address == f"{ITEMS}?sort=facility&attempts=first"
    assert browser.page(address).get_element_by_id(anchor) is not None
    assert numbers(sort="x", attempts="y", section_ids="z") == numbers()


def test_the_page_is_light_and_runs_nothing_of_its_own(exam: Api, resources: Resources) -> None:
    page = shown_items(exam, resources)
    assert len(page.data) < 150_000
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert b"style=" not in page.data
    assert b"<script>" not in page.data


def test_the_page_of_a_hundred_questions_is_below_280_kilobytes_in_every_language(
    api: Api, database: Database, resources: Resources
) -> None:
    push_exam(database, *long_exam(100))
    browser = Browser(api)
    browser.sign_in(link_for(api))
    browser.page(ITEMS)
    make_queued_reports(database, resources)
    for language in LANGUAGES:
        page = browser.get(ITEMS, headers={"Accept-Language": language})
        assert page.headers["Content-Language"] == language
        assert page.text.count('<section class="card item"') == 100
        assert len(page.data) < 280_000


def test_what_the_figures_mean_is_said_once(exam: Api, resources: Resources) -> None:
    page: Any = lxml.html.fromstring(shown_items(exam, resources).text)
    reading = page.get_element_by_id("reading").getparent()
    meaning = "The mean share of the points: 1 if every student got all of them."
    assert meaning in text_of(reading)
    assert reading.xpath(".//a[@href = '#conventions']")
    # It is repeated where the figure's convention is.
    assert text_of(page).count(meaning) == 2
    assert meaning in text_of(page.get_element_by_id("conventions"))


def test_an_option_has_its_shares_as_bars(exam: Api, resources: Resources) -> None:
    page = lxml.html.fromstring(shown_items(exam, resources).text)
    bars = section_of(page, WRONG_KEY).xpath(".//tr/td[starts-with(@class, 'w')]")
    assert len(bars) == 12
    assert all(f"{int(bar.get('class')[1:])}%" == text_of(bar) for bar in bars)


def test_hostile_texts_are_shown_as_texts(api: Api, database: Database, resources: Resources) -> None:
    push_exam(database, *hostile_exam(), title=HOSTILE[0])
    response = shown_items(api, resources)
    assert response.status_code == 200
    # A text of a hundred thousand characters is cut wherever it is shown.
    assert len(response.data) < 200_000
    page = lxml.html.fromstring(response.text)
    shown = text_of(page)
    assert all(text[:20].strip() in shown for text in HOSTILE if text.isprintable())
    assert [script.text for script in page.iter("script")] == [None]
    assert not list(page.iter("img"))
    assert not [e for e in page.iter() if any(name == "style" or name[:2] == "on" for name in e.attrib)]
    # What reverses the direction of letters ends with the element that it stands in.
    holders = [e for e in page.iter() if "\N{RIGHT-TO-LEFT OVERRIDE}" in (e.text or "")]
    assert {e.tag for e in holders} == {"bdi", "title", "p"}
    assert all("\N{FIRST STRONG ISOLATE}" in (e.text or "") for e in holders if e.tag != "bdi")


def test_a_question_of_eight_megabytes_is_cut(api: Api, database: Database, resources: Resources) -> None:
    questions, submissions = sample_exam()
    # As long as a text may be.
    long = "planted " * (2**20 - 1)
    questions[WRONG_KEY]["question_text"] = f"<p>{long}</p>"
    questions[WRONG_KEY]["answers"][0]["text"] = long
    push_exam(database, questions, submissions)
    response = shown_items(api, resources)
    assert response.status_code == 200
    assert len(response.data) < 200_000
    assert "planted planted" in response.text


def test_a_survey_says_why_it_has_no_item_analysis(api: Api) -> None:
    browser = Browser(api)
    browser.sign_in(link_for(api, quiz_id=SURVEY_ID))
    page = browser.page(ITEMS.replace(str(QUIZ_ID), str(SURVEY_ID)))
    assert "it has no item analysis" in text_of(page)
    assert not page.xpath("//*[@data-live]")


def test_a_section_is_chosen_among_those_of_the_course(
    exam: Api, browser: Browser, resources: Resources, database: Database
) -> None:
    with database.transaction() as session:
        session.add(Section(id=77, course_id=COURSE_ID, name=HOSTILE[1]))
    browser.page(ITEMS, query_string={"section_ids": "77"})
    make_queued_reports(database, resources)
    page = browser.page(ITEMS, query_string={"section_ids": ["77", "x", "999"], "attempts": "last"})
    make_queued_reports(database, resources)
    page = browser.page(ITEMS, query_string={"section_ids": ["77", "x", "999"], "attempts": "last"})
    assert page.xpath("//input[@name = 'section_ids'][@checked]/@value") == ["77"]
    assert page.xpath("//select[@name = 'attempts']/option[@selected]/@value") == ["last"]
    assert HOSTILE[1] in text_of(page)
    assert "0 students" in text_of(page)


def test_too_many_sections_are_refused(browser: Browser, database: Database) -> None:
    ids = [1000 + number for number in range(MOST_SECTIONS + 1)]
    with database.transaction() as session:
        session.add_all(Section(id=section_id, course_id=COURSE_ID, name="A section") for section_id in ids)
    for chosen, status in ((ids, 400), (ids[1:], 200)):
        response = browser.get(ITEMS, query_string={"section_ids": chosen})
        assert response.status_code == status
        assert ("Choose at most 300 sections." in response.text) == (status == 400)


def test_of_many_sections_the_first_are_listed_and_those_that_are_chosen(
    exam: Api, browser: Browser, resources: Resources, database: Database
) -> None:
    numbers = range(1000, 1000 + MOST_SECTIONS + 20)
    with database.transaction() as session:
        session.add_all(Section(id=n, course_id=COURSE_ID, name=f"Section {n}") for n in numbers)
    chosen = {"section_ids": str(numbers[-1])}
    browser.page(ITEMS, query_string=chosen)
    make_queued_reports(database, resources)

    page = browser.page(ITEMS, query_string=chosen)

    listed = [int(value) for value in page.xpath("//input[@name = 'section_ids']/@value")]
    assert len(listed) == MOST_SECTIONS
    assert listed[-1] == numbers[-1]
    assert page.xpath("//input[@name = 'section_ids'][@checked]/@value") == [str(numbers[-1])]
    assert "The course has more sections than are listed" in text_of(page)


def test_an_empty_quiz_has_a_page(api: Api, resources: Resources) -> None:
    browser = Browser(api)
    browser.sign_in(link_for(api))
    browser.page(ITEMS)
    make_queued_reports(api.database, resources)
    page = browser.page(ITEMS)
    assert "No question to show." in text_of(page)
    # Once, and not in place of each figure.
    assert text_of(page).count("There are no responses yet.") == 1
    assert buttons(page, "Show")
