"""Transactions: the engine, the one way to get a session, and advisory locks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.orm import Session, sessionmaker

from models.db.liveness import KEEPALIVES, monitor

_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_LOCK_SHARED: Final = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:name, 0))")


class Database:
    """The transactions of one PostgreSQL database.

    An engine holds connections, so each process makes its own, after it was forked.
    """

    def __init__(self, url: str, *, statement_timeout_seconds: float = 30.0, pool_size: int = 5) -> None:
        self.url = url
        self.engine: Engine = create_engine(
            url.replace("postgresql://", "postgresql+psycopg://", 1),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=5.0,
            # Names and responses of people must not appear in a traceback.
            hide_parameters=True,
            connect_args={
                "application_name": "quiz-reports",
                "options": f"-c timezone=UTC -c statement_timeout={int(statement_timeout_seconds * 1000)}",
                **KEEPALIVES,
            },
        )
        monitor(self.engine)
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

        One transaction around them would cost a BEGIN and a COMMIT, and at the usual isolation level its
        statements would see the same rows.
        """
        with self._readers() as session:
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
