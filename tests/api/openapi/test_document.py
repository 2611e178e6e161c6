"""Contract, section 1: the API's own description, for programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from api.app import create_app
from api.auth import scope_of
from api.errors import CASES
from api.openapi.document import REFUSALS
from api.openapi.document import document as describe_api
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
            # Pages are for people.
            if not rule.rule.startswith(("/courses/", "/pages/"))
            for method in (rule.methods or set()) & METHODS
        }
        assert routes == {(method, path) for method, path, _ in operations(document)}

    @pytest.mark.contract("1 Routes", "every route has a scope spelled after its path")
    def test_tells_the_scope_of_each_route(self, api: Api, document: Any) -> None:
        for _, _, operation in operations(document):
            scope = scope_of(api.app.view_functions[operation["operationId"]])
            told = [way["bearer"] for way in operation["security"] if "bearer" in way]
            assert told == ([[scope]] if scope else [])
            assert (f"Scope: `{scope}`" in operation.get("description", "")) == (scope is not None)

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


def test_a_route_that_declares_nothing_cannot_be_described(api: Api) -> None:
    app = create_app(api.settings)
    app.add_url_rule("/undescribed", "undescribed", lambda: "")

    with pytest.raises(RuntimeError, match="undescribed has no description"):
        describe_api(app)
