"""The input that a body is read from."""

from __future__ import annotations

from typing import Protocol

from werkzeug.exceptions import BadRequest


class Readable(Protocol):
    """What a WSGI server gives to read a body from."""

    def read(self, size: int = ..., /) -> bytes:
        """Read at most so many bytes."""


class BodyInput:
    """A server's input, where a body that cannot be read is a bad request and not an error of ours."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        """Read at most so many bytes; raise BadRequest for a broken chunk or a connection that ended."""
        try:
            return self._stream.read(size)
        except Exception as error:
            # Each server has exceptions of its own for what is not HTTP.
            raise BadRequest from error
