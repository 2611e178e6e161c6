"""Transactions: the engine, the one way to get a session, and advisory locks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, text
from sqlalchemy.orm import Session, sessionmaker

from models.db.failures import POOLER_FAULT
from models.db.liveness import KEEPALIVES, monitor

_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_LOCK_SHARED: Final = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:name, 0))")
_APPLICATION_NAME = "quiz-reports"


class Database:
    """The transactions of one PostgreSQL database.

    An engine holds connections, so each process makes its own, after it was forked. The server ends a
    statement, and a transaction that waits for its next one, after `statement_timeout_seconds`.
    """

    def __init__(self, url: str, *, statement_timeout_seconds: float = 30.0, pool_size: int = 5) -> None:
        self.url = url
        autocommit = create_engine(
            url.replace("postgresql://", "postgresql+psycopg://", 1),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=5.0,
            # A connection is changed for a transaction, and back: most sessions are of single statements.
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            # Names and responses of people must not appear in a traceback.
            hide_parameters=True,
            connect_args={
                # The name is set with the options only, so that it tells whether the server took them.
                "application_name": "",
                "options": _options(
                    application_name=_APPLICATION_NAME,
                    # A database may have other defaults, in which psycopg cannot read a time.
                    datestyle="ISO",
                    timezone="UTC",
                    client_encoding="UTF8",
                    default_transaction_isolation=r"read\ committed",
                    statement_timeout=str(int(statement_timeout_seconds * 1000)),
                    # A client that the network cuts off would keep its locks until TCP gives up, after hours.
                    idle_in_transaction_session_timeout=str(int(statement_timeout_seconds * 1000)),
                ),
                **KEEPALIVES,
            },
        )
        monitor(autocommit)
        event.listen(autocommit, "connect", _require_options)
        event.listen(autocommit, "handle_error", _leave_a_standby)
        self.engine: Engine = autocommit.execution_options(isolation_level="READ COMMITTED")
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._single_statements = sessionmaker(autocommit, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a session and a transaction: committed at the end of the block, rolled back if it raises."""
        with self._sessions.begin() as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session for a few statements that only read; each is a transaction of its own.

        One transaction around them would cost a BEGIN and a COMMIT, and at the usual isolation level its
        statements would see the same rows.
        """
        with self._single_statements() as session:
            yield session

    @contextmanager
    def single_statement(self) -> Iterator[Session]:
        """Open a session for one statement that changes rows: it is committed at once, or changes nothing.

        A transaction around it would cost a BEGIN and a COMMIT, each a round trip.
        """
        with self._single_statements() as session:
            yield session

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def lock(transaction: Session | Connection, name: str) -> None:
    """Wait until no other transaction holds the lock of this name, shared or not, then take it."""
    transaction.execute(_LOCK, {"name": name})


def lock_shared(transaction: Session | Connection, name: str) -> None:
    """Wait until no other transaction holds the lock of this name exclusively, then share it."""
    transaction.execute(_LOCK_SHARED, {"name": name})


def _options(**settings: str) -> str:
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def _require_options(connection: psycopg.Connection[Any], _record: Any) -> None:
    """Refuse a connection without our settings: times and timeouts would be other ones."""
    if connection.info.parameter_status("application_name") != _APPLICATION_NAME:
        raise psycopg.OperationalError(POOLER_FAULT)


def _leave_a_standby(context: ExceptionContext) -> None:
    """Drop a connection that can only read: after a failover it leads to the server that was the primary."""
    if isinstance(context.original_exception, ReadOnlySqlTransaction):
        context.is_disconnect = True
