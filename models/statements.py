"""Set-based SQL: whole columns go to the server as arrays, in binary, and come back as rows.

A column is written `%(name)b::bigint[]`. PostgreSQL unpacks it with `unnest`, so a statement takes one row or
a thousand, and there is one way of writing for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import psycopg
import sqlalchemy.exc
from psycopg.rows import namedtuple_row
from sqlalchemy import text
from sqlalchemy.orm import Session


def run(session: Session, sql: str, **columns: Any) -> Sequence[Any]:
    """Execute a statement in the session's transaction and return its rows; none if it returns nothing."""
    connection = cast("psycopg.Connection[Any]", session.connection().connection.driver_connection)
    # A plan that was made for one row, or while the tables were small, must not be kept for thousands.
    is_large = any(isinstance(column, list) and len(column) > 1 for column in columns.values())
    try:
        with connection.cursor(row_factory=namedtuple_row) as cursor:
            cursor.execute(sql, columns, prepare=False if is_large else None)
            return cursor.fetchall() if cursor.description else ()
    except psycopg.OperationalError as error:
        raise sqlalchemy.exc.OperationalError(sql, None, error) from error


def lock(session: Session, name: str) -> None:
    """Wait until no other transaction holds this name, shared or not, then hold it to the end."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def lock_shared(session: Session, name: str) -> None:
    """Wait until no other transaction holds this name for itself alone, then hold it to the end."""
    session.execute(text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:name, 0))"), {"name": name})
