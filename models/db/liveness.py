"""The connection that notices a silent database, and the keep-alive settings of every connection.

If the server's machine is gone, the kernel notices: `KEEPALIVES` tells it how soon. A server that is stopped
or hangs keeps its sockets open, though, so neither the kernel nor a statement timeout ends the wait for it.
"""

from __future__ import annotations

import select
import time
from collections.abc import Generator, Mapping
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

_CONNECT_SECONDS = 5
# After this long without a byte from the server, a second connection tests whether it still responds.
_SILENCE_SECONDS = 5.0
# The test of a pooled connection is a statement that takes no time, so its wait is shorter.
_PING_SECONDS = 2.0
# A connection used this recently is not tested: under load each request would pay for the test.
_TRUSTED_SECONDS = 1.0

# Parameters of libpq, for psycopg and for ADBC. By default the kernel waits for a lost machine for hours.
KEEPALIVES: Final[Mapping[str, int]] = {
    "connect_timeout": _CONNECT_SECONDS,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
}


class MonitoredConnection(psycopg.Connection[Any]):
    """A connection that gives up on a server that no longer responds, and waits for one that is only slow."""

    is_pooled = False
    last_used = 0.0

    def is_usable(self) -> bool:
        """Whether a pooled connection may be used again; only after a pause is the server asked."""
        if self.info.transaction_status != TransactionStatus.IDLE:
            # An error that is none of the database's left it in the middle of a statement.
            return False
        if time.monotonic() - self.last_used < _TRUSTED_SECONDS and not self._has_unread_data():
            return True
        try:
            self.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def _has_unread_data(self) -> bool:
        # No query is in flight, so unread data can only be the server's goodbye.
        return bool(select.select([self.pgconn.socket], [], [], 0)[0])

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **options: Any) -> Any:
        """Wait as psycopg does, and test a silent server; raise OperationalError if it does not respond."""
        try:
            return super().wait(self._monitored(gen), *args, **options)
        except psycopg.Error as error:
            # Further lines may quote the row, with names and responses of people; `diag` still has them.
            error.args = tuple(str(part).split("\n", 1)[0] for part in error.args)
            raise

    def _monitored(self, waiting: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        last_byte = time.monotonic()
        try:
            wanted = next(waiting)
            while True:
                # psycopg resumes this several times a second even if nothing is ready.
                ready = yield wanted
                if ready:
                    last_byte = time.monotonic()
                elif time.monotonic() - last_byte > (_PING_SECONDS if self.is_pooled else _SILENCE_SECONDS):
                    self._require_server()
                    last_byte = time.monotonic()
                wanted = waiting.send(ready)
        except StopIteration as end:
            return end.value

    def _require_server(self) -> None:
        if self.is_pooled or not self._server_responds():
            self.close()
            raise psycopg.OperationalError("the server does not respond")

    def _server_responds(self) -> bool:
        try:
            psycopg.connect(
                self.info.dsn, password=self.info.password, connect_timeout=_CONNECT_SECONDS
            ).close()
        except psycopg.errors.ConnectionTimeout:
            return False
        except psycopg.OperationalError:
            # A server that refuses connections or restarts has responded.
            return True
        return True


def monitor(engine: Engine) -> None:
    """Let an engine make monitored connections, and test each before it leaves the pool."""
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "checkin", _on_checkin)
    event.listen(engine, "checkout", _on_checkout)


def _connect(
    _dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]
) -> MonitoredConnection:
    return MonitoredConnection.connect(*arguments, **options)


def _on_checkin(connection: MonitoredConnection | None, _record: Any) -> None:
    if connection is not None:
        connection.is_pooled = True
        connection.last_used = time.monotonic()


def _on_checkout(connection: MonitoredConnection, _record: Any, _proxy: Any) -> None:
    if connection.is_pooled and not connection.is_usable():
        # The pool's other connections are most likely dead as well, so all are made again.
        raise InvalidatePoolError
    connection.is_pooled = False
