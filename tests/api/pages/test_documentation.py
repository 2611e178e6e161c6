"""Contract, section 1: the API's description for people."""

from __future__ import annotations

import lxml.html
import pytest

from tests.factories import Api


class TestPage:
    @pytest.fixture
    def page(self, api: Api) -> lxml.html.HtmlElement:
        return lxml.html.fromstring(api.get("/docs", None).text)

    def test_all_that_it_loads_is_served_here(self, api: Api, page: lxml.html.HtmlElement) -> None:
        loaded = [str(e.get("src") or e.get("href")) for e in page.iter("script", "link")]
        kinds = {name: api.get(f"/{name}", None) for name in loaded}
        assert {name: (response.status_code, response.mimetype) for name, response in kinds.items()} == {
            "docs/favicon-32x32.png": (200, "image/png"),
            "docs/swagger-ui.css": (200, "text/css"),
            "docs/swagger-ui-bundle.js": (200, "text/javascript"),
            "docs/documentation.js": (200, "text/javascript"),
        }
        assert 'url: "openapi.json"' in kinds["docs/documentation.js"].text

    def test_no_other_part_is_served(self, api: Api) -> None:
        for name in ("documentation.py", "index.html", "..%2f..%2f__init__.py", "VERSION"):
            assert api.get(f"/docs/{name}", None).status_code == 404

    def test_a_browser_runs_no_script_of_its_text_and_asks_no_other_host(
        self, api: Api, page: lxml.html.HtmlElement
    ) -> None:
        assert not [script.text for script in page.iter("script", "style") if script.text]
        assert not [e for e in page.iter() if any(name == "style" or name[:2] == "on" for name in e.attrib)]
        policy = api.get("/docs", None).headers["Content-Security-Policy"]
        assert {word for part in policy.split(";") for word in part.split()[1:]} == {
            *("'none'", "'self'", "data:"),
        }
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
