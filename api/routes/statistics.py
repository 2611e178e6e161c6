"""The statistics of a quiz, as Canvas's own page and its clients read them."""

from __future__ import annotations

from flask import Blueprint
from werkzeug import Response

from api.auth import authorized, scope
from api.links import links
from api.media_types import JSON_API
from api.openapi.decorators import describe
from api.openapi.operations import statistics as operations
from api.params import statistics_params
from api.responses import conditional, serialized_response, wants
from api.serializers import statistics_json, statistics_json_api
from api.services import services
from api.statistics_documents import await_document, find_statistics
from models.access.permissions import require_sections
from models.reports.variants import Variant

statistics = Blueprint(
    "statistics", __name__, url_prefix="/api/v1/courses/<course_id>/quizzes/<quiz_id>/statistics"
)


@statistics.get("")
@scope("url:GET|/api/v1/courses/:course_id/quizzes/:quiz_id/statistics")
@describe(operations.SHOW)
def show(course_id: str, quiz_id: str) -> Response:
    """Show the statistics of a quiz."""
    with services().database.transaction() as session:
        context = authorized(session)
        found = context.quiz(course_id, quiz_id)
        params = statistics_params()
        require_sections(session, found.course, params.section_ids)
        variant = Variant.of_statistics(
            found.quiz, all_versions=params.all_versions, section_ids=params.section_ids
        )
        requested = find_statistics(context, found, variant)
    services().publisher.send(requested.message)
    shown = await_document(requested.report)["quiz_statistics"]
    if wants(JSON_API):
        body = statistics_json_api(shown, requested.report, found.quiz, links())
        return conditional(serialized_response(body, mimetype=JSON_API))
    return conditional(serialized_response(statistics_json(shown, requested.report, found.quiz, links())))
