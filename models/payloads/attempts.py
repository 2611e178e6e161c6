"""Attempts as the LMS pushes them: parsed from one JSON document or line by line, in batches."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from zstandard import ZstdError

from models.errors import InvalidInputError, IssueKind, ValidationIssue
from models.issues import Issues, RefusedWhole
from models.payloads.compressed import decompressed
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
    decode_document,
    decoder,
    find_invalid_time,
    refusal,
)
from models.payloads.key_set import KeySet
from models.payloads.strict_json import may_hide_something, require_strict

_LIST: Final = "quiz_submissions"

_NULL: Final = msgspec.Raw(b"null")

# A batch is written by one statement; a few batches are in memory at a time.
MAX_ATTEMPTS: Final = 500
MAX_BYTES: Final = 8 * 2**20


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


@dataclass
class Batch:
    """Some attempts of a request, with the size of their JSON.

    `not_attempts` counts the rows that hold no attempt.
    """

    attempts: list[PushedAttempt] = field(default_factory=list)
    not_attempts: int = 0
    size: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it should be processed before more is read."""
        return len(self.attempts) >= MAX_ATTEMPTS or self.size >= MAX_BYTES


# None for a row that holds no attempt.
_Read = Callable[[bytes, str], PushedAttempt | None]


class Batches:
    """The attempts of a request, read in batches while they are iterated over.

    `issues` takes what is wrong with them, here and in the use case; invalid attempts are in no batch. The
    keys of many attempts go to a file in `folder`, that of the system's temporary files if it is None.
    """

    def __init__(
        self, sources: Iterable[tuple[str, bytes]], read: _Read, issues: Issues, folder: str | None
    ) -> None:
        self._sources = sources
        self._read = read
        self._folder = folder
        self.issues = issues

    def __iter__(self) -> Iterator[Batch]:
        """Read until the end, or until the issues are full."""
        batch = Batch()
        with KeySet(self._folder) as keys:
            for path, source in self._sources:
                if self.issues.is_full:
                    break
                self._add(batch, source, path, keys)
                batch.size += len(source)
                if batch.is_full:
                    yield batch
                    batch = Batch()
        if batch.size:
            yield batch

    def _add(self, batch: Batch, source: bytes, path: str, keys: KeySet) -> None:
        issues: list[ValidationIssue] = []
        attempt: PushedAttempt | None = None
        try:
            attempt = self._read(source, path)
        except InvalidInputError as error:
            issues += error.issues
        if attempt is None and not issues:
            batch.not_attempts += 1
            return
        key = attempt.key if attempt else _read_key(source)
        if key and not keys.add(key):
            issues.append(
                ValidationIssue(path, "repeats an earlier attempt of this request", IssueKind.REPEATED)
            )
        if attempt is None or issues:
            self.issues.skip(issues)
        else:
            batch.attempts.append(attempt)


def read_document(body: bytes, issues: Issues | None = None, folder: str | None = None) -> Batches:
    """Read `{"quiz_submissions": [...]}`; raise InvalidInputError if the document has another shape."""
    attempts = decode_document(body, _Document).quiz_submissions
    sources = ((at(_LIST, index), bytes(source)) for index, source in enumerate(attempts))
    return Batches(sources, _read_attempt, issues or RefusedWhole(), folder)


def read_lines(
    chunks: Iterable[bytes], max_line_bytes: int, issues: Issues | None = None, folder: str | None = None
) -> Batches:
    """Read one attempt a line while the bytes arrive; empty lines are skipped."""
    issues = issues or RefusedWhole()
    return Batches(_split(chunks, max_line_bytes, issues), _read_line, issues, folder)


def read_stored(payload: bytes | None, size: int | None, path: str) -> PushedAttempt:
    """Read a stored attempt again from its compressed JSON; raise InvalidInputError if it is not valid."""
    try:
        attempt = (
            None if payload is None or size is None else _read_attempt(decompressed(payload, size), path)
        )
    except ZstdError:
        raise InvalidInputError([ValidationIssue(path, "has a damaged payload")]) from None
    if attempt is None:
        raise InvalidInputError([ValidationIssue(path, "has no payload of an attempt")])
    return attempt


class _Document(msgspec.Struct):
    quiz_submissions: list[msgspec.Raw]


class _Key(msgspec.Struct):
    id: Id
    # An invalid number makes a key as well, but for one that no database can hold.
    attempt: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


def _read_key(source: bytes) -> tuple[int, int] | None:
    """Read the key of an attempt that is invalid otherwise."""
    try:
        key = _decode_key(source)
    except UNREADABLE:
        return None
    return int(key.id), key.attempt


class _Row(msgspec.Struct):
    workflow_state: msgspec.Raw = msgspec.Raw()
    attempt: msgspec.Raw = msgspec.Raw()


_NOT_TAKEN: Final = frozenset({PushedState.UNTAKEN, PushedState.SETTINGS_ONLY, PushedState.UNSUBMITTED})


class _EntryOfQuestion(msgspec.Struct):
    question_id: Id | None = None


def _split(chunks: Iterable[bytes], max_line_bytes: int, issues: Issues) -> Iterator[tuple[str, bytes]]:
    """Split chunks into lines with their paths; a line that is too long is reported, and not kept."""
    number, size = 0, 0
    unfinished: list[bytes] = []
    for chunk in itertools.chain(chunks, [b"\n"]):
        first, *others = chunk.split(b"\n")
        was_too_long = size > max_line_bytes
        size += len(first)
        if size <= max_line_bytes:
            unfinished.append(first)
        elif not was_too_long:
            unfinished = []
            reason = f"is longer than {max_line_bytes} bytes"
            issues.skip([ValidationIssue(at(_LIST, number), reason, IssueKind.TOO_LONG)])
            # The rest of the line may be endless, and need not be read to refuse it.
            issues.finish()
        if others:
            *finished, last = b"".join(unfinished), *others
            for line in finished:
                if line.strip():
                    yield at(_LIST, number), line
                number += 1
            unfinished, size = [last], len(last)


def _read_line(line: bytes, path: str) -> PushedAttempt | None:
    attempt = _read_attempt(line, path)
    if attempt is None or not _is_surely_strict_outside(line, attempt.submission):
        require_strict(line, path)
    return attempt


def _read_attempt(source: bytes, path: str) -> PushedAttempt | None:
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


# Counting proves that most JSON has no repeated key, no NUL and no deep nesting. Each pair of an object has
# one colon, and the colons in strings can be counted, too. A decoded object lacks one pair of a repeated key,
# so the text then has more colons than the decoded values explain. What is not proven is examined closely.


def _is_surely_strict_outside(line: bytes, submission: Submission) -> bool:
    """Whether a line is surely strict, apart from responses and questions, which are checked when parsed."""
    outside = _without(line, b'"submission_data":', submission.submission_data)
    outside = _without(outside, b'"quiz_data":', submission.quiz_data)
    try:
        values = [bytes(value) for value in _decode_top(outside).values()]
    except UNREADABLE:
        return False
    if may_hide_something(outside) or any(value.startswith((b"{", b"[")) for value in values):
        return False
    return outside.count(b":") == len(values) + sum(value.count(b":") for value in values)


def _without(line: bytes, key: bytes, raw: msgspec.Raw) -> bytes:
    """Replace a list by null, if it is written without space or with one space after the colon.

    The key may also be found elsewhere, before another value. That value cannot be longer than the list if it
    begins with it, since a list ends with its bracket; but 12 begins with 1.
    """
    value = bytes(raw)
    start = line.find(key) + len(key)
    if start < len(key) or not value.startswith(b"["):
        return line
    start += line.startswith(b" ", start)
    return line[:start] + b"null" + line[start + len(value) :] if line.startswith(value, start) else line


_decode: Final = decoder(Submission).decode
_decode_key: Final = decoder(_Key).decode
_decode_row: Final = decoder(_Row).decode
_decode_top: Final = decoder(dict[str, msgspec.Raw]).decode
_decode_question_ids: Final[Callable[[bytes], list[_EntryOfQuestion] | None]] = msgspec.json.Decoder(
    list[_EntryOfQuestion] | None, dec_hook=convert_leaf
).decode
_encode: Final = msgspec.json.Encoder(order="deterministic").encode
