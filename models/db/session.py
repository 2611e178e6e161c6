"""The engine and the one way to get a session."""

from __future__ import annotations

import select
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import Session, sessionmaker

_CONNECT_SECONDS = 5
# After so long without a byte it is asked whether the server is there at all.
_SILENCE_SECONDS = 5.0
# A connection that lay in the pool is asked first whether it still works: that takes no time.
_PING_SECONDS = 2.0
# One that was used a moment ago is believed: under load every request would ask, for nothing.
_TRUSTED_SECONDS = 1.0


class WatchfulConnection(psycopg.Connection[Any]):
    """A connection that gives up a server which answers nobody; one that is only slow is waited for.

    Where a server's machine is gone the kernel notices. A server that is stopped or hangs keeps its sockets
    open, though, and neither a statement's timeout nor the kernel ends the waiting for it.
    """

    lies_in_pool = False
    last_used = 0.0

    def still_works(self) -> bool:
        """Tell whether a connection may be used again; only after a pause is the server asked."""
        if time.monotonic() - self.last_used < _TRUSTED_SECONDS and not self._is_spoken_to():
            return True
        try:
            self.autocommit = True
            self.execute("SELECT 1")
            self.autocommit = False
        except psycopg.Error:
            return False
        return True

    def _is_spoken_to(self) -> bool:
        # Nobody has asked for anything, so what a server says now is that it goes.
        return bool(select.select([self.pgconn.socket], [], [], 0)[0])

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **options: Any) -> Any:
        """Wait for what psycopg has begun, as psycopg does, with an eye on the server."""
        try:
            return super().wait(self._watched(gen), *args, **options)
        except psycopg.Error as error:
            # The lines that follow may hold the row, with names and answers of people: `diag` has them still.
            error.args = tuple(str(part).split("\n", 1)[0] for part in error.args)
            raise

    def _watched(self, waiting: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        heard = time.monotonic()
        try:
            wanted = next(waiting)
            while True:
                # Nothing is ready several times a second, so that it can be looked at the clock.
                ready = yield wanted
                if ready:
                    heard = time.monotonic()
                elif time.monotonic() - heard > (_PING_SECONDS if self.lies_in_pool else _SILENCE_SECONDS):
                    self._require_server()
                    heard = time.monotonic()
                wanted = waiting.send(ready)
        except StopIteration as end:
            return end.value

    def _require_server(self) -> None:
        if self.lies_in_pool or not self._server_answers():
            self.close()
            raise psycopg.OperationalError("the server does not answer")

    def _server_answers(self) -> bool:
        try:
            psycopg.connect(
                self.info.dsn, password=self.info.password, connect_timeout=_CONNECT_SECONDS
            ).close()
        except psycopg.errors.ConnectionTimeout:
            return False
        except psycopg.OperationalError:
            # It refuses more connections, or is being restarted: that is an answer.
            return True
        return True


class Database:
    """PostgreSQL as the rest of the service sees it: transactions.

    An engine holds connections, so a process makes its own after it was forked.
    """

    def __init__(self, url: str, *, statement_timeout_seconds: float = 30.0, pool_size: int = 5) -> None:
        self.url = url
        self.engine: Engine = create_engine(
            url.replace("postgresql://", "postgresql+psycopg://", 1),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=5.0,
            # Names and answers of people have no place in a traceback.
            hide_parameters=True,
            connect_args={
                "connect_timeout": _CONNECT_SECONDS,
                "application_name": "quiz-reports",
                "options": f"-c timezone=UTC -c statement_timeout={int(statement_timeout_seconds * 1000)}",
                # Where the server's machine is gone, the kernel gives up for us.
                "tcp_user_timeout": 10_000,
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 2,
            },
        )
        event.listen(self.engine, "do_connect", _connect)
        event.listen(self.engine, "checkin", _note_checkin)
        event.listen(self.engine, "checkout", _note_checkout)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._readers = sessionmaker(
            self.engine.execution_options(isolation_level="AUTOCOMMIT"), expire_on_commit=False
        )

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a session and a transaction: committed at the end of the block, rolled back if it raises."""
        with self._sessions.begin() as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session for a few statements that only read; each is a transaction of its own.

        They would see no other rows in one transaction, at this isolation, and need not be told when it
        begins and ends.
        """
        with self._readers() as session:
            yield session

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _connect(
    _dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]
) -> WatchfulConnection:
    return WatchfulConnection.connect(*arguments, **options)


def _note_checkin(connection: WatchfulConnection | None, _record: Any) -> None:
    if connection is not None:
        connection.lies_in_pool = True
        connection.last_used = time.monotonic()


def _note_checkout(connection: WatchfulConnection, _record: Any, _proxy: Any) -> None:
    if connection.lies_in_pool and not connection.still_works():
        # The others of the pool are most likely dead, too: each is then made anew.
        raise InvalidatePoolError
    connection.lies_in_pool = False
