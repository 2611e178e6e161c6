"""The description of the API: for programs at /openapi.json, for people at /docs, shown by Swagger UI."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any, Final

import msgspec
from flask import Blueprint, Flask, current_app, request
from werkzeug import Response

from api.links import links
from api.media_types import HTML
from api.openapi.decorators import describe
from api.openapi.document import document
from api.openapi.operations import documentation as operations
from models.errors import NotFoundError

documentation = Blueprint("documentation", __name__)

_OURS: Final = resources.files(__package__ or "api.pages")
_SWAGGER_UI: Final = resources.files("flask_swagger_ui") / "dist"
# The files that the page loads, with their folders and media types.
_PARTS: Final = {
    "documentation.js": (_OURS, "text/javascript"),
    "swagger-ui-bundle.js": (_SWAGGER_UI, "text/javascript"),
    "swagger-ui.css": (_SWAGGER_UI, "text/css"),
    "favicon-32x32.png": (_SWAGGER_UI, "image/png"),
}
# Its icons are data: URLs. Inline scripts and styles are forbidden, and so are other hosts.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


@documentation.get("/openapi.json")
@describe(operations.OPENAPI)
def openapi() -> Response:
    """Describe this API as OpenAPI 3.1."""
    response = Response(msgspec.json.encode(_document()), content_type="application/json; charset=utf-8")
    response.add_etag(weak=True)
    return response.make_conditional(request)


@documentation.get("/docs")
@describe(operations.DOCS)
def docs() -> Response:
    """Describe this API on a page for people."""
    page = _OURS.joinpath("documentation.html").read_bytes()
    return Response(page, mimetype=HTML, headers={"Content-Security-Policy": _POLICY})


@documentation.get("/docs/<page_part>")
@describe(operations.docs_part(media_type for _, media_type in _PARTS.values()))
def docs_part(page_part: str) -> Response:
    """Serve a script, the style or the icon of that page."""
    if page_part not in _PARTS:
        raise NotFoundError
    folder, media_type = _PARTS[page_part]
    return Response(folder.joinpath(page_part).read_bytes(), mimetype=media_type)


def _document() -> dict[str, Any]:
    # The cache needs the application itself: the proxy is a different key in each request.
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return {**_described(app), "servers": [{"url": links().base}]}


@lru_cache(maxsize=1)
def _described(app: Flask) -> dict[str, Any]:
    return document(app)
