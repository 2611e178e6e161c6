"""The stream from which a request's body is read."""

from __future__ import annotations

from typing import Protocol

from werkzeug.exceptions import BadRequest


class Readable(Protocol):
    """The input stream of a WSGI server."""

    def read(self, size: int = ..., /) -> bytes:
        """Read at most `size` bytes."""


class BodyInput:
    """The input stream of a server; a body that cannot be read is a bad request."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        """Read at most `size` bytes; raises BadRequest for a broken chunk or a closed connection."""
        try:
            return self._stream.read(size)
        except Exception as error:
            # Each server has its own exceptions for invalid HTTP.
            raise BadRequest from error
