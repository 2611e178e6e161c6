"""Attempts as the LMS pushes them: parsed from JSON, and the same JSON compressed, as it is stored.

Each stored payload is a frame of Zstandard with a checksum, which its `zstd` reads, too.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError, frame_content_size

from models.errors import InvalidInputError, IssueKind, ValidationIssue
from models.payloads.entries import EntryReader, PushedEntry, encoded
from models.payloads.json_values import (
    MOST_NAME_CHARACTERS,
    UNREADABLE,
    Id,
    Name,
    Number,
    Text,
    Timestamp,
    at,
    convert_leaf,
    decoder,
    find_invalid_time,
    refusal,
)

# The next levels take more time and save two percent.
_LEVEL: Final = 1

_NULL: Final = msgspec.Raw(b"null")


class PushedState(StrEnum):
    """The state of a pushed attempt; the LMS deletes an attempt by pushing it as deleted.

    A submission that is untaken or has only settings is not an attempt yet. The last three are the words of
    Canvas for the submission of the quiz's assignment, whose history lists the attempts.
    """

    COMPLETE = "complete"
    PENDING_REVIEW = "pending_review"
    UNTAKEN = "untaken"
    PREVIEW = "preview"
    SETTINGS_ONLY = "settings_only"
    DELETED = "deleted"
    GRADED = "graded"
    SUBMITTED = "submitted"
    UNSUBMITTED = "unsubmitted"


_STORED_AS: Final[Mapping[PushedState, PushedState]] = {
    PushedState.GRADED: PushedState.COMPLETE,
    PushedState.SUBMITTED: PushedState.PENDING_REVIEW,
}


class Attachment(msgspec.Struct, gc=False):
    """A file that was uploaded with the submission."""

    id: Id
    display_name: Text


class Submission(msgspec.Struct, gc=False):
    """One attempt; its responses and `quiz_data` are not parsed yet.

    Canvas also names the end of an attempt `submitted_at`. A `temporary_user_code` beside a user is history.
    """

    id: Id
    attempt: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
    workflow_state: PushedState
    updated_at: Timestamp
    user_id: Id | None = None
    temporary_user_code: Name | None = None
    score: Number | None = None
    kept_score: Number | None = None
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None
    submitted_at: Timestamp | None = None
    was_preview: bool | None = None
    submission_data: msgspec.Raw = _NULL
    attachments: list[Attachment] | None = None
    quiz_data: msgspec.Raw = _NULL

    def __post_init__(self) -> None:
        # An empty code means no code, and null means false.
        self.temporary_user_code = (self.temporary_user_code or None) if self.user_id is None else None
        self.was_preview = self.was_preview or False
        self.workflow_state = _STORED_AS.get(self.workflow_state, self.workflow_state)
        self.finished_at = self.finished_at or self.submitted_at

    @property
    def is_deleted(self) -> bool:
        """Whether the LMS deletes this attempt."""
        return self.workflow_state is PushedState.DELETED

    @property
    def has_data(self) -> bool:
        """Whether it has responses, be it none; an attempt whose data are null has no row in a report."""
        return bytes(self.submission_data) != b"null"


# The fields of an attempt that are neither its key nor parsed separately.
_DIGESTED_FIELDS: Final = tuple(
    name
    for name in Submission.__struct_fields__
    if name not in {"id", "attempt", "submitted_at", "submission_data", "attachments", "quiz_data"}
)


@dataclass(slots=True)
class PushedAttempt:
    """One attempt with its path in the request and its JSON as it was pushed."""

    path: str
    submission: Submission
    payload: bytes
    is_skipped: bool = False

    @property
    def key(self) -> tuple[int, int]:
        """The key of the attempt: submission id and number of the attempt."""
        # psycopg chooses a wrong type for an array of a subclass of int.
        return int(self.submission.id), self.submission.attempt

    @property
    def quiz_data(self) -> bytes | None:
        """The JSON of the questions that this attempt had, None if it sends none."""
        source = bytes(self.submission.quiz_data)
        return None if source == b"null" else source

    @property
    def attachments(self) -> Mapping[int, str]:
        """The names of the uploaded files by id."""
        return {attachment.id: attachment.display_name for attachment in self.submission.attachments or ()}

    def read_entries(self, reader: EntryReader) -> list[PushedEntry]:
        """Parse the entries of the responses; raise InvalidInputError.

        They take much memory, so they are parsed when they are needed and not kept.
        """
        return reader.read(bytes(self.submission.submission_data), at(self.path, "submission_data"))

    def answered_question_ids(self) -> set[int]:
        """Read the ids of the questions that the responses are to; what is invalid has none."""
        try:
            entries = _decode_question_ids(bytes(self.submission.submission_data)) or []
        except UNREADABLE:
            return set()
        return {entry.question_id for entry in entries if entry.question_id is not None}

    def digest(self, entries: Sequence[PushedEntry], question_set_digest: bytes) -> bytes:
        """Return 32 bytes that are the same for the same attempt, however its JSON was written."""
        submission = self.submission
        # The encoder knows neither subclasses of int and str nor objects with numbers as keys.
        fields = [getattr(submission, name) for name in _DIGESTED_FIELDS]
        fields = [int(value) if type(value) is Id else value for value in fields]
        attachments = sorted((int(number), str(name)) for number, name in self.attachments.items())
        # Stored digests are of one JSON list. A large attempt is never encoded as a whole.
        content = hashlib.sha256(question_set_digest)
        content.update(b"[%b," % _encode(fields))
        for piece in encoded(entries) if submission.has_data else (b"null",):
            content.update(piece)
        content.update(b",%b]" % _encode(attachments))
        return content.digest()


def read_attempt(source: bytes, path: str) -> PushedAttempt | None:
    """Read the JSON of an attempt; None if it holds none. Raises InvalidInputError."""
    try:
        attempt = PushedAttempt(path, _decode(source), source)
        # Values of unknown keys are not decoded.
        source.decode()
    except UNREADABLE as error:
        if _holds_no_attempt(source):
            return None
        raise refusal(source, Submission, path, error) from None
    if attempt.submission.workflow_state in _NOT_TAKEN:
        return None
    if issues := list(itertools.islice(_check(attempt.submission, path), InvalidInputError.MOST_ISSUES)):
        raise InvalidInputError(issues)
    return attempt


def read_stored(payload: bytes | None, size: int | None, path: str) -> PushedAttempt:
    """Read a stored attempt again from its compressed JSON; raise InvalidInputError if it is not valid."""
    try:
        attempt = None if payload is None or size is None else read_attempt(decompressed(payload, size), path)
    except ZstdError:
        raise InvalidInputError([ValidationIssue(path, "has a damaged payload")]) from None
    if attempt is None:
        raise InvalidInputError([ValidationIssue(path, "has no payload of an attempt")])
    return attempt


def compressed(payloads: Iterable[bytes]) -> Iterator[bytes]:
    """Compress payloads one after the other, each by itself."""
    # Threads must not share one, and a new one is cheap.
    return map(ZstdCompressor(level=_LEVEL, write_checksum=True).compress, payloads)


def decompressed(payload: bytes, size: int) -> bytes:
    """Return a payload of so many bytes as it was; raise ZstdError if it is damaged."""
    # A damaged frame may claim any size, for which memory would be reserved.
    if frame_content_size(payload) != size:
        raise ZstdError("the frame is of another size")
    return ZstdDecompressor().decompress(payload, allow_extra_data=False)


class _Row(msgspec.Struct):
    workflow_state: msgspec.Raw = msgspec.Raw()
    attempt: msgspec.Raw = msgspec.Raw()


_NOT_TAKEN: Final = frozenset({PushedState.UNTAKEN, PushedState.SETTINGS_ONLY, PushedState.UNSUBMITTED})


class _EntryOfQuestion(msgspec.Struct):
    question_id: Id | None = None


def _holds_no_attempt(source: bytes) -> bool:
    """Whether a row that could not be read as an attempt is none, whatever its other fields."""
    try:
        row = _decode_row(source)
    except UNREADABLE:
        return False
    not_taken = {msgspec.json.encode(state) for state in _NOT_TAKEN}
    return bytes(row.attempt) == b"null" or bytes(row.workflow_state) in not_taken


def _check(submission: Submission, path: str) -> Iterator[ValidationIssue]:
    has_taker = submission.user_id is not None or submission.temporary_user_code is not None
    if not has_taker and not submission.is_deleted:
        yield ValidationIssue(
            at(path, "user_id"),
            "is missing; a logged-out taker has temporary_user_code instead",
            IssueKind.MISSING,
        )
    for index, attachment in enumerate(submission.attachments or ()):
        if len(attachment.display_name) > MOST_NAME_CHARACTERS:
            attachment_path = at(at(path, "attachments"), index)
            yield ValidationIssue(
                at(attachment_path, "display_name"),
                f"is longer than {MOST_NAME_CHARACTERS} characters",
                IssueKind.TOO_LONG,
            )
    end = "submitted_at" if submission.finished_at is submission.submitted_at else "finished_at"
    for name in ("started_at", end, "updated_at"):
        yield from find_invalid_time(getattr(submission, name), at(path, name))


_decode: Final = decoder(Submission).decode
_decode_row: Final = decoder(_Row).decode
_decode_question_ids: Final[Callable[[bytes], list[_EntryOfQuestion] | None]] = msgspec.json.Decoder(
    list[_EntryOfQuestion] | None, dec_hook=convert_leaf
).decode
_encode: Final = msgspec.json.Encoder(order="deterministic").encode
