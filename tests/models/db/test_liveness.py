"""A database server that keeps its connections open and says nothing more."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

import models.db.liveness
from models.db.session import Database


class Relay:
    """Passes bytes on between a client and a server, until it falls silent."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._stop = threading.Event()
        self.silent = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for used in [*self._sockets, self._listener]:
            used.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            if self.silent.is_set():
                # As with a stopped process: the kernel still takes connections.
                self._stop.wait(0.05)
                continue
            with suppress(TimeoutError):
                client = self._listener.accept()[0]
                server = socket.create_connection(self._server)
                self._sockets += [client, server]
                for source, target in ((client, server), (server, client)):
                    source.settimeout(0.05)
                    thread = threading.Thread(target=self._pass_on, args=[source, target])
                    self._threads.append(thread)
                    thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        while not self._stop.is_set():
            if self.silent.is_set():
                self._stop.wait(0.05)
                continue
            try:
                received = source.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            if not received:
                return
            # What was on its way when the silence began is not heard before its end.
            while self.silent.is_set() and not self._stop.is_set():
                self._stop.wait(0.05)
            with suppress(OSError):
                target.sendall(received)


@pytest.fixture
def relay(postgres_url: str) -> Iterator[Relay]:
    server = urlsplit(postgres_url)
    relay = Relay(server.hostname or "", server.port or 5432)
    yield relay
    relay.close()


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


def test_a_server_that_speaks_again_is_used_again(relay: Relay, relayed: Database) -> None:
    assert ask(relayed) == 1
    relay.silent.set()
    with pytest.raises(OperationalError):
        ask(relayed)
    relay.silent.clear()
    assert ask(relayed) == 1


def test_a_slow_statement_of_a_server_that_answers_others_is_waited_for(relayed: Database) -> None:
    with relayed.transaction() as session:
        assert session.scalar(text("SELECT 1 FROM pg_sleep(2)")) == 1
