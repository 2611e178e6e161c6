"""The statistics of a quiz."""

from __future__ import annotations

from typing import Final

from api.media_types import JSON, JSON_API
from api.openapi import schemas
from api.openapi.decorators import Content, Operation, Parameter, ResponseSpec
from api.openapi.operations.unchanged import NOT_MODIFIED
from api.openapi.request_bodies import BooleanText, SectionIdsText

SHOW: Final = Operation(
    {
        200: ResponseSpec(
            "The statistics: a list of one. The figures of the questions are those of each student's first"
            " attempt, as in the item_analysis.",
            {JSON: Content(schemas.QuizStatistics), JSON_API: Content(schemas.JsonApiStatistics)},
            headers=["ETag"],
        ),
        304: NOT_MODIFIED,
    },
    parameters=[
        Parameter(
            "all_versions",
            BooleanText,
            "Whether the figures of submissions are of every attempt, or of the one per student that counts.",
            "true",
        ),
        Parameter(
            "section_ids", SectionIdsText, "Only students of these sections: ids, separated by commas.", "31"
        ),
    ],
    refusals={
        503: "The statistics are still being computed, or could not be: the message says why. Ask again after"
        " `Retry-After`."
    },
    notes="Statistics that are not current are computed while the request waits, up to 20 seconds. If that"
    " fails, it is tried again once the quiz or the roster has changed, or after ten minutes.",
)
