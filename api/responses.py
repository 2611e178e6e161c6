"""How a response is written: JSON as the caller accepts it, ETags, conditional responses."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from flask import request
from werkzeug import Response

from api.media_types import JSON, STRING_IDS
from models.reports.shown import AnyReport

# Each response has new verifiers, valid for an hour. For half of that time, bodies that differ only in them
# have the same ETag.
_VERIFIER = re.compile(rb"verifier=[A-Za-z0-9_.~-]+")
_VERIFIER_REUSE_SECONDS = 1800


def wants(mimetype: str) -> bool:
    """Whether Accept names exactly this type; a wildcard means plain JSON."""
    return any(name.lower() == mimetype and quality > 0 for name, quality in request.accept_mimetypes)


def serialized_response(
    payload: Any, *, status: int = 200, mimetype: str = JSON, headers: Mapping[str, str] | None = None
) -> Response:
    """Return what a serializer made, its ids as strings if Accept asks for them."""
    if wants(STRING_IDS):
        payload = with_string_ids(payload)
    response = json_response(payload, status=status, mimetype=mimetype, headers=headers)
    response.headers["Vary"] = "Accept, Accept-Language, Authorization"
    return response


def retry_later(report: AnyReport) -> Mapping[str, str]:
    """Make the header that says when to ask for a report again, while its job is queued or running."""
    return {"Retry-After": "1"} if report.state.is_live else {}


def conditional(response: Response) -> Response:
    """Give a response its ETag, and turn it into a 304 if the caller has it already."""
    half_hour = str(int(time.time() // _VERIFIER_REUSE_SECONDS)).encode()
    body, verifiers = _VERIFIER.subn(b"", response.get_data())
    digest = hashlib.sha256(body + half_hour if verifiers else body)
    response.set_etag(digest.hexdigest()[:32], weak=True)
    return response.make_conditional(request)


def json_response(
    payload: Any, *, status: int = 200, mimetype: str = JSON, headers: Mapping[str, str] | None = None
) -> Response:
    """Write a value as JSON."""
    return Response(
        msgspec.json.encode(payload),
        status=status,
        headers=headers,
        content_type=f"{mimetype}; charset=utf-8" if mimetype == JSON else mimetype,
    )


def with_string_ids(value: Any) -> Any:
    """Return the same JSON with every id a string."""
    if isinstance(value, dict):
        return {key: _id_text(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_string_ids(item) for item in value]
    return value


def _id_text(key: str, value: Any) -> Any:
    if key.endswith("_ids") and isinstance(value, list):
        return [str(item) if type(item) is int else item for item in value]
    is_id = (key == "id" or key.endswith("_id")) and type(value) is int
    return str(value) if is_id else with_string_ids(value)
