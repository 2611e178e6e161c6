"""The state of the broker in an operator's words: what is wrong with it, and the remedy."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.retry import Retry

from models.errors import QuizReportsError

_TIMEOUT_SECONDS: Final = 2.0


class BrokerError(QuizReportsError):
    """The broker cannot be used; the message says why, without the URL."""

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(f"{fault}: {remedy}")


class BrokerRefusesUserError(BrokerError):
    """The broker responds, and refuses the user or the password: waiting will not help."""


@dataclass(frozen=True)
class BrokerState:
    """A broker that takes messages; the policy of eviction is None if the user may not read it."""

    eviction_policy: str | None


def check_broker(redis_url: str) -> BrokerState:
    """Write to the broker as the publisher does, and read its policy; raise BrokerError if that fails."""
    client = redis.Redis.from_url(
        redis_url,
        socket_timeout=_TIMEOUT_SECONDS,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    key = f"quiz-reports:check:{secrets.token_hex(8)}"
    try:
        client.lpush(key, "")
        client.delete(key)
        return BrokerState(_eviction_policy(client))
    except (RedisError, OSError) as error:
        raise _explained(error) from None
    finally:
        client.close()


def _eviction_policy(client: redis.Redis) -> str | None:
    try:
        policy = client.info("memory").get("maxmemory_policy")
    except NoPermissionError:
        return None
    return None if policy is None else str(policy)


def _explained(error: Exception) -> BrokerError:
    match error:
        case AuthenticationError():
            return BrokerRefusesUserError(
                f"the broker refuses the user or the password ({error})", "check REDIS_URL"
            )
        case NoPermissionError():
            return BrokerRefusesUserError(
                f"the broker does not allow the user what Celery does ({error})",
                "give the user of REDIS_URL the categories @read, @write, @pubsub, @transaction, @scripting"
                " and @connection on all keys and channels",
            )
        case OutOfMemoryError():
            return BrokerError(
                f"the broker is full ({error})", "raise its maxmemory, or remove what others store in it"
            )
        case ReadOnlyError():
            return BrokerError(
                f"the broker is a replica that takes no writes ({error})", "let REDIS_URL name the primary"
            )
    return BrokerError(
        f"the broker does not respond ({error})", "start it, or check REDIS_URL; reports wait meanwhile"
    )
