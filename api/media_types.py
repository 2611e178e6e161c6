"""The media types that the API reads and writes."""

from __future__ import annotations

from typing import Final

JSON: Final = "application/json"
JSON_API: Final = "application/vnd.api+json"
STRING_IDS: Final = "application/json+canvas-string-ids"
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
NDJSON: Final = "application/x-ndjson"
HTML: Final = "text/html"
PLAIN: Final = "text/plain"

FORMS: Final = frozenset({FORM, MULTIPART})
