"""The statements that the service sends, and the plans that PostgreSQL has for them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import psycopg

from workers.extract.snapshot import SnapshotConnection

# EXPLAIN accepts these; the others open transactions, set options, or take locks.
_PLANNED = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


@dataclass(frozen=True)
class Statement:
    """A statement with its parameters, as it was sent to the server."""

    sql: str
    parameters: Any = None


@contextlib.contextmanager
def recorded_statements() -> Iterator[list[Statement]]:
    """Record every statement that this process sends, through psycopg or through the snapshot of a report."""
    statements: list[Statement] = []
    execute: Callable[..., Any] = psycopg.Cursor.execute
    read = SnapshotConnection.read

    def record_execute(cursor: Any, query: Any, params: Any = None, **options: Any) -> Any:
        sql = query.decode() if isinstance(query, bytes) else str(query)
        statements.append(Statement(sql, params))
        return execute(cursor, query, params, **options)

    def record_read(connection: SnapshotConnection, sql: str, rows: int = 0) -> Any:
        statements.append(Statement(sql))
        return read(connection, sql, rows)

    with (
        mock.patch.object(psycopg.Cursor, "execute", record_execute),
        mock.patch.object(SnapshotConnection, "read", record_read),
    ):
        yield statements


def sequential_scans(url: str, statements: Sequence[Statement]) -> Iterator[tuple[str, str]]:
    """Yield the table and the statement of each sequential scan in the plans of the statements."""
    with psycopg.connect(url) as connection:
        for statement in statements:
            if not statement.sql.lstrip().upper().startswith(_PLANNED):
                continue
            plan = _plan(connection, statement)
            yield from ((table, statement.sql) for table in _scanned(plan))


def _plan(connection: psycopg.Connection[Any], statement: Statement) -> Any:
    # EXPLAIN executes nothing, not even a statement that writes.
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement.sql}".encode(), statement.parameters)
        row = cursor.fetchone()
    assert row is not None  # noqa: S101 - EXPLAIN returns one row.
    return row[0][0]["Plan"]


def _scanned(plan: Any) -> Iterator[str]:
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from _scanned(part)
