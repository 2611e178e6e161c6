"""Report files: the File object, and its bytes."""

from __future__ import annotations

import structlog
from flask import Blueprint, g, request
from werkzeug import Response

from api.auth import reading_visit, scope
from api.links import links
from api.openapi import request_bodies, schemas
from api.openapi.decorators import CSV, JSON, Answer, Content, Parameter, describe
from api.params import object_id
from api.responses import answer, conditional
from api.serializers import file_json
from api.services import services
from api.translations import texts
from models.errors import NotFoundError
from models.lms.quizzes import Quiz, find_quiz_and_course
from models.reports.filenames import content_disposition
from models.reports.requests import find_file_report, mark_file_lost
from models.reports.tables import File, QuizReport
from models.reports.variants import CONTENT_TYPE

_log = structlog.stdlib.get_logger(__name__)

_SCOPE = "url:GET|/api/v1/files/:id"
_PRESIGNED_SECONDS = 300
_BYTES = {CSV: Content({"type": "string"})}
_FILE_HEADERS = ["ETag", "Content-Disposition"]

files = Blueprint("files", __name__)


@files.get("/api/v1/files/<file_id>")
@scope(_SCOPE)
@describe(
    {
        200: Answer("The File.", {JSON: Content(schemas.File)}, ["ETag"]),
        304: Answer("Nothing has changed since the ETag that was sent.", headers=["ETag"]),
    }
)
def show(file_id: str) -> Response:
    """Show a File."""
    with reading_visit() as visitor:
        report = find_file_report(visitor.session, object_id(file_id))
        quiz = visitor.quiz_of(report)
    return conditional(answer(file_json(_file_of(report), report, quiz, links(), texts())))


@files.get("/files/<file_id>/download")
@scope(_SCOPE)
@describe(
    {
        200: Answer("The file.", _BYTES, _FILE_HEADERS),
        206: Answer("The part of the file that was asked for.", _BYTES, [*_FILE_HEADERS, "Content-Range"]),
        302: Answer("Where the file is, if the service is set to send clients there.", headers=["Location"]),
        304: Answer("Nothing has changed since the ETag that was sent.", headers=["ETag"]),
    },
    parameters=[
        Parameter("download_frd", request_bodies.Anything, "Stands in a File's `url` and means nothing.", "1")
    ],
    refusals={416: "The range lies outside the file."},
    takes_verifier=True,
)
def download(file_id: str) -> Response:
    """Hand out a file's bytes, to whoever has a good verifier or may see the File."""
    report, quiz = _by_verifier(file_id) or _by_token(file_id)
    file = _file_of(report)
    name = texts().display_name(quiz, report.report_type)
    if services().settings.presigned_downloads:
        url = services().store.presigned_url(file.storage_key, _PRESIGNED_SECONDS)
        if url is not None:
            _require_bytes(file)
            return Response(status=302, headers={"Location": url})
    return _stream(file, name)


def _by_verifier(file_id: str) -> tuple[QuizReport, Quiz] | None:
    """Find the file that a good verifier was signed for; without one it is the token that decides."""
    verifier = request.args.get("verifier")
    if verifier is None or (signed := services().verifiers.read(verifier)) is None:
        return None
    if signed.file_id != file_id:
        return None
    if signed.limited_as:
        g.requests_left = services().rate_limit.take(signed.limited_as)
    with services().database.transaction() as session:
        report = find_file_report(session, object_id(file_id))
        if _file_of(report).uuid != signed.file_uuid:
            raise NotFoundError
        return report, find_quiz_and_course(session, report.quiz_id)[0]


def _by_token(file_id: str) -> tuple[QuizReport, Quiz]:
    with reading_visit() as visitor:
        report = find_file_report(visitor.session, object_id(file_id))
        return report, visitor.quiz_of(report)


def _stream(file: File, name: str) -> Response:
    response = Response(
        content_type=CONTENT_TYPE,
        headers={
            "Content-Disposition": content_disposition(name),
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )
    response.set_etag(file.sha256.hex())
    # Several ranges at once, or what is no range at all, get the whole file, as HTTP allows.
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
    """Raise NotFoundError if the bytes are gone or cut short, and see that they can be made again."""
    try:
        if services().store.size(file.storage_key) == file.size:
            return
    except NotFoundError:
        pass
    with services().database.transaction() as session:
        is_lost = mark_file_lost(session, file.id)
    if is_lost:
        # Otherwise somebody has just deleted the file, or seen before that it is lost.
        _log.error("file_lost", file_id=file.id, storage_key=file.storage_key)
    raise NotFoundError("The specified resource does not exist.")


def _file_of(report: QuizReport) -> File:
    if report.file is None:
        raise NotFoundError
    return report.file
