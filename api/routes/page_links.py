"""Links that the LMS opens in a user's browser to sign it in to the pages."""

from __future__ import annotations

from flask import Blueprint
from werkzeug import Response

from api.auth import PAGE_LINKS_SCOPE, authorized, scope
from api.errors import ForbiddenError
from api.links import links
from api.openapi.decorators import describe
from api.openapi.operations import page_links as operations
from api.params import page_link_params
from api.responses import json_response
from api.serializers import page_link_json
from api.services import services
from models.access.page_links import create_page_link
from models.access.permissions import find_course, find_course_user, find_quiz_context, may_read_statistics
from models.errors import NotFoundError

page_links = Blueprint("page_links", __name__, url_prefix="/api/v1/page_links")


@page_links.post("")
@scope(PAGE_LINKS_SCOPE)
@describe(operations.CREATE)
def create() -> Response:
    """Make a one-time link that signs a user in to the pages of a quiz."""
    with services().database.transaction() as session:
        context = authorized(session)
        params = page_link_params()
        course = find_course(session, params.course)
        context.require_course(course.id)
        key = context.caller.user_id if params.user is None else params.user
        user_id = find_course_user(session, course.id, key)
        found = find_quiz_context(session, course.id, params.quiz_id, user_id)
        if not may_read_statistics(found.roles):
            raise ForbiddenError
        if found.quiz is None:
            raise NotFoundError
        link = create_page_link(session, user_id=user_id, quiz_id=found.quiz.id)
    return json_response(page_link_json(link, found.quiz, links()))
