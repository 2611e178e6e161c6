"""The statistics of a quiz, as Canvas's own page and its clients read them."""

from __future__ import annotations

from flask import Blueprint
from werkzeug import Response

from api.auth import scope
from api.links import links
from api.media_types import JSON_API
from api.openapi.decorators import describe
from api.openapi.operations import statistics as operations
from api.params import statistics_params
from api.responses import conditional, serialized_response, wants
from api.serializers import statistics_json, statistics_json_api
from api.statistics_documents import current_document, decoded

statistics = Blueprint(
    "statistics", __name__, url_prefix="/api/v1/courses/<course_id>/quizzes/<quiz_id>/statistics"
)


@statistics.get("")
@scope("url:GET|/api/v1/courses/:course_id/quizzes/:quiz_id/statistics")
@describe(operations.SHOW)
def show(course_id: str, quiz_id: str) -> Response:
    """Show the statistics of a quiz."""
    document = current_document(course_id, quiz_id, statistics_params)
    shown = decoded(document)["quiz_statistics"]
    if wants(JSON_API):
        body = statistics_json_api(shown, document.report, document.quiz, links())
        return conditional(serialized_response(body, mimetype=JSON_API))
    return conditional(serialized_response(statistics_json(shown, document.report, document.quiz, links())))
