"""Holds answers against the API's own description."""

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
    """An answer that the description does not foresee."""


def check(app: Flask, method: str, path: str, answer: TestResponse) -> None:
    """Raise ContradictionError unless the description foresees this answer, its headers and its body."""
    adapter = app.url_map.bind("localhost")
    try:
        rule, _ = adapter.match(path, method="GET" if method == "HEAD" else method, return_rule=True)
    except HTTPException:
        # What is not there is not described.
        return
    operation = described(app)["paths"][_spelled(rule.rule)].get(method.lower())
    if operation is None:
        return
    foreseen = operation["responses"].get(str(answer.status_code))
    if foreseen is None:
        raise ContradictionError(f"{method} {path} answers {answer.status_code}")
    _check_answer(app, _resolved(app, foreseen), answer)


_DOCUMENT: dict[str, Any] = {}


def described(app: Flask) -> Any:
    """Return the document of an application; all have the same routes, so it is made once."""
    if not _DOCUMENT:
        _DOCUMENT.update(document(app))
    return _DOCUMENT


def _check_answer(app: Flask, foreseen: Any, answer: TestResponse) -> None:
    for name, header in foreseen["headers"].items():
        if _resolved(app, header)["required"] and name not in answer.headers:
            raise ContradictionError(f"{name} is missing")
    contents = foreseen.get("content", {})
    if not contents:
        if answer.data:
            raise ContradictionError("a body where none is foreseen")
        return
    media_type = str(answer.mimetype)
    if media_type not in contents:
        raise ContradictionError(f"{media_type} is not among {list(contents)}")
    if media_type.endswith("json") and STRING_IDS not in str(answer.request.headers.get("Accept")):
        _validator(json.dumps(contents[media_type]["schema"])).validate(answer.get_json())


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
