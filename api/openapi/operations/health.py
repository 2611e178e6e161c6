"""Operations: liveness, readiness and metrics."""

from __future__ import annotations

from typing import Final

from api.media_types import JSON, PLAIN
from api.openapi import schemas
from api.openapi.decorators import Content, Operation, ResponseSpec

_STATE: Final = {JSON: Content(schemas.Health)}

ALIVE: Final = Operation({200: ResponseSpec("The process is alive.", _STATE)})

READY: Final = Operation(
    {
        200: ResponseSpec("Requests can be served.", _STATE),
        503: ResponseSpec("Requests cannot be served yet, with the reason.", _STATE, ["Retry-After"]),
    }
)

METRICS: Final = Operation({200: ResponseSpec("The metrics.", {PLAIN: Content({"type": "string"})})})
