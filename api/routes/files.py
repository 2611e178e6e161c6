"""Report files: the File object, and its bytes."""

from __future__ import annotations

from flask import Blueprint, g, request
from werkzeug import Response

from api.auth import authorized, scope
from api.downloads import file_response
from api.links import links
from api.openapi.decorators import describe
from api.openapi.operations import files as operations
from api.params import object_id
from api.responses import conditional, serialized_response
from api.serializers import file_json
from api.services import services
from api.translations import translations
from models.errors import NotFoundError
from models.lms.quizzes import Quiz, find_quiz_and_course
from models.reports.requests import find_file_report
from models.reports.tables import File, QuizReport

files = Blueprint("files", __name__)


@files.get("/api/v1/files/<file_id>")
@scope("url:GET|/api/v1/files/:id")
@describe(operations.SHOW)
def show(file_id: str) -> Response:
    """Show a File."""
    with services().database.reading() as session:
        found = authorized(session).report_of_file(file_id)
    body = file_json(_file_of(found.report), found.report, found.quiz, links(), translations())
    return conditional(serialized_response(body))


@files.get("/files/<file_id>/download")
@scope("url:GET|/api/v1/files/:id")
@describe(operations.DOWNLOAD)
def download(file_id: str) -> Response:
    """Return a file's bytes, by a valid verifier or by a token that may read the File."""
    report, quiz = _find_by_verifier(file_id) or _find_by_token(file_id)
    variant = report.variant
    return file_response(_file_of(report), translations().display_name(quiz, variant), variant.content_type)


def _find_by_verifier(file_id: str) -> tuple[QuizReport, Quiz] | None:
    """Find the file that a valid verifier was signed for; None if the token must decide."""
    signed = services().verifiers.read(request.args.get("verifier", ""))
    if signed is None or signed.file_id != file_id:
        return None
    if signed.rate_limit_key:
        g.requests_left = services().rate_limit.take(signed.rate_limit_key)
    with services().database.reading() as session:
        report = find_file_report(session, object_id(file_id))
        if _file_of(report).uuid != signed.file_uuid:
            raise NotFoundError
        return report, find_quiz_and_course(session, report.quiz_id)[0]


def _find_by_token(file_id: str) -> tuple[QuizReport, Quiz]:
    with services().database.reading() as session:
        found = authorized(session).report_of_file(file_id)
    return found.report, found.quiz


def _file_of(report: QuizReport) -> File:
    if report.file is None:
        raise NotFoundError
    return report.file
