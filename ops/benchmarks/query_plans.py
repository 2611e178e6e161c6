"""The statements that the service sends, and the plans that PostgreSQL has for them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import psycopg

from workers.extract.snapshot import SnapshotConnection

# EXPLAIN accepts these; the others open transactions, set options, or take locks.
_PLANNED = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
# An index that is partial is small, so all of it may be read.
_WHOLE_INDEXES = """
    SELECT of_index.relname, of_table.relname
    FROM pg_index JOIN pg_class AS of_index ON of_index.oid = indexrelid
        JOIN pg_class AS of_table ON of_table.oid = indrelid
    WHERE indpred IS NULL
"""


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


def whole_reads(url: str, statements: Sequence[Statement]) -> Iterator[tuple[str, str]]:
    """Yield the table and the statement of each place in the plans that reads a table from end to end.

    It is a sequential scan, or one of an index without a condition, unless the index is partial; PostgreSQL
    scans no bitmap of such an index. How much a condition leaves out is not seen.
    """
    with psycopg.connect(url) as connection:
        table_of_index: dict[str, str] = dict(connection.execute(_WHOLE_INDEXES).fetchall())
        for statement in statements:
            if not statement.sql.lstrip().upper().startswith(_PLANNED):
                continue
            plan = _plan(connection, statement)
            yield from ((table, statement.sql) for table in _read_whole(plan, table_of_index))


def _plan(connection: psycopg.Connection[Any], statement: Statement) -> Any:
    # EXPLAIN executes nothing, not even a statement that writes.
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement.sql}".encode(), statement.parameters)
        row = cursor.fetchone()
    assert row is not None  # noqa: S101 - EXPLAIN returns one row.
    return row[0][0]["Plan"]


def _read_whole(plan: Any, table_of_index: Mapping[str, str]) -> Iterator[str]:
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    elif plan.get("Index Name") in table_of_index and "Index Cond" not in plan:
        yield table_of_index[plan["Index Name"]]
    for part in plan.get("Plans", ()):
        yield from _read_whole(part, table_of_index)
