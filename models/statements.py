"""Set-based SQL: whole columns go to the server as arrays, in binary, and come back as rows.

A column is written `%(name)b::bigint[]`. PostgreSQL unpacks it with `unnest`, so a statement takes one row or
a thousand, and there is one way of writing for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session


def run(session: Session, sql: str, **columns: Any) -> Sequence[Row[Any]]:
    """Execute a statement in the session's transaction and return its rows; none if it returns nothing."""
    result = session.connection().exec_driver_sql(sql, columns)
    return result.fetchall() if result.returns_rows else ()


def lock(session: Session, name: str) -> None:
    """Wait until no other transaction holds this name, shared or not, then hold it to the end."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def lock_shared(session: Session, name: str) -> None:
    """Wait until no other transaction holds this name for itself alone, then hold it to the end."""
    session.execute(text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:name, 0))"), {"name": name})
