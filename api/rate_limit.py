"""How often one token may be used: so many requests in each minute of the clock, counted in Redis."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from api.errors import TooManyRequestsError
from models.settings import Settings

_WINDOW_SECONDS = 60
# A limit is not worth a slow answer.
_PATIENCE_SECONDS = 0.1

_log = structlog.stdlib.get_logger(__name__)


class RateLimit:
    """A limit that lets everybody through while Redis is away: reports matter more than the limit."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._most = settings.rate_limit
        self._key = b"rate-limit:" + settings.secret_key.encode()
        self._clock = clock
        # Nothing is connected before the first request: no connection crosses a fork.
        self._redis = (
            redis.Redis.from_url(
                settings.redis_url,
                socket_timeout=_PATIENCE_SECONDS,
                socket_connect_timeout=_PATIENCE_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )
            if self._most
            else None
        )

    def name(self, token: str) -> str:
        """Name what a token is counted as; without the secret key the name tells nothing of the token."""
        return hmac.digest(self._key, token.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]

    def take(self, name: str) -> int | None:
        """Count a request, and tell how many are left in this minute; raise TooManyRequestsError at none.

        None where there is no limit, or nobody who could count.
        """
        if self._redis is None:
            return None
        now = self._clock()
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
        """Give back the connections."""
        if self._redis is not None:
            self._redis.close()
