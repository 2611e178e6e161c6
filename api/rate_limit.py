"""The number of requests that one token may make in each minute of the clock, counted in Redis."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from api.errors import TooManyRequestsError
from models.settings import Settings

_WINDOW_SECONDS = 60
# A limit is not worth a slow response.
_TIMEOUT_SECONDS = 0.1

_log = structlog.stdlib.get_logger(__name__)


class RateLimit:
    """A limit that is not enforced while Redis is unavailable: reports matter more than the limit."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._most = settings.rate_limit
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

    def take(self, token: str) -> int | None:
        """Count a request and return how many are left in this minute.

        Returns None if there is no limit, or if Redis is unavailable. Raises TooManyRequestsError.
        """
        if self._redis is None:
            return None
        now = self._clock()
        # The token itself is never stored.
        name = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        try:
            with self._redis.pipeline() as commands:
                key = f"quiz-reports:rate:{name}:{int(now // _WINDOW_SECONDS)}"
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
