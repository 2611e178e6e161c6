"""Set-based SQL: whole columns go to the server as arrays, in binary, and come back as rows.

A column is written `%(name)b::bigint[]`. PostgreSQL unpacks it with `unnest`, so a statement takes one row or
a thousand, and there is one way of writing for both.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

import psycopg
import sqlalchemy.exc
from psycopg.rows import namedtuple_row
from psycopg.waiting import Ready, Wait
from sqlalchemy import text
from sqlalchemy.orm import Session

_PIPELINE: Final = "statements.pipeline"


class Sent:
    """A statement that is on its way."""

    def __init__(self, session: Session, sql: str, cursor: psycopg.Cursor[Any]) -> None:
        self._session = session
        self._sql = sql
        self._cursor = cursor

    def rows(self) -> Sequence[Any]:
        """Wait for the statement and return its rows; none if it returns nothing."""
        with _translated(self._sql):
            if pipeline := self._session.info.get(_PIPELINE):
                pipeline.sync()
            return self._cursor.fetchall() if self._cursor.description else ()


def run(session: Session, sql: str, **columns: Any) -> Sequence[Any]:
    """Execute a statement in the session's transaction and return its rows; none if it returns nothing."""
    return send(session, sql, **columns).rows()


def send(session: Session, sql: str, **columns: Any) -> Sent:
    """Send a statement to be executed; within `pipelined` this does not wait for it."""
    connection = _connection(session)
    # A plan that was made for one row, or while the tables were small, must not be kept for thousands.
    is_large = any(isinstance(column, list) and len(column) > 1 for column in columns.values())
    cursor = connection.cursor(row_factory=namedtuple_row)
    with _translated(sql):
        cursor.execute(sql, columns, prepare=False if is_large else None)
        if _PIPELINE in session.info:
            connection.wait(_flush(connection.pgconn))
    return Sent(session, sql, cursor)


@contextmanager
def pipelined(session: Session) -> Iterator[None]:
    """Let the server work on what was sent while this process does something else.

    Within this block the transaction takes statements from `send` and `run` only.
    """
    with _translated("pipeline"), _connection(session).pipeline() as pipeline:
        session.info[_PIPELINE] = pipeline
        try:
            yield
        finally:
            del session.info[_PIPELINE]


def lock(session: Session, name: str) -> None:
    """Wait until no other transaction holds this name, shared or not, then hold it to the end."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def lock_shared(session: Session, name: str) -> None:
    """Wait until no other transaction holds this name for itself alone, then hold it to the end."""
    session.execute(text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:name, 0))"), {"name": name})


def _connection(session: Session) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", session.connection().connection.driver_connection)


def _flush(connection: psycopg.pq.abc.PGconn) -> Generator[Wait, Ready | int, None]:
    # A pipeline is content with having begun to send, and the server would wait for the rest.
    while connection.flush():
        yield Wait.W


@contextmanager
def _translated(sql: str) -> Iterator[None]:
    """Raise what SQLAlchemy would raise, without the values that went into the statement."""
    try:
        yield
    except psycopg.Error as error:
        raise sqlalchemy.exc.DBAPIError.instance(
            sql, None, error, psycopg.Error, hide_parameters=True
        ) from error
