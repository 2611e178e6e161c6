"""The description of the API: for programs at /openapi.json, for people at /docs."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any, Final
from urllib.parse import urlencode

import jinja2
import msgspec
from flask import Blueprint, Flask, current_app, request
from werkzeug import Response

from api.description import FORM, HTML, JSON, MULTIPART, Answer, Content, describe
from api.links import links
from api.openapi import document

documentation = Blueprint("documentation", __name__)

_METHODS: Final = ("get", "post", "put", "delete")
_HERE: Final = resources.files(__package__ or "api.pages")


@documentation.get("/openapi.json")
@describe({200: Answer("This document.", {JSON: Content({"type": "object"})}, headers=["ETag"])})
def openapi() -> Response:
    """Describe this API as OpenAPI 3.1."""
    response = Response(msgspec.json.encode(_document()), content_type="application/json; charset=utf-8")
    response.add_etag(weak=True)
    return response.make_conditional(request)


@documentation.get("/docs")
@describe({200: Answer("The page.", {HTML: Content({"type": "string"})})})
def docs() -> Response:
    """Describe this API on a page for people."""
    style = _HERE.joinpath("documentation.css").read_text("utf-8")
    page = _template().render(api=_document(), style=style, curl=curl, kind=kind, methods=_METHODS)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'"
    return Response(page, mimetype=HTML, headers={"Content-Security-Policy": policy})


def _document() -> dict[str, Any]:
    # The application itself, since what stands for it in a request is another thing each time.
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return {**_described(app), "servers": [{"url": links().base}]}


@lru_cache(maxsize=1)
def _described(app: Flask) -> dict[str, Any]:
    return document(app)


def _template() -> jinja2.Template:
    surroundings = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return surroundings.from_string(_HERE.joinpath("documentation.html").read_text("utf-8"))


def curl(base: str, method: str, path: str, operation: Mapping[str, Any]) -> str:
    """Write how a request of an operation could look."""
    given = operation.get("parameters", [])
    for parameter in given:
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
    query = urlencode(
        {p["name"]: p["example"] for p in given if p["in"] == "query" and "example" in p},
        doseq=True,
        safe="[]",
    )
    words = ["curl", *([] if method == "get" else ["-X", method.upper()])]
    if operation["security"]:
        words += ["-H", "Authorization: Bearer $TOKEN"]
    words += [*_body(operation), base + path + (f"?{query}" if query else "")]
    # The shell puts the token in, so that header alone stands between double quotes.
    return " ".join(f'"{word}"' if "$TOKEN" in word else shlex.quote(word) for word in words)


def _body(operation: Mapping[str, Any]) -> Iterator[str]:
    contents = operation.get("requestBody", {}).get("content", {})
    form = contents.get(FORM) or contents.get(MULTIPART)
    if form is not None:
        for name, value in form["example"].items():
            yield from ("-d", f"{name}={value}")
    elif JSON in contents:
        body = msgspec.json.encode(contents[JSON]["example"]).decode()
        yield from ("-H", f"Content-Type: {JSON}", "-d", body)


def kind(schema: Mapping[str, Any]) -> str:
    """Say in a few words what a schema is; named ones by their name."""
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[1])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind(option) for option in schema["anyOf"]))
    if "const" in schema:
        return msgspec.json.encode(schema["const"]).decode()
    if "enum" in schema:
        return " · ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {kind(schema['items'])}"
    types = schema.get("type", "anything")
    return " or ".join(types) if isinstance(types, list) else str(types)
