"""The pages in Chromium: with scripts and without, by keyboard, in the dark, on paper.

Pictures of the pages are written to build/pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.api.pages.browser import PAGES, link_for
from tests.api.pages.conftest import PATIENCE
from tests.api.pages.exams import (
    HOSTILE,
    hostile_exam,
    long_exam,
    make_queued_reports,
    push_exam,
    sample_exam,
)
from tests.factories import COURSE_ID, CSV, Api
from workers.resources import Resources

pytestmark = pytest.mark.exhaustive

_PICTURES = Path(__file__).parents[3] / "build" / "pages"

WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 320, "height": 700}
LOOKS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": WIDE},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "narrow": {"viewport": NARROW},
    "right-to-left": {"viewport": WIDE, "locale": "ar"},
    "narrow-german": {"viewport": NARROW, "locale": "de"},
    "4k": {"viewport": {"width": 3840, "height": 2160}},
}
# The one message that Chromium writes of its own: the icon that it asks each site for is not there.
_ICON = "favicon.ico"


@pytest.fixture
def open_page(chromium: Chromium, served: Api) -> Callable[..., Any]:
    """Opens a window that is signed in; nothing may be refused or fail in it."""

    @contextmanager
    def signed_in(**options: Any) -> Iterator[Page]:
        errors: list[str] = []

        def note(message: ConsoleMessage) -> None:
            if message.type == "error" and not message.location["url"].endswith(_ICON):
                errors.append(message.text)

        with chromium.new_context(viewport=options.pop("viewport", WIDE), **options) as context:
            context.set_default_timeout(PATIENCE)
            page = context.new_page()
            page.on("console", note)
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("dialog", lambda dialog: errors.append(dialog.message))
            page.goto(served.settings.public_url + link_for(served))
            yield page
        assert not errors

    return signed_in


def items_url(api: Api) -> str:
    return f"{api.settings.public_url}{PAGES}/items"


def open_items(api: Api, page: Page, resources: Resources) -> None:
    page.goto(items_url(api))
    make_queued_reports(api.database, resources)
    page.goto(items_url(api))
    expect(page.locator("#findings")).to_be_visible()


def take_picture(page: Page, name: str) -> None:
    _PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=_PICTURES / f"{name}.png")


def assert_accessible(page: Page) -> None:
    """Check a page by every rule of axe-core, and that nothing has to be scrolled sideways."""
    found = Axe().run(page).response["violations"]
    assert not [(rule["id"], rule["nodes"][0]["html"]) for rule in found]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def queued_report(api: Api) -> int:
    (listed,) = (r for r in api.get(f"/api/v1{PAGES}/reports").json if "progress_url" in r)
    return int(listed["id"])


def test_a_report_is_generated_followed_and_downloaded(served: Api, open_page: Any) -> None:
    with open_page() as page:
        page.locator("#generate-student_analysis-csv-one").click()
        expect(page.get_by_text("Waiting for a worker")).to_be_visible()
        assert_accessible(page)
        report = queued_report(served)
        page.evaluate("window.isSamePage = true")
        served.finish(report)
        with page.expect_download() as downloading:
            page.get_by_role("link", name="Download").click()
        assert Path(downloading.value.path()).read_bytes() == CSV
        # The bar and the link came by script, into the page as it was.
        assert page.evaluate("window.isSamePage")
        assert_accessible(page)
        take_picture(page, "reports")


def test_a_report_is_generated_and_cancelled_by_keyboard(open_page: Any) -> None:
    with open_page() as page:
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        for _ in range(2):
            page.keyboard.press("Tab")
        expect(page.locator("#generate-student_analysis-csv-one")).to_be_focused()
        page.keyboard.press("Enter")
        cancel = page.get_by_role("button", name="Cancel")
        expect(cancel).to_be_visible()
        cancel.focus()
        page.keyboard.press("Enter")
        expect(cancel).to_have_count(0)
        expect(page.locator("#generate-student_analysis-csv-one")).to_be_visible()


def test_without_scripts_the_page_of_a_live_report_loads_itself_again(served: Api, open_page: Any) -> None:
    with open_page(java_script_enabled=False) as page:
        page.locator("#generate-student_analysis-csv-one").click()
        expect(page.get_by_text("Waiting for a worker")).to_be_visible()
        served.finish(queued_report(served))
        expect(page.get_by_role("link", name="Download")).to_be_visible()


def test_a_page_whose_session_has_ended_says_so_and_asks_no_more(chromium: Chromium, served: Api) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(served.settings.public_url + link_for(served))
        page.locator("#generate-student_analysis-csv-one").click()
        expect(page.get_by_text("Waiting for a worker")).to_be_visible()
        context.clear_cookies()
        expect(page.get_by_text("Open this page from your course")).to_be_visible()
        # The error page follows nothing.
        assert page.locator("[data-live]").count() == 0


def test_the_item_analysis_appears_when_it_has_been_computed(
    served: Api, open_page: Any, resources: Resources
) -> None:
    push_exam(served.database, *sample_exam())
    with open_page() as page:
        page.get_by_role("link", name="Item analysis").click()
        expect(page.get_by_role("progressbar")).to_be_visible()
        assert_accessible(page)
        make_queued_reports(served.database, resources)
        expect(page.locator("#findings")).to_be_visible()


def test_newer_figures_replace_those_on_the_page_and_what_is_open_stays_open(
    served: Api, open_page: Any, resources: Resources
) -> None:
    push_exam(served.database, *sample_exam())
    with open_page() as page:
        open_items(served, page, resources)
        served.bring_new_data()
        page.reload()
        expect(page.get_by_text("Made from 200 submissions")).to_be_visible()
        expect(page.locator("#findings")).to_be_visible()
        assert_accessible(page)
        take_picture(page, "items-while-newer-are-counted")
        page.locator(".item summary").nth(3).click()
        page.evaluate("window.isSamePage = true")
        make_queued_reports(served.database, resources)
        expect(page.get_by_text("Made from 200 submissions")).to_have_count(0)
        expect(page.locator(".item details dl").nth(3)).to_be_visible()
        assert page.evaluate("window.isSamePage")


def test_questions_are_reached_sorted_and_filtered_by_keyboard(
    served: Api, open_page: Any, resources: Resources
) -> None:
    push_exam(served.database, *sample_exam())
    with open_page() as page:
        open_items(served, page, resources)
        page.get_by_role("link", name="Question 17").first.press("Enter")
        expect(page.locator(".item:target .number")).to_have_text("17")
        expect(page.locator(".item:target")).to_be_in_viewport()

        page.locator(".chart .serie-1 a").press("Enter")
        expect(page.locator(".item:target .number")).to_have_text("17")

        page.get_by_label("Order").select_option("facility")
        page.get_by_label("Only questions with a finding").check()
        page.get_by_role("button", name="Show").press("Enter")
        page.wait_for_url("**findings=1")
        expect(page.locator(".item .number").first).to_have_text("17")

        page.locator(".item summary").first.press("Enter")
        expect(page.locator(".item details dl").first).to_be_visible()


@pytest.mark.parametrize("look", LOOKS)
def test_the_pages_suit_every_reader(served: Api, open_page: Any, resources: Resources, look: str) -> None:
    push_exam(served.database, *sample_exam())
    with open_page(**LOOKS[look]) as page:
        assert_accessible(page)
        take_picture(page, f"reports-{look}")
        open_items(served, page, resources)
        assert_accessible(page)
        take_picture(page, f"items-{look}")
        page.locator(".item").nth(16).scroll_into_view_if_needed()
        take_picture(page, f"item-{look}")
        page.goto(f"{served.settings.public_url}/courses/{COURSE_ID}/quizzes")
        assert_accessible(page)
        take_picture(page, f"quizzes-{look}")


def test_the_item_analysis_prints_as_a_clean_booklet(
    served: Api, open_page: Any, resources: Resources
) -> None:
    push_exam(served.database, *sample_exam())
    with open_page() as page:
        open_items(served, page, resources)
        page.emulate_media(media="print")
        for hidden in ("nav", ".choices", "details", ".skip"):
            expect(page.locator(hidden).first).to_be_hidden()
        expect(page.locator(".item").last).to_be_visible()
        _PICTURES.mkdir(parents=True, exist_ok=True)
        printed = page.pdf(path=_PICTURES / "items.pdf", prefer_css_page_size=True)
        # Three questions on a page, with the findings and the charts before them.
        assert printed.count(b"/Type /Page\n") <= 18


def test_a_hundred_questions_and_none_have_pages(served: Api, open_page: Any, resources: Resources) -> None:
    with open_page() as page:
        open_items(served, page, resources)
        assert_accessible(page)
        take_picture(page, "items-of-an-empty-quiz")
        push_exam(served.database, *long_exam(100))
        open_items(served, page, resources)
        expect(page.locator(".item")).to_have_count(100)
        assert_accessible(page)
        take_picture(page, "items-of-100-questions")


def test_hostile_texts_do_nothing(served: Api, open_page: Any, resources: Resources) -> None:
    push_exam(served.database, *hostile_exam(), title=HOSTILE[0])
    for viewport in (WIDE, NARROW):
        with open_page(viewport=viewport) as page:
            assert_accessible(page)
            open_items(served, page, resources)
            assert_accessible(page)
            assert page.evaluate("typeof planted") == "undefined"
            take_picture(page, f"hostile-{viewport['width']}")
