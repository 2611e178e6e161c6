"""Bodies are received whole before a change begins, so that a slow client occupies only a thread.

A small body stays in memory. A larger one goes to an unnamed file, which the system deletes when it is
closed or the process is killed.
"""

from __future__ import annotations

import io
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import structlog
from flask import request
from werkzeug.exceptions import ClientDisconnected

from api.errors import BodyTooLargeError, NotReceivedError

_log = structlog.stdlib.get_logger(__name__)

MOST_BYTES_IN_MEMORY: Final = 2**20
_CHUNK_BYTES: Final = 2**18

Body = io.BytesIO | io.FileIO


class Uploads:
    """Receives bodies; at most `most_files` of them use a file at the same time."""

    def __init__(self, folder: str, most_files: int) -> None:
        self._folder = folder or None
        self._slots = threading.BoundedSemaphore(most_files)

    @contextmanager
    def receive(self, most_bytes: int) -> Iterator[Body]:
        """Receive the body of the request; it exists until the end of the block.

        Raises BodyTooLargeError, at once if the length is announced; NotReceivedError if no slot is free or
        the disk is full; ClientDisconnected if the client disconnects early.
        """
        announced = request.content_length
        if announced is not None and announced > most_bytes:
            raise _too_large(most_bytes)
        with ExitStack() as files:
            body: Body = io.BytesIO()
            if announced is not None and announced > MOST_BYTES_IN_MEMORY:
                body = files.enter_context(self._file())
            for chunk in _chunks(most_bytes):
                if isinstance(body, io.BytesIO) and body.tell() + len(chunk) > MOST_BYTES_IN_MEMORY:
                    start = body.getvalue()
                    body = files.enter_context(self._file())
                    _write(body, start)
                _write(body, chunk)
            if announced is not None and body.tell() < announced:
                # The part that arrived may end with a whole line, and must not be taken for the whole body.
                raise ClientDisconnected
            body.seek(0)
            yield body

    @contextmanager
    def _file(self) -> Iterator[io.FileIO]:
        if not self._slots.acquire(blocking=False):
            raise NotReceivedError("Too many large bodies are being received. Please try again.")
        try:
            with ExitStack() as opened:
                with _disk_errors_reported():
                    # Without a buffer, closing the file writes nothing, so it cannot fail on a full disk.
                    file = opened.enter_context(tempfile.TemporaryFile(buffering=0, dir=self._folder))
                yield file
        finally:
            self._slots.release()


def chunks_of(body: Body) -> Iterator[bytes]:
    """Read a body in chunks."""
    while chunk := body.read(_CHUNK_BYTES):
        yield chunk


def first_line(body: Body, most_bytes: int) -> bytes:
    """Read the first line of a body, which then stands at the second; a longer one is cut off."""
    pieces: list[bytes] = []
    size = 0
    for chunk in chunks_of(body):
        piece, line_end, _ = chunk.partition(b"\n")
        pieces.append(piece)
        size += len(piece)
        if line_end or size > most_bytes:
            break
    body.seek(size + 1)
    return b"".join(pieces)


def _chunks(most_bytes: int) -> Iterable[bytes]:
    # Werkzeug silently cuts a body of unknown length at its limit, so the limit is one byte higher.
    request.max_content_length = most_bytes + 1
    received = 0
    while chunk := request.stream.read(_CHUNK_BYTES):
        received += len(chunk)
        if received > most_bytes:
            raise _too_large(most_bytes)
        yield chunk


def _write(body: Body, chunk: bytes) -> None:
    rest = memoryview(chunk)
    with _disk_errors_reported():
        while rest:
            rest = rest[body.write(rest) :]


@contextmanager
def _disk_errors_reported() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _log.warning("body_not_stored", reason=str(error))
        raise NotReceivedError(
            "There is no disk space to receive the body. Please try again later."
        ) from error


def _too_large(most_bytes: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"The body is larger than {most_bytes} bytes.")
