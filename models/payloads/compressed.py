"""Payloads as they are stored: each a frame of Zstandard with a checksum, which its `zstd` reads, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError, frame_content_size

# The next levels take more time and save two percent.
_LEVEL: Final = 1


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
