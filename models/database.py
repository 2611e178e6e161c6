"""The engine and the one way to get a session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session, sessionmaker


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
            pool_pre_ping=True,
            # Names and answers of people have no place in a traceback.
            hide_parameters=True,
            connect_args={
                "connect_timeout": 5,
                "application_name": "quiz-reports",
                "options": f"-c timezone=UTC -c statement_timeout={int(statement_timeout_seconds * 1000)}",
                # A frozen server answers neither: the kernel gives up for us.
                "tcp_user_timeout": 10_000,
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 2,
            },
        )
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a session and a transaction: committed at the end of the block, rolled back if it raises."""
        with self._sessions.begin() as session:
            yield session

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()
