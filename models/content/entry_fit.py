"""Whether an entry of `submission_data` is a response that its question can have.

The question may have changed since the attempt: it has another type, or lacks an answer that was chosen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum, auto
from typing import Any, Final

from models.errors import IssueKind
from models.payloads.json_values import to_id

Entry = Mapping[str, Any]

SEND_QUIZ_DATA: Final = "if the attempt had it, send its quiz_data"


class InvalidResponseError(Exception):
    """A key of a response has an invalid value."""

    def __init__(self, key: str, reason: str, kind: IssueKind = IssueKind.INVALID_VALUE) -> None:
        super().__init__(f"{key} {reason}")
        self.key = key
        self.reason = reason
        self.kind = kind


class Part(Enum):
    """A way in which an entry holds a response, told by its keys."""

    CHOICE = auto()
    SELECTION = auto()
    BLANK = auto()
    UPLOAD = auto()


CHOICE_KEYS: Final = frozenset({"answer_id"})
UPLOAD_KEYS: Final = frozenset({"attachment_ids"})
# What a key of the part names, if it is not one of the question's.
_NAMES: Final = {Part.BLANK: "a blank of the question", Part.SELECTION: "an answer of the question"}
# These say nothing about the type of the question.
_OF_EVERY_TYPE: Final = frozenset({"question_id", "correct", "points", "text"})
_LONGEST_KEY: Final = 100
NOT_CHOSEN: Final = (None, "", "0")
TYPE_MISFIT: Final = (
    "does not fit the type of the question; if the attempt had it with another type, send its quiz_data"
)


def require_fit(
    entry: Entry,
    known: Collection[str] = frozenset(),
    part: Part | None = None,
    *,
    nothing: Collection[object] = (None,),
    reads_text: bool = False,
) -> None:
    """Raise InvalidResponseError for a response that the question cannot have.

    `known` are the keys, all of one part, that name something of the question. Another key of the part names
    something that the question lacks; if its value is among `nothing`, none of it would be shown. A text
    beside the part says nothing; without the part, the text is a response as well.
    """
    for key, value in entry.items():
        if key in _OF_EVERY_TYPE or key in known or (found := _part(key)) is None:
            continue
        if found is not part:
            if not _is_blank(found, value):
                raise InvalidResponseError(key[:_LONGEST_KEY], TYPE_MISFIT)
        elif value not in nothing:
            reason = f"does not name {_NAMES[part]}; {SEND_QUIZ_DATA}"
            raise InvalidResponseError(key[:_LONGEST_KEY], reason, IssueKind.UNKNOWN_ANSWER)
    if not reads_text and _has_text(entry) and (part is None or not _has_part(entry, known, part)):
        raise InvalidResponseError("text", TYPE_MISFIT)


def _has_part(entry: Entry, known: Collection[str], part: Part) -> bool:
    return any(key in known and not _is_blank(part, value) for key, value in entry.items())


def _part(key: str) -> Part | None:
    if not key.startswith("a"):
        return None
    if key == "answer_id":
        return Part.CHOICE
    if key == "attachment_ids":
        return Part.UPLOAD
    if key.startswith(("answer_for_", "answer_id_for_")):
        return Part.BLANK
    return Part.SELECTION if key.startswith("answer_") and key[7:].isdecimal() else None


def _is_blank(part: Part, value: object) -> bool:
    return value is None or value == "" or value == [] or (part is Part.SELECTION and value == "0")


def _has_text(entry: Entry) -> bool:
    text = entry.get("text")
    return text is not None and not (isinstance(text, str) and not text.strip())


def read_id(entry: Entry, key: str) -> int | None:
    """Return the id at a key, None if nothing was chosen."""
    value = entry.get(key)
    if value is None or value == "":
        return None
    try:
        return to_id(value)
    except ValueError as error:
        raise InvalidResponseError(key, str(error)) from None
