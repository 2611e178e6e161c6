"""Payloads as they are stored: each a frame of Zstandard, which its command line reads, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from zstandard import ZstdCompressor, ZstdDecompressor

# The next levels take more time and save two percent.
_LEVEL: Final = 1


def compressed(payloads: Iterable[bytes]) -> Iterator[bytes]:
    """Compress payloads one after the other, each by itself."""
    # Threads must not share one, and a new one is cheap.
    return map(ZstdCompressor(level=_LEVEL).compress, payloads)


def decompressed(payload: bytes) -> bytes:
    """Return a payload as it was; raise ZstdError if it was not compressed here."""
    return ZstdDecompressor().decompress(payload)
