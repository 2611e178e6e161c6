"""Stored payloads: what was compressed comes back unchanged, and nothing else is taken for it."""

from __future__ import annotations

import msgspec
import pytest
from zstandard import ZstdError

from models.payloads.attempts import compressed, decompressed
from tests.payloads import many_attempts

PAYLOAD = b"an essay" * 100
(FRAME,) = compressed([PAYLOAD])


def test_payloads_come_back_unchanged_and_in_order() -> None:
    payloads = [b"", b"{}", "ä\N{GRINNING FACE}".encode(), *map(msgspec.json.encode, many_attempts(3))]

    assert list(map(decompressed, compressed(payloads), map(len, payloads))) == payloads


def test_a_long_payload_takes_little_space() -> None:
    payload = b'{"text": "%b"}' % (b"a long essay " * 100_000)

    (frame,) = compressed([payload])

    assert len(frame) < len(payload) // 1_000
    assert decompressed(frame, len(payload)) == payload


@pytest.mark.parametrize("stored", [b"", b"{}", FRAME[:-1], FRAME + b"more", FRAME * 2])
def test_what_was_not_compressed_here_is_refused(stored: bytes) -> None:
    with pytest.raises(ZstdError):
        decompressed(stored, len(PAYLOAD))


def test_no_flipped_bit_makes_another_payload() -> None:
    refused = 0
    for bit in range(len(FRAME) * 8):
        damaged = bytearray(FRAME)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert decompressed(bytes(damaged), len(PAYLOAD)) == PAYLOAD
        except ZstdError:
            refused += 1
    # Few bits mean nothing.
    assert refused > len(FRAME) * 7


@pytest.mark.parametrize("size", [len(PAYLOAD) - 1, len(PAYLOAD) + 1, 10**11])
def test_a_frame_of_another_size_reserves_no_memory(size: int) -> None:
    claimed = FRAME[:4] + b"\xe0" + size.to_bytes(8, "little")
    for frame, expected in ((FRAME, size), (claimed, len(PAYLOAD))):
        with pytest.raises(ZstdError, match="another size"):
            decompressed(frame, expected)
