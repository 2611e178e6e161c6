"""What a check brings along: the course and the quiz that will be pushed before what is checked."""

from __future__ import annotations

from typing import Final

import msgspec


class _Preceding(msgspec.Struct):
    course: msgspec.Raw = msgspec.Raw()
    quiz: msgspec.Raw = msgspec.Raw()


def find_preceding(source: bytes) -> tuple[bool, bool]:
    """Tell whether a document or a line holds a course, and whether it holds a quiz."""
    try:
        preceding = _decode(source)
    except msgspec.DecodeError:
        # The reader of what is checked reports it.
        return False, False
    return bool(bytes(preceding.course)), bool(bytes(preceding.quiz))


_decode: Final = msgspec.json.Decoder(_Preceding).decode
