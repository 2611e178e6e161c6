"""Verifiers: signed, short-lived permissions to download one file."""

from __future__ import annotations

import hashlib
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from itsdangerous import BadSignature, TimestampSigner

LIFETIME_SECONDS = 3600
# The machines of the API may differ in their clocks, so a verifier may seem to come from the future.
LEEWAY_SECONDS = 60


@dataclass(frozen=True)
class SignedFile:
    """The file that a verifier names; the uuid distinguishes it from a later file with the same id.

    Downloads count against the rate limit of the token that got the verifier: `rate_limit_key` is its key.
    """

    file_id: str
    file_uuid: uuid.UUID
    rate_limit_key: str = ""


class _Signer(TimestampSigner):
    def __init__(self, secret_key: str, clock: Callable[[], float]) -> None:
        super().__init__(
            secret_key, salt="file-verifier", key_derivation="hmac", digest_method=hashlib.sha256
        )
        self._clock = clock

    def get_timestamp(self) -> int:
        return int(self._clock())


class Verifiers:
    """Signs and reads verifiers; the clock gives seconds since 1970."""

    def __init__(self, secret_key: str, clock: Callable[[], float] = time.time) -> None:
        self._signer = _Signer(secret_key, clock)
        self._clock = clock

    def issue(self, file_id: int, file_uuid: uuid.UUID, rate_limit_key: str = "") -> str:
        """Make a new verifier for a file."""
        content = f"{file_id}-{file_uuid.hex}-{secrets.token_hex(4)}-{rate_limit_key}"
        return self._signer.sign(content).decode()

    def read(self, verifier: str) -> SignedFile | None:
        """Return the file that a verifier was signed for, or None if it is forged or expired."""
        try:
            # The age is checked below, because the `max_age` of itsdangerous allows no difference of clocks.
            content, signed_at = self._signer.unsign(verifier.encode(), return_timestamp=True)
            signed = content.decode()
        except (BadSignature, UnicodeError):
            return None
        if not -LEEWAY_SECONDS <= int(self._clock()) - signed_at.timestamp() <= LIFETIME_SECONDS:
            return None
        file_id, file_uuid, _, rate_limit_key = signed.rsplit("-", 3)
        return SignedFile(file_id, uuid.UUID(file_uuid), rate_limit_key)
