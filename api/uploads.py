"""Bodies that are received whole before a change begins, so that a slow client holds nothing but a thread.

A small body stays in memory. A larger one goes to a file without a name, which is gone when it is closed,
also if the process is killed.
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
    """Receives bodies; of those that need a file, only so many at a time."""

    def __init__(self, folder: str, most_files: int) -> None:
        self._folder = folder or None
        self._slots = threading.BoundedSemaphore(most_files)

    @contextmanager
    def receive(self, most_bytes: int) -> Iterator[Body]:
        """Receive the body of the request; the block reads it, and at its end it is gone.

        Raises BodyTooLargeError, at once where the length is announced; NotReceivedError where there is no
        slot or no room on the disk; ClientDisconnected where the client leaves early.
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
                # What came of it may well end with a whole line, and must not be stored for the whole.
                raise ClientDisconnected
            body.seek(0)
            yield body

    @contextmanager
    def _file(self) -> Iterator[io.FileIO]:
        if not self._slots.acquire(blocking=False):
            raise NotReceivedError("Too many large bodies are being received. Please try again.")
        try:
            with ExitStack() as opened:
                with _no_room_is_told():
                    # Without a buffer, nothing is left to be written when a full disk's file is closed.
                    file = opened.enter_context(tempfile.TemporaryFile(buffering=0, dir=self._folder))
                yield file
        finally:
            self._slots.release()


def chunks_of(body: Body) -> Iterator[bytes]:
    """Read a body in parts."""
    while chunk := body.read(_CHUNK_BYTES):
        yield chunk


def _chunks(most_bytes: int) -> Iterable[bytes]:
    # Werkzeug cuts a body of unknown length at its limit, without a word: a byte more tells that it did.
    request.max_content_length = most_bytes + 1
    received = 0
    while chunk := request.stream.read(_CHUNK_BYTES):
        received += len(chunk)
        if received > most_bytes:
            raise _too_large(most_bytes)
        yield chunk


def _write(body: Body, chunk: bytes) -> None:
    rest = memoryview(chunk)
    with _no_room_is_told():
        while rest:
            rest = rest[body.write(rest) :]


@contextmanager
def _no_room_is_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _log.warning("body_not_stored", reason=str(error))
        raise NotReceivedError("There is no room to receive the body. Please try again later.") from error


def _too_large(most_bytes: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"The body is larger than {most_bytes} bytes.")
