"""Stored payloads: what was compressed comes back unchanged, and nothing else is taken for it."""

from __future__ import annotations

import msgspec
import pytest
from zstandard import ZstdError

from models.payloads.compressed import compressed, decompressed
from tests.payloads import many_attempts


def test_payloads_come_back_unchanged_and_in_order() -> None:
    payloads = [b"", b"{}", "ä\N{GRINNING FACE}".encode(), *map(msgspec.json.encode, many_attempts(3))]

    assert list(map(decompressed, compressed(payloads))) == payloads


def test_a_long_payload_takes_little_space() -> None:
    payload = b'{"text": "%b"}' % (b"a long essay " * 100_000)

    (frame,) = compressed([payload])

    assert len(frame) < len(payload) // 1_000
    assert decompressed(frame) == payload


@pytest.mark.parametrize("stored", [b"", b"{}", next(compressed([b"an essay" * 100]))[:-1]])
def test_what_was_not_compressed_here_is_refused(stored: bytes) -> None:
    with pytest.raises(ZstdError):
        decompressed(stored)
