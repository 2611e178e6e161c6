"""The attempts of a request in batches, read from one JSON document or line by line, none of them twice."""

from __future__ import annotations

import itertools
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Final, Self

import msgspec

from models.errors import InvalidInputError, IssueKind, TemporaryFileError, ValidationIssue
from models.issues import Issues, RefusedWhole
from models.payloads.attempts import PushedAttempt, Submission, read_attempt
from models.payloads.json_values import UNREADABLE, Id, at, decode_document, decoder
from models.payloads.strict_json import may_hide_something, require_strict

_LIST: Final = "quiz_submissions"

# A batch is written by one statement; a few batches are in memory at a time.
MAX_ATTEMPTS: Final = 500
MAX_BYTES: Final = 8 * 2**20

# Submission id and number of the attempt.
_AttemptKey = tuple[int, int]

# Some 15 MB of keys; most pushes are smaller, and need no file.
MOST_KEYS_IN_MEMORY: Final = 100_000
_CACHE_KIB: Final = 8 * 2**10


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
        with AttemptKeys(self._folder) as keys:
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

    def _add(self, batch: Batch, source: bytes, path: str, keys: AttemptKeys) -> None:
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
    return Batches(sources, read_attempt, issues or RefusedWhole(), folder)


def read_lines(
    chunks: Iterable[bytes], max_line_bytes: int, issues: Issues | None = None, folder: str | None = None
) -> Batches:
    """Read one attempt a line while the bytes arrive; empty lines are skipped."""
    issues = issues or RefusedWhole()
    return Batches(_split(chunks, max_line_bytes, issues), _read_line, issues, folder)


class _Document(msgspec.Struct):
    quiz_submissions: list[msgspec.Raw]


class _Key(msgspec.Struct):
    id: Id
    # An invalid number makes a key as well, but for one that no database can hold.
    attempt: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


def _read_key(source: bytes) -> _AttemptKey | None:
    """Read the key of an attempt that is invalid otherwise."""
    try:
        key = _decode_key(source)
    except UNREADABLE:
        return None
    return int(key.id), key.attempt


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
    attempt = read_attempt(line, path)
    if attempt is None or not _is_surely_strict_outside(line, attempt.submission):
        require_strict(line, path)
    return attempt


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


class AttemptKeys:
    """The keys of attempts, first in memory, then in a file without a name in a folder.

    The file is deleted with `close`, or by the system if the process is killed. Raises TemporaryFileError if
    it cannot be written, after which the set is of no use.
    """

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder or None
        self._in_memory: set[_AttemptKey] = set()
        self._file: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget the keys."""
        self._in_memory = set()
        if self._file is not None:
            self._file.close()

    def add(self, key: _AttemptKey) -> bool:
        """Add a key; return False if the set has it already."""
        if self._file is None and len(self._in_memory) < MOST_KEYS_IN_MEMORY:
            before = len(self._in_memory)
            self._in_memory.add(key)
            return len(self._in_memory) > before
        try:
            if self._file is None:
                self._file = _new_file(self._folder)
                self._file.executemany(_INSERT_KEY, sorted(self._in_memory))
                self._in_memory = set()
            return self._file.execute(_INSERT_KEY, key).rowcount == 1
        except (OSError, sqlite3.Error) as error:
            raise TemporaryFileError("The keys of a push cannot be written to a file.") from error


def _new_file(folder: str | None) -> sqlite3.Connection:
    with tempfile.NamedTemporaryFile(dir=folder) as named:
        file = sqlite3.connect(named.name, isolation_level=None)
        try:
            # Nothing is read after an error, so no journal is needed, which would be another file.
            file.execute("PRAGMA journal_mode = OFF")
            file.execute("PRAGMA synchronous = OFF")
            file.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            file.execute("BEGIN EXCLUSIVE")
            file.execute(_KEYS_TABLE)
        except BaseException:
            file.close()
            raise
    return file


_KEYS_TABLE: Final = """
    CREATE TABLE keys (submission_id INTEGER, attempt INTEGER, PRIMARY KEY (submission_id, attempt))
    WITHOUT ROWID"""

_INSERT_KEY: Final = "INSERT OR IGNORE INTO keys VALUES (?, ?)"

_decode_key: Final = decoder(_Key).decode
_decode_top: Final = decoder(dict[str, msgspec.Raw]).decode
