"""The files that `quiz-reports import` takes: the bodies of the three PUTs, with their ids inside.

The content of a file is sent byte for byte; the service alone validates it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from models.errors import QuizReportsError
from models.payloads.json_values import to_id
from ops.client.http import Client, Counts, OnInvalid

_LINES = {".ndjson", ".jsonl"}
_PIECE = 256 * 1024
_EXAMPLE = (
    '{"course": {"id": 101, ...}}, {"quiz": {"id": 201, "course_id": 101, ...}} or '
    '{"course_id": 101, "quiz_id": 201, "quiz_submissions": [...]}'
)


class ImportFileError(QuizReportsError):
    """A file cannot be pushed; the message says what it lacks."""


@dataclass(frozen=True)
class ImportFile:
    """A file, the kind of its content and its target; the content itself is not kept in memory."""

    path: Path
    course: int | str
    quiz_id: int | None = None
    has_submissions: bool = False

    @property
    def rank(self) -> int:
        """Courses come first, then quizzes, then submissions: each needs the one before."""
        return 2 if self.has_submissions else 0 if self.quiz_id is None else 1

    @property
    def target(self) -> str:
        """Name the course or quiz that it is pushed to."""
        if self.quiz_id is None:
            return f"course {self.course}"
        return f"{'submissions of ' if self.has_submissions else ''}quiz {self.quiz_id}"

    def push(
        self,
        client: Client,
        show: Callable[[int], None],
        on_invalid: OnInvalid = OnInvalid.REFUSE,
        preceding: Sequence[ImportFile] = (),
    ) -> Counts:
        """Push the file; `show` is called with the number of bytes of each piece that was sent.

        `preceding` are the files of its course and its quiz, for a check before these are stored.
        """
        known = {name: part for file in preceding for name, part in file._body().items()}
        if self.has_submissions and self.quiz_id is not None:
            first = _one_line(msgspec.Raw(msgspec.json.encode(known))) if known else b""
            lines, size = self._lines()
            pieces = _TrackedPieces(lambda: itertools.chain([first], lines()), show)
            return client.put_submissions(self.course, self.quiz_id, pieces, len(first) + size, on_invalid)
        body = self._body()
        if self.quiz_id is not None:
            counts = client.put_quiz(self.course, self.quiz_id, body["quiz"], on_invalid, preceding=known)
        else:
            counts = client.put_course(self.course, body["course"], on_invalid)
        show(self.path.stat().st_size)
        return counts

    def precedes(self, other: ImportFile) -> bool:
        """Whether this is the file of the course or of the quiz that another file belongs to."""
        is_of_course = str(self.course) == str(other.course)
        return is_of_course and self.rank < other.rank and self.quiz_id in {None, other.quiz_id}

    def _body(self) -> dict[str, dict[str, msgspec.Raw]]:
        contents = _read(self.path, _Contents)
        if self.quiz_id is None:
            return {"course": _without_ids(contents.course)}
        return {"quiz": _without_ids(contents.quiz)}

    def _lines(self) -> tuple[Callable[[], Iterable[bytes]], int]:
        if self.path.suffix in _LINES:
            return lambda: _pieces(self.path), self.path.stat().st_size
        lines = [_one_line(attempt) for attempt in _read(self.path, _Contents).quiz_submissions or []]
        return lambda: lines, sum(map(len, lines))


class _Ids(msgspec.Struct):
    id: int | str | None = None
    course_id: int | str | None = None


class _Heading(msgspec.Struct):
    """The ids of a file; its attempts are not decoded."""

    course: _Ids | None = None
    quiz: _Ids | None = None
    quiz_submissions: msgspec.Raw = msgspec.Raw()
    course_id: int | str | None = None
    quiz_id: int | str | None = None


class _Contents(msgspec.Struct):
    course: dict[str, msgspec.Raw] | None = None
    quiz: dict[str, msgspec.Raw] | None = None
    quiz_submissions: list[msgspec.Raw] | None = None


def open_import_file(path: Path, *, course: int | str | None, quiz_id: int | None) -> ImportFile:
    """Find out what a file holds; a given course or quiz takes precedence over the file's own."""
    if path.suffix in _LINES:
        return ImportFile(
            path,
            _needed(path, "course", course),
            int(_needed(path, "quiz", quiz_id)),
            has_submissions=True,
        )
    heading = _read(path, _Heading)
    if heading.course is not None:
        return ImportFile(path, _needed(path, "course", course or heading.course.id))
    ids = heading.quiz or _Ids(heading.quiz_id, heading.course_id)
    if heading.quiz is None and not bytes(heading.quiz_submissions):
        raise ImportFileError(f"{path} holds no course, quiz or submissions: write it as {_EXAMPLE}")
    return ImportFile(
        path,
        _needed(path, "course", course or ids.course_id),
        _whole(path, _needed(path, "quiz", quiz_id or ids.id)),
        has_submissions=heading.quiz is None,
    )


def _needed(path: Path, name: str, number: int | str | None) -> int | str:
    if number is None:
        raise ImportFileError(f"{path} does not say which {name} it belongs to: add --{name} ID")
    return number


def _whole(path: Path, number: int | str) -> int:
    try:
        return to_id(number)
    except ValueError as error:
        raise ImportFileError(f"{path}: the quiz's id {error}") from None


def _read(path: Path, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise ImportFileError(f"{path} cannot be read: {error}") from error


def _without_ids(body: dict[str, msgspec.Raw] | None) -> dict[str, msgspec.Raw]:
    return {name: part for name, part in (body or {}).items() if name not in {"id", "course_id"}}


def _one_line(attempt: msgspec.Raw) -> bytes:
    # Line ends stand only between the parts of a JSON text, never inside a string.
    return bytes(attempt).replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


class _TrackedPieces:
    """The pieces of a body, which show how many bytes were sent and start again for each try."""

    def __init__(self, open_pieces: Callable[[], Iterable[bytes]], show: Callable[[int], None]) -> None:
        self._open_pieces = open_pieces
        self._show = show
        self._shown = 0

    def __iter__(self) -> Iterator[bytes]:
        if self._shown:
            self._show(-self._shown)
            self._shown = 0
        for piece in self._open_pieces():
            yield piece
            self._shown += len(piece)
            self._show(len(piece))
