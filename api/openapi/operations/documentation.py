"""The description of the API itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from api.media_types import HTML, JSON
from api.openapi.decorators import Content, Operation, ResponseSpec

OPENAPI: Final = Operation(
    {200: ResponseSpec("This document.", {JSON: Content({"type": "object"})}, headers=["ETag"])}
)

DOCS: Final = Operation({200: ResponseSpec("The page.", {HTML: Content({"type": "string"})})})


def docs_part(media_types: Iterable[str]) -> Operation:
    """Describe the files that the page loads."""
    content = {media_type: Content({"type": "string"}) for media_type in media_types}
    return Operation({200: ResponseSpec("The file.", content)}, refusals={404: "The page has no such part."})
