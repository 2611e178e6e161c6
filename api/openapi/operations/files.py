"""Report files."""

from __future__ import annotations

from typing import Any, Final

from api.media_types import JSON
from api.openapi import schemas
from api.openapi.decorators import Content, Operation, Parameter, ResponseSpec
from api.openapi.operations.unchanged import NOT_MODIFIED
from api.openapi.request_bodies import Anything
from models.reports.variants import FORMATS

_PART: Final = {spec.media_type: Content({"type": "string"}) for spec in FORMATS.values()}
# A list is the student_analysis of New Quizzes.
_FILE: Final = {**_PART, JSON: Content(schemas.JsonReport | list[Any])}
_HEADERS: Final = ["ETag", "Content-Disposition"]

SHOW: Final = Operation(
    {200: ResponseSpec("The File.", {JSON: Content(schemas.File)}, ["ETag"]), 304: NOT_MODIFIED}
)

DOWNLOAD: Final = Operation(
    {
        200: ResponseSpec("The file.", _FILE, _HEADERS),
        206: ResponseSpec("The requested part of the file.", _PART, [*_HEADERS, "Content-Range"]),
        302: ResponseSpec(
            "The address of the file in its store, if the service is set to redirect downloads.",
            headers=["Location"],
        ),
        304: NOT_MODIFIED,
    },
    parameters=[Parameter("download_frd", Anything, "Part of a File's `url`, without effect.", "1")],
    refusals={416: "The range lies outside the file."},
    accepts_verifier=True,
)
