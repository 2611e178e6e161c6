"""A browser without scripts: it keeps cookies, follows redirects, and reads pages as HTML."""

from __future__ import annotations

from typing import Any

import lxml.html
from flask.testing import FlaskClient

from tests.factories import COURSE_ID, QUIZ_ID, Api, ApiResponse

PAGES = f"/courses/{COURSE_ID}/quizzes/{QUIZ_ID}"


def link_for(api: Api, user: int | str = 7, *, quiz_id: int = QUIZ_ID, caller: str = "admin") -> str:
    """Request a link to the pages of a quiz, and return its path and query."""
    params = {"user_id": user, "course_id": COURSE_ID, "quiz_id": quiz_id}
    response = api.post("/api/v1/page_links", caller, json={"page_link": params})
    assert response.status_code == 200, response.text
    return str(response.json["url"]).removeprefix(api.settings.public_url)


class Browser:
    """One browser, signed in or not."""

    def __init__(self, api: Api) -> None:
        self.client = FlaskClient(api.app, ApiResponse, use_cookies=True)
        self._base = api.settings.public_url

    def sign_in(self, link: str) -> ApiResponse:
        """Open a link to the pages."""
        return self.get(link)

    def get(self, path: str, **options: Any) -> ApiResponse:
        """Open a page."""
        response = self.client.get(path, base_url=self._base, **options)
        assert isinstance(response, ApiResponse)
        return response

    def post(self, path: str, **fields: str) -> ApiResponse:
        """Send a form."""
        response = self.client.post(path, base_url=self._base, data=fields)
        assert isinstance(response, ApiResponse)
        return response

    def page(self, path: str = f"{PAGES}/reports", **options: Any) -> lxml.html.HtmlElement:
        """Open a page, and return its document."""
        response = self.get(path, **options)
        assert response.status_code == 200, response.text
        return lxml.html.fromstring(response.text)

    def submit(self, button: lxml.html.HtmlElement) -> ApiResponse:
        """Send the form of a button."""
        form = button.getparent()
        assert form.tag == "form"
        fields = {str(field.get("name")): str(field.get("value")) for field in form.iter("input")}
        return self.post(str(form.get("action")).removeprefix(self._base), **fields)


def buttons(page: lxml.html.HtmlElement, words: str) -> list[lxml.html.HtmlElement]:
    """Find the buttons and links with this text."""
    found = [*page.iter("button"), *page.iter("a")]
    return [element for element in found if " ".join(element.text_content().split()).startswith(words)]


def text_of(page: lxml.html.HtmlElement) -> str:
    """Return what a person reads."""
    return " ".join(page.text_content().split())
