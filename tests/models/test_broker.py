"""What is wrong with a broker, in words, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
import redis

from models.broker import BrokerError, BrokerRefusesUserError, check_broker


@pytest.fixture
def broker(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


@contextmanager
def configured(broker: redis.Redis, name: str, value: str) -> Iterator[None]:
    before = str(broker.config_get(name)[name])
    broker.config_set(name, value)
    try:
        yield
    finally:
        broker.config_set(name, before)


@contextmanager
def user_with(broker: redis.Redis, redis_url: str, rights: str) -> Iterator[str]:
    """Give the URL of a user of these rights."""
    categories = rights.split()
    broker.acl_setuser(
        "limited",
        enabled=True,
        passwords="+secret",
        keys="*",
        channels="*",
        categories=[right for right in categories if "@" in right],
        commands=[right for right in categories if "@" not in right],
    )
    parts = urlsplit(redis_url)
    try:
        yield parts._replace(netloc=f"limited:secret@{parts.netloc.rpartition('@')[2]}").geturl()
    finally:
        broker.acl_deluser("limited")


def test_a_broker_that_takes_messages(broker: redis.Redis, redis_url: str) -> None:
    with configured(broker, "maxmemory-policy", "noeviction"):
        assert check_broker(redis_url).eviction_policy == "noeviction"
    assert broker.keys("quiz-reports:*") == []


def test_a_full_broker_is_not_said_to_be_well(broker: redis.Redis, redis_url: str) -> None:
    with (
        configured(broker, "maxmemory", "1"),
        pytest.raises(BrokerError, match=r"full .*: raise its maxmemory"),
    ):
        check_broker(redis_url)


def test_a_user_who_may_not_call_info_can_still_be_used(broker: redis.Redis, redis_url: str) -> None:
    with user_with(broker, redis_url, "+@all -info") as url:
        assert check_broker(url).eviction_policy is None


def test_a_user_who_may_only_read(broker: redis.Redis, redis_url: str) -> None:
    with (
        user_with(broker, redis_url, "+@read +@connection") as url,
        pytest.raises(BrokerRefusesUserError, match="does not allow"),
    ):
        check_broker(url)


def test_a_wrong_password_is_no_outage(broker: redis.Redis, redis_url: str) -> None:
    with (
        user_with(broker, redis_url, "+@all") as url,
        pytest.raises(BrokerRefusesUserError, match=r"password .*: check REDIS_URL"),
    ):
        check_broker(url.replace("secret", "wrong"))


def test_a_broker_that_does_not_respond(redis_url: str) -> None:
    with pytest.raises(BrokerError, match=r"does not respond .*: start it") as raised:
        check_broker("redis://:canary@127.0.0.1:1/0")
    assert not isinstance(raised.value, BrokerRefusesUserError)
    assert "canary" not in str(raised.value)


def test_a_replica_is_told_from_an_outage(broker: redis.Redis, redis_url: str) -> None:
    broker.replicaof("127.0.0.1", 1)
    try:
        with pytest.raises(BrokerError, match=r"replica .*: let REDIS_URL name the primary"):
            check_broker(redis_url)
    finally:
        broker.replicaof("NO", "ONE")
