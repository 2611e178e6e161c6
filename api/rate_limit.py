"""Limits of requests a minute, counted in Redis: by token, and by address for invalid tokens."""

from __future__ import annotations

import hmac
import ipaddress
import time
import zlib
from collections.abc import Callable

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from api.errors import TooManyRequestsError
from models.settings import Settings

_WINDOW_SECONDS = 60
# Addresses share this many counters, so an attacker cannot fill Redis.
_MOST_NETWORKS = 2**16
# A limit is not worth a slow response.
_TIMEOUT_SECONDS = 0.1

_log = structlog.stdlib.get_logger(__name__)


class RateLimit:
    """A limit that is not enforced while Redis is unavailable: reports matter more than the limit."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._most = settings.rate_limit
        self._secret = b"rate-limit:" + settings.secret_key.encode()
        self._clock = clock
        # It connects at the first request, so no connection crosses a fork.
        self._redis = (
            redis.Redis.from_url(
                settings.redis_url,
                socket_timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )
            if self._most
            else None
        )

    def key(self, token: str) -> str:
        """Return the key by which a token is counted; it reveals nothing without the secret key."""
        return hmac.digest(self._secret, token.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]

    def take(self, key: str) -> int | None:
        """Count a request with the token of this key; return how many are left in this minute.

        Returns None if there is no limit, or if Redis is unavailable. Raises TooManyRequestsError.
        """
        return self._count("rate", key)

    def take_poll(self, key: str) -> int | None:
        """Count a request by which an open page follows a job: as many again, apart from `take`'s."""
        return self._count("polls", key)

    def count_invalid_token(self, address: str | None) -> None:
        """Count an invalid token, by the address that sent it; raise TooManyRequestsError beyond the limit.

        Valid tokens from the address are still accepted, since others may share it.
        """
        self._count("invalid-tokens", str(zlib.crc32(_network(address).encode()) % _MOST_NETWORKS))

    def _count(self, kind: str, name: str) -> int | None:
        if self._redis is None:
            return None
        now = self._clock()
        try:
            with self._redis.pipeline() as commands:
                key = f"quiz-reports:{kind}:{name}:{int(now // _WINDOW_SECONDS)}"
                commands.incr(key)
                commands.expire(key, 2 * _WINDOW_SECONDS)
                used = int(commands.execute()[0])
        except redis.RedisError as error:
            _log.warning("requests_not_counted", reason=type(error).__name__)
            return None
        if used > self._most:
            raise TooManyRequestsError(retry_after=int(_WINDOW_SECONDS - now % _WINDOW_SECONDS) + 1)
        return self._most - used

    def close(self) -> None:
        """Close the connections."""
        if self._redis is not None:
            self._redis.close()


def _network(address: str | None) -> str:
    """Name the IPv4 address, or the /64 of IPv6, which is what one subscriber has."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(ipaddress.ip_network((int(parsed), 64), strict=False))
        parsed = parsed.ipv4_mapped
    return str(parsed)
