"""A database server that keeps its connections open and says nothing more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

import models.db.liveness
from models.db.session import Database
from tests.relay import Relay


@pytest.fixture
def relay(postgres_url: str) -> Iterator[Relay]:
    server = urlsplit(postgres_url)
    with Relay(server.hostname or "", server.port or 5432) as relay:
        yield relay


@pytest.fixture
def relayed(postgres_url: str, relay: Relay, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(models.db.liveness, "_SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(models.db.liveness, "_CONNECT_SECONDS", 2)
    server = urlsplit(postgres_url)
    url = server._replace(netloc=f"{server.username}:{server.password}@127.0.0.1:{relay.port}").geturl()
    database = Database(url, pool_size=1)
    yield database
    database.dispose()


@contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def ask(database: Database) -> object:
    with database.transaction() as session:
        return session.scalar(text("SELECT 1"))


def test_a_pooled_connection_of_a_silent_server_is_given_up(relay: Relay, relayed: Database) -> None:
    assert ask(relayed) == 1
    relay.silent.set()
    with ends_within(30), pytest.raises(OperationalError):
        ask(relayed)


def test_a_statement_that_a_server_never_answers_is_given_up(relay: Relay, relayed: Database) -> None:
    with ends_within(30), relayed.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        relay.silent.set()
        with pytest.raises(OperationalError):
            connection.execute(text("SELECT 1"))


@pytest.fixture
def slow_machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Called when the server responds again: from then on it has as long as any machine may take."""
    return lambda: monkeypatch.setattr(models.db.liveness, "_CONNECT_SECONDS", 60)


def test_a_server_that_speaks_again_is_used_again(
    relay: Relay, relayed: Database, slow_machine: Callable[[], None]
) -> None:
    assert ask(relayed) == 1
    relay.silent.set()
    with pytest.raises(OperationalError):
        ask(relayed)
    relay.silent.clear()
    slow_machine()
    assert ask(relayed) == 1


def test_a_slow_statement_of_a_server_that_answers_others_is_waited_for(
    relayed: Database, slow_machine: Callable[[], None]
) -> None:
    slow_machine()
    with relayed.transaction() as session:
        assert session.scalar(text("SELECT 1 FROM pg_sleep(2)")) == 1
