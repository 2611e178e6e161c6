"""What a check brings along: the course and the quiz that will be pushed before what is checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from models.payloads.json_values import UNREADABLE


@dataclass(frozen=True)
class Preceding:
    """A document, or the first of several lines, and what it holds of a course and a quiz."""

    source: bytes = b""
    has_course: bool = False
    has_quiz: bool = False


class _Parts(msgspec.Struct):
    course: msgspec.Raw = msgspec.Raw()
    quiz: msgspec.Raw = msgspec.Raw()


def find_preceding(source: bytes) -> Preceding:
    """Find out whether a document or a line holds a course, and whether it holds a quiz."""
    try:
        parts = _decode(source)
    except UNREADABLE:
        # The reader of what is checked reports it.
        return Preceding()
    return Preceding(source, bool(bytes(parts.course)), bool(bytes(parts.quiz)))


_decode: Final = msgspec.json.Decoder(_Parts).decode
