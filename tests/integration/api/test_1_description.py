"""Contract, section 1: the API's own description, for programs and for people."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import lxml.html
import pytest

from api.auth import scope_of
from api.errors import CASES
from api.openapi import REFUSALS
from tests.factories import Api

METHODS = {"GET", "POST", "PUT", "DELETE", "PATCH"}


@pytest.fixture
def document(api: Api) -> Any:
    return api.get("/openapi.json", None).json


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from references(inner)


class TestDocument:
    def test_is_openapi_3_1_at_the_public_address(self, document: Any) -> None:
        assert document["openapi"] == "3.1.0"
        assert document["servers"] == [{"url": "http://quiz-reports.test"}]
        assert document["info"]["title"] == "Quiz Reports"

    @pytest.mark.contract("1 Routes", "the API describes itself, no route missing")
    def test_no_route_is_missing(self, api: Api, document: Any) -> None:
        routes = {
            (method, re.sub(r"<(\w+)>", r"{\1}", rule.rule))
            for rule in api.app.url_map.iter_rules()
            for method in (rule.methods or set()) & METHODS
        }
        assert routes == {(method, path) for method, path, _ in operations(document)}

    @pytest.mark.contract("1 Routes", "every route has a scope spelled after its path")
    def test_tells_the_scope_of_each_route(self, api: Api, document: Any) -> None:
        for _, _, operation in operations(document):
            scope = scope_of(api.app.view_functions[operation["operationId"]])
            told = [way["bearer"] for way in operation["security"] if "bearer" in way]
            assert told == ([[scope]] if scope else [])

    def test_names_every_part_of_a_path(self, document: Any) -> None:
        for _, path, operation in operations(document):
            named = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))

    def test_every_reference_leads_somewhere(self, document: Any) -> None:
        for reference in references(document):
            found = document
            for name in reference.removeprefix("#/").split("/"):
                found = found[name]

    def test_links_lead_to_operations_and_their_parameters(self, document: Any) -> None:
        known = {operation["operationId"]: operation for _, _, operation in operations(document)}
        for _, _, operation in operations(document):
            for response in operation["responses"].values():
                for link in response.get("links", {}).values():
                    named = {p["name"] for p in known[link["operationId"]]["parameters"] if p["in"] == "path"}
                    assert set(link["parameters"]) == named

    def test_knows_every_status_of_an_error(self) -> None:
        assert {case.status for case in CASES.values()} <= set(REFUSALS)

    def test_is_not_sent_twice(self, api: Api) -> None:
        etag = api.get("/openapi.json", None).headers["ETag"]
        assert api.client.get("/openapi.json", headers={"If-None-Match": etag}).status_code == 304


class TestPage:
    @pytest.fixture
    def page(self, api: Api) -> str:
        return api.get("/docs", None).text

    @pytest.mark.contract("1 Routes", "the API describes itself, no route missing")
    def test_shows_every_route_with_its_scope(self, document: Any, page: str) -> None:
        shown = html.unescape(page)
        for method, path, operation in operations(document):
            assert f'id="{operation["operationId"]}"' in shown
            assert f"<code>{path}</code>" in shown
            assert operation["summary"] in shown
            for way in operation["security"][:1]:
                assert way["bearer"][0] in shown
            assert method.lower() in shown

    def test_shows_every_type(self, document: Any, page: str) -> None:
        for name in document["components"]["schemas"]:
            assert f'id="schema-{name}"' in page

    def test_each_link_of_the_page_leads_somewhere_on_it(self, page: str) -> None:
        tree = lxml.html.fromstring(page)
        ids = {element.get("id") for element in tree.iter() if element.get("id")}
        for link in tree.iter("a"):
            target = str(link.get("href"))
            assert target == "openapi.json" or target.removeprefix("#") in ids

    def test_needs_no_script_and_no_other_host(self, page: str) -> None:
        tree = lxml.html.fromstring(page)
        assert not [element.tag for element in tree.iter("script", "link", "img", "iframe", "object")]
        assert not [element for element in tree.iter() if element.get("style") or element.get("src")]
        assert "@import" not in page
        assert "url(" not in page

    def test_its_own_style_is_all_that_a_browser_may_use(self, api: Api, page: str) -> None:
        style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
        policy = api.get("/docs", None).headers["Content-Security-Policy"]
        assert len(style) == 1
        assert policy == (
            f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'"
        )

    def test_its_examples_are_commands_that_a_shell_reads(self, page: str) -> None:
        examples = [
            html.unescape(text) for text in re.findall(r"<pre><code>(curl.*?)</code>", page, re.DOTALL)
        ]
        assert len(examples) > 15
        for example in examples:
            shell = ["sh", "-c", f"curl() {{ printf '%s\\n' \"$@\"; }}; TOKEN=qr_x; {example}"]
            words = subprocess.run(shell, capture_output=True, text=True, check=True).stdout.splitlines()
            assert words[-1].startswith("http://quiz-reports.test/")
            assert ("Authorization: Bearer qr_x" in words) == ("$TOKEN" in example)
