"""Holds responses against the API's own description."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import jsonschema_rs
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from api.openapi.document import document

STRING_IDS = "application/json+canvas-string-ids"


class ContradictionError(AssertionError):
    """A response that the description does not foresee."""


def check(app: Flask, method: str, path: str, response: TestResponse) -> None:
    """Raise ContradictionError unless the description foresees this response, its headers and its body."""
    adapter = app.url_map.bind("localhost")
    try:
        rule, _ = adapter.match(path, method="GET" if method == "HEAD" else method, return_rule=True)
    except HTTPException:
        # What is not there is not described.
        return
    operation = described(app)["paths"][_spelled(rule.rule)].get(method.lower())
    if operation is None:
        return
    foreseen = operation["responses"].get(str(response.status_code))
    if foreseen is None:
        raise ContradictionError(f"{method} {path} returns {response.status_code}")
    _check_response(app, _resolved(app, foreseen), response)


_DOCUMENT: dict[str, Any] = {}


def described(app: Flask) -> Any:
    """Return the document of an application; all have the same routes, so it is made once."""
    if not _DOCUMENT:
        _DOCUMENT.update(document(app))
    return _DOCUMENT


def _check_response(app: Flask, foreseen: Any, response: TestResponse) -> None:
    for name, header in foreseen["headers"].items():
        if _resolved(app, header)["required"] and name not in response.headers:
            raise ContradictionError(f"{name} is missing")
    contents = foreseen.get("content", {})
    if not contents:
        if response.data:
            raise ContradictionError("a body where none is foreseen")
        return
    media_type = str(response.mimetype)
    if media_type not in contents:
        raise ContradictionError(f"{media_type} is not among {list(contents)}")
    if media_type.endswith("json") and STRING_IDS not in str(response.request.headers.get("Accept")):
        _validator(json.dumps(contents[media_type]["schema"])).validate(response.get_json())


@lru_cache(maxsize=100)
def _validator(schema: str) -> Any:
    whole = {**json.loads(schema), "components": _DOCUMENT["components"]}
    return jsonschema_rs.validator_for(whole, validate_formats=True)


def _resolved(app: Flask, part: Any) -> Any:
    if "$ref" not in part:
        return part
    found = described(app)
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


def _spelled(rule: str) -> str:
    return rule.replace("<", "{").replace(">", "}")
