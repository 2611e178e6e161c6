"""The page of a quiz's reports: generate, follow, cancel, download."""

from __future__ import annotations

import lxml.html
import pytest
from sqlalchemy import update

from models.db.session import Database
from models.lms.courses import Enrollment, EnrollmentState
from tests.api.pages.browser import PAGES, Browser, buttons, link_for, text_of
from tests.api.pages.exams import make_queued_reports
from tests.factories import ANONYMOUS_SURVEY_ID, CALLERS, CSV, Api, ApiResponse
from tests.lms import Lms
from tests.payloads import attempt
from tests.statements import statements_of
from workers.resources import Resources


@pytest.fixture
def browser(api: Api) -> Browser:
    browser = Browser(api)
    browser.sign_in(link_for(api))
    return browser


# Of one attempt a student, of all, and the item analysis: each in three formats.
VARIANTS = 9


def generate_csv(browser: Browser) -> lxml.html.HtmlElement:
    """Return the button for the CSV file with one attempt a student."""
    (button,) = browser.page().xpath("//*[@id = 'generate-student_analysis-csv-one']")
    return button


def download(api: Api, browser: Browser, page: lxml.html.HtmlElement) -> ApiResponse:
    """Follow the link to the one file of a page."""
    (link,) = buttons(page, "Download")
    path = str(link.get("href")).removeprefix(api.settings.public_url)
    return browser.get(path, follow_redirects=True)


def test_a_new_quiz_offers_each_report(browser: Browser) -> None:
    page = browser.page()
    assert len(buttons(page, "Generate")) == VARIANTS
    assert text_of(page).count("Not generated yet.") == VARIANTS


def test_a_requested_report_waits_runs_and_can_be_downloaded(api: Api, browser: Browser) -> None:
    assert browser.submit(generate_csv(browser)).status_code == 303
    page = browser.page()
    assert "Waiting for a worker" in text_of(page)
    (bar,) = page.iter("progress")
    assert (bar.get("value"), bar.get("max")) == ("0.0", "100")
    assert page.xpath("//*[@data-live]")

    (listed,) = (r for r in api.get(f"/api/v1{PAGES}/reports").json if "progress_url" in r)
    api.finish(listed["id"])
    page = browser.page()
    assert "Generated on" in text_of(page)
    assert not page.xpath("//*[@data-live]")
    assert download(api, browser, page).data == CSV


def test_a_queued_report_can_be_cancelled(api: Api, browser: Browser) -> None:
    browser.submit(generate_csv(browser))
    browser.submit(buttons(browser.page(), "Cancel")[0])
    assert len(buttons(browser.page(), "Generate")) == VARIANTS


def test_a_report_of_another_teacher_can_not_be_cancelled(api: Api, browser: Browser) -> None:
    browser.submit(generate_csv(browser))
    action = buttons(browser.page(), "Cancel")[0].getparent().get("action")
    other = Browser(api)
    other.sign_in(link_for(api, CALLERS["second_teacher"][0]))
    page = other.page()
    assert "Waiting for a worker" in text_of(page)
    assert not buttons(page, "Cancel")
    (token, *_) = page.xpath("//input[@name = 'form_token']/@value")
    path = str(action).removeprefix(api.settings.public_url)
    assert other.post(path, form_token=str(token)).status_code == 403
    assert buttons(browser.page(), "Cancel")


def test_a_cancellation_that_comes_too_late_leaves_the_report(api: Api, browser: Browser) -> None:
    browser.submit(generate_csv(browser))
    (cancel,) = buttons(browser.page(), "Cancel")
    (listed,) = (r for r in api.get(f"/api/v1{PAGES}/reports").json if "progress_url" in r)
    api.finish(listed["id"])
    assert browser.submit(cancel).status_code == 303
    assert buttons(browser.page(), "Download")


def test_a_report_that_is_deleted_while_its_page_is_open_is_not_found(api: Api, browser: Browser) -> None:
    report = api.generated()
    page = browser.page()
    assert api.delete(f"/api/v1{PAGES}/reports/{report['id']}").status_code == 204

    response = download(api, browser, page)

    assert (response.status_code, response.mimetype) == (404, "text/html")
    assert "The specified resource does not exist." in response.text
    assert len(buttons(browser.page(f"{PAGES}/reports/progress"), "Generate")) == VARIANTS


def test_an_open_page_downloads_nothing_for_a_teacher_who_has_left(
    api: Api, browser: Browser, database: Database
) -> None:
    api.generated()
    page = browser.page()
    assert "verifier" not in lxml.html.tostring(page, encoding="unicode")
    with database.transaction() as session:
        session.execute(
            update(Enrollment)
            .where(Enrollment.user_id == 7)
            .values(enrollment_state=EnrollmentState.COMPLETED)
        )
    assert download(api, browser, page).status_code == 403


def test_a_file_with_sis_ids_is_not_downloaded_by_an_assistant(api: Api, browser: Browser) -> None:
    api.generated()
    (link,) = buttons(browser.page(), "Download")
    path = str(link.get("href")).removeprefix(api.settings.public_url)
    assistant = Browser(api)
    assistant.sign_in(link_for(api, CALLERS["ta"][0]))
    assert assistant.get(path).status_code == 403
    assert not buttons(assistant.page(), "Download")


def test_a_second_click_starts_nothing_more(browser: Browser) -> None:
    generate = generate_csv(browser)
    assert [browser.submit(generate).status_code for _ in range(2)] == [303, 303]
    assert len(buttons(browser.page(), "Cancel")) == 1


def test_newer_data_are_announced_and_the_old_file_stays(api: Api, browser: Browser) -> None:
    api.generated()
    api.bring_new_data()
    page = browser.page()
    assert "Newer data have come in since." in text_of(page)
    assert len(buttons(page, "Download")) == 1
    (again,) = buttons(page, "Generate again")

    browser.submit(again)
    page = browser.page()
    assert len(buttons(page, "Download")) == len(buttons(page, "Cancel")) == 1


def test_a_file_says_what_it_is_made_from_and_how_much_is_newer(
    api: Api, browser: Browser, database: Database, resources: Resources
) -> None:
    lms = Lms(database)
    lms.put_quiz(title="Cells")
    student = CALLERS["student"][0]
    lms.put_attempts(attempt(501, user_id=student), attempt(502, user_id=None, temporary_user_code="a"))
    for report in ("student_analysis-csv-one", "student_analysis-xlsx-all", "item_analysis-csv-all"):
        (generate,) = browser.page().xpath(f"//*[@id = 'generate-{report}']")
        browser.submit(generate)
    make_queued_reports(database, resources)

    def made_from() -> list[str]:
        told = [" ".join(p.text_content().split()) for p in browser.page().iter("p")]
        return [words for words in told if "submission" in words]

    assert made_from() == ["2 submissions", "2 submissions", "1 submission"]
    assert not [sql for sql in statements_of(browser.page) if "FROM attempts" in sql]

    newer = "2026-09-20T00:00:00Z"
    lms.put_attempts(
        attempt(501, 2, user_id=student, updated_at=newer),
        attempt(503, user_id=None, temporary_user_code="b", updated_at=newer),
    )
    assert made_from() == [
        "2 submissions; 2 newer",
        "2 submissions; 2 newer",
        # The second attempt of the student is of no use to it.
        "1 submission Newer data have come in since.",
    ]
    assert len([sql for sql in statements_of(browser.page) if "FROM attempts" in sql]) == 1


def test_a_failure_says_why(api: Api, browser: Browser) -> None:
    browser.submit(generate_csv(browser))
    (listed,) = (r for r in api.get(f"/api/v1{PAGES}/reports").json if "progress_url" in r)
    api.fail(listed["id"], "The disk is full. Reference: abc")
    page = browser.page()
    assert "The disk is full. Reference: abc" in text_of(page)
    assert len(buttons(page, "Generate")) == VARIANTS


def test_a_survey_says_why_it_has_no_item_analysis(api: Api) -> None:
    browser = Browser(api)
    browser.sign_in(link_for(api, quiz_id=ANONYMOUS_SURVEY_ID))
    page = browser.page(PAGES.replace("201", str(ANONYMOUS_SURVEY_ID)) + "/reports")
    assert "has no item analysis" in text_of(page)


@pytest.mark.parametrize("token", ["", "forged"])
def test_a_form_of_another_site_changes_nothing(browser: Browser, token: str) -> None:
    fields = {"quiz_report[report_type]": "student_analysis", "form_token": token}
    response = browser.post(f"{PAGES}/reports", **fields)
    assert response.status_code == 403
    assert len(buttons(browser.page(), "Generate")) == VARIANTS


@pytest.mark.parametrize("path", ["/courses/101/quizzes/999/reports", "/courses/101/quizzes/x/reports"])
def test_what_does_not_exist_is_a_page_that_says_so(browser: Browser, path: str) -> None:
    response = browser.get(path)
    assert (response.status_code, response.mimetype) == (404, "text/html")


def test_a_browser_runs_no_script_of_a_title(api: Api, browser: Browser) -> None:
    title = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
    assert api.call("PUT", f"/api/v1{PAGES}", "admin", json={"quiz": {"title": title}}).status_code == 200
    page = browser.page()
    assert title in text_of(page)
    assert [script.get("src") for script in page.iter("script")] == [
        "http://quiz-reports.test/pages/pages.js"
    ]
    assert not list(page.iter("img"))
    assert not [e for e in page.iter() if any(name == "style" or name[:2] == "on" for name in e.attrib)]


def test_cancelling_what_was_never_requested_changes_nothing(api: Api, browser: Browser) -> None:
    (listed, *_) = api.get(f"/api/v1{PAGES}/reports").json
    (token, *_) = browser.page().xpath("//input[@name = 'form_token']/@value")
    response = browser.post(f"{PAGES}/reports/{listed['id']}/cancel", form_token=token)
    assert response.status_code == 303
    assert len(buttons(browser.page(), "Generate")) == VARIANTS


def test_an_older_report_without_a_file_does_not_hide_the_newer_file(api: Api, browser: Browser) -> None:
    older = api.generated()
    api.bring_new_data()
    api.generated()
    assert api.delete(f"/api/v1{PAGES}/reports/{older['id']}").status_code == 204
    page = browser.page()
    assert len(buttons(page, "Download")) == 1
    assert len(buttons(page, "Generate")) == VARIANTS - 1
