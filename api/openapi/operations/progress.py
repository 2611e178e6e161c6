"""The Progress of a job."""

from __future__ import annotations

from typing import Final

from api.media_types import FORM, JSON, MULTIPART
from api.openapi import schemas
from api.openapi.decorators import Content, Operation, ResponseSpec
from api.openapi.operations.unchanged import NOT_MODIFIED
from api.openapi.request_bodies import CancelBody

_CANCEL: Final = Content(CancelBody, {"message": "not needed any more"})

SHOW: Final = Operation(
    {
        200: ResponseSpec(
            "The Progress, as plain JSON whatever `Accept` says.",
            {JSON: Content(schemas.Progress)},
            headers=["ETag", "Retry-After"],
        ),
        304: NOT_MODIFIED,
    }
)

CANCEL: Final = Operation(
    {
        200: ResponseSpec(
            "The Progress as it ended: `failed`, with the message that was sent. It is deleted afterwards.",
            {JSON: Content(schemas.Progress)},
        )
    },
    body={JSON: _CANCEL, FORM: _CANCEL, MULTIPART: _CANCEL},
    body_is_required=False,
    refusals={403: "The job belongs to another user.", 409: "The job is no longer queued."},
)
