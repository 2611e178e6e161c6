"""The Progress of a job: show, cancel."""

from __future__ import annotations

from flask import Blueprint
from werkzeug import Response

from api.auth import reading_visit, scope, visit
from api.errors import ForbiddenError
from api.links import links
from api.openapi import request_bodies, schemas
from api.openapi.decorators import FORM, JSON, MULTIPART, Answer, Content, describe
from api.params import cancel_message, object_id
from api.responses import answer, conditional, retry_later
from api.serializers import cancelled_progress_json, progress_json
from api.services import services
from models.errors import NotFoundError
from models.reports.requests import cancel_progress, find_progress_report
from models.reports.tables import Progress, QuizReport

progress = Blueprint("progress", __name__, url_prefix="/api/v1/progress/<progress_id>")


@progress.get("")
@scope("url:GET|/api/v1/progress/:id")
@describe(
    {
        200: Answer(
            "The Progress; plain JSON whatever is asked for.",
            {JSON: Content(schemas.Progress)},
            headers=["ETag", "Retry-After"],
        ),
        304: Answer("Nothing has changed since the ETag that was sent.", headers=["ETag"]),
    }
)
def show(progress_id: str) -> Response:
    """Show how far a job is."""
    with reading_visit() as visitor:
        report = find_progress_report(visitor.session, object_id(progress_id))
        visitor.quiz_of(report)
    body = progress_json(report, _progress_of(report), links())
    return conditional(answer(body, headers=retry_later(report)))


@progress.post("/cancel")
@scope("url:POST|/api/v1/progress/:id/cancel")
@describe(
    {
        200: Answer(
            "The Progress as it ended: `failed`, with the message that was sent; it is gone afterwards.",
            {JSON: Content(schemas.Progress)},
        )
    },
    body={
        JSON: Content(request_bodies.CancelRequest, {"message": "not needed any more"}),
        FORM: Content(request_bodies.CancelRequest, {"message": "not needed any more"}),
        MULTIPART: Content(request_bodies.CancelRequest, {"message": "not needed any more"}),
    },
    body_is_needed=False,
    refusals={403: "The job is somebody else's.", 409: "The job is no longer queued."},
)
def cancel(progress_id: str) -> Response:
    """Cancel a job that is still queued; its Progress is shown this last time."""
    with visit() as visitor:
        report = find_progress_report(visitor.session, object_id(progress_id))
        visitor.quiz_of(report)
        if not (visitor.caller.is_admin or visitor.caller.user_id == _progress_of(report).user_id):
            raise ForbiddenError
        cancelled = cancel_progress(visitor.session, object_id(progress_id), cancel_message())
    services().publisher.revoke(cancelled.message)
    return answer(cancelled_progress_json(report, cancelled.progress, links()))


def _progress_of(report: QuizReport) -> Progress:
    if report.progress is None:
        raise NotFoundError
    return report.progress
