"""The response to a conditional request."""

from __future__ import annotations

from typing import Final

from api.openapi.decorators import ResponseSpec

NOT_MODIFIED: Final = ResponseSpec("Nothing has changed since the ETag that was sent.", headers=["ETag"])
