"""The bytes of a report's file as a response: whole, a range, a redirect to the store, or a 304."""

from __future__ import annotations

from typing import Final

import structlog
from flask import request
from werkzeug import Response

from api.services import services
from models.errors import NotFoundError
from models.reports.requests import mark_file_lost
from models.reports.tables import File
from models.storage import content_disposition

_PRESIGNED_SECONDS: Final = 300

_log = structlog.stdlib.get_logger(__name__)


def file_response(file: File, display_name: str, content_type: str) -> Response:
    """Stream a file, or redirect to its store if the settings say so and the store can presign a URL.

    Raises NotFoundError if the bytes are lost.
    """
    if services().settings.presigned_downloads:
        url = services().store.presigned_url(file.storage_key, _PRESIGNED_SECONDS)
        if url is not None:
            _require_bytes(file)
            return Response(status=302, headers={"Location": url})
    return _stream(file, display_name, content_type)


def read_whole(file: File) -> bytes:
    """Read all bytes of a file; raise NotFoundError if they are lost."""
    _require_bytes(file)
    return b"".join(services().store.read(file.storage_key))


def _stream(file: File, display_name: str, content_type: str) -> Response:
    response = Response(
        content_type=content_type,
        headers={
            "Content-Disposition": content_disposition(display_name),
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )
    response.set_etag(file.sha256.hex())
    # HTTP allows the whole file in response to several ranges, or to an invalid one.
    wanted = request.range
    one_range = wanted is not None and wanted.units == "bytes" and len(wanted.ranges) == 1
    response.make_conditional(request, accept_ranges=one_range, complete_length=file.size)
    response.headers["Accept-Ranges"] = "bytes"
    if response.status_code == 304:
        return response
    _require_bytes(file)
    start, stop = 0, file.size
    if response.status_code == 206:
        start, stop = response.content_range.start or 0, response.content_range.stop or file.size
    response.content_length = stop - start
    if request.method != "HEAD" and start < stop:
        response.response = services().store.read(file.storage_key, start, stop)
    return response


def _require_bytes(file: File) -> None:
    """Raise NotFoundError if the bytes are lost or cut short, and mark the file so that it is made again."""
    try:
        if services().store.size(file.storage_key) == file.size:
            return
    except NotFoundError:
        pass
    with services().database.transaction() as session:
        is_lost = mark_file_lost(session, file.id)
    if is_lost:
        # If not, another request has deleted the file or marked it already.
        _log.error("file_lost", file_id=file.id, storage_key=file.storage_key, written_by=file.node)
    raise NotFoundError("The specified resource does not exist.")
