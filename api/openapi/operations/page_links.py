"""Links to the pages."""

from __future__ import annotations

from typing import Final

from api.media_types import FORM, JSON, MULTIPART
from api.openapi import schemas
from api.openapi.decorators import Content, Operation, ResponseSpec
from api.openapi.request_bodies import PageLinkBody, PageLinkForm

_FORM: Final = Content(
    PageLinkForm, {"page_link[user_id]": "7", "page_link[course_id]": "101", "page_link[quiz_id]": "201"}
)

CREATE: Final = Operation(
    {
        200: ResponseSpec(
            "The link. The first browser that opens it within a minute is signed in as the user.",
            {JSON: Content(schemas.PageLink)},
        )
    },
    body={
        JSON: Content(PageLinkBody, {"page_link": {"user_id": 7, "course_id": 101, "quiz_id": 201}}),
        FORM: _FORM,
        MULTIPART: _FORM,
    },
    refusals={
        400: "An id is missing.",
        403: "The user may not read the statistics of the course, or the token is limited to other courses.",
        404: "The course, its user or its quiz does not exist.",
    },
    notes="The user is an id, `sis_user_id:` and an SIS id, or `self`; the course an id, or `sis_course_id:`"
    " and an SIS id. Send the user's browser to the link at once; never put it into a message.",
)
