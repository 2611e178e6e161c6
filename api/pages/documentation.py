"""The description of the API: for programs at /openapi.json, for people at /docs, shown by Swagger UI."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any, Final

import msgspec
from flask import Blueprint, Flask, current_app, request
from werkzeug import Response

from api.links import links
from api.openapi.decorators import HTML, JSON, Answer, Content, describe
from api.openapi.document import document
from models.errors import NotFoundError

documentation = Blueprint("documentation", __name__)

_OURS: Final = resources.files(__package__ or "api.pages")
_SWAGGER_UI: Final = resources.files("flask_swagger_ui") / "dist"
# All that the page loads: where it lies, and its media type.
_PARTS: Final = {
    "documentation.js": (_OURS, "text/javascript"),
    "swagger-ui-bundle.js": (_SWAGGER_UI, "text/javascript"),
    "swagger-ui.css": (_SWAGGER_UI, "text/css"),
    "favicon-32x32.png": (_SWAGGER_UI, "image/png"),
}
# Its icons are data: URLs. No script or style of the page's text runs, and nothing comes from another host.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


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
    page = _OURS.joinpath("documentation.html").read_bytes()
    return Response(page, mimetype=HTML, headers={"Content-Security-Policy": _POLICY})


@documentation.get("/docs/<page_part>")
@describe(
    {200: Answer("The file.", {kind: Content({"type": "string"}) for _, kind in _PARTS.values()})},
    refusals={404: "The page has no such part."},
)
def docs_part(page_part: str) -> Response:
    """Give a script, the style or the icon of that page."""
    if page_part not in _PARTS:
        raise NotFoundError
    folder, kind = _PARTS[page_part]
    return Response(folder.joinpath(page_part).read_bytes(), mimetype=kind)


def _document() -> dict[str, Any]:
    # The application itself, since what stands for it in a request is another thing each time.
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return {**_described(app), "servers": [{"url": links().base}]}


@lru_cache(maxsize=1)
def _described(app: Flask) -> dict[str, Any]:
    return document(app)
