"""Statements over many rows: each column goes to the server as one array, in binary, and rows come back.

An array parameter is written `%(name)b::bigint[]`, and `unnest` turns the arrays into rows, so the same
statement serves one row and a thousand. Column lists are made from the tables of the ORM.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, Final, cast

import msgspec
import psycopg
import sqlalchemy.exc
from psycopg.rows import namedtuple_row
from psycopg.waiting import Ready, Wait
from sqlalchemy import ARRAY, JSON, BigInteger, Column, Enum, String
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from models.db.base import Base

Columns = Sequence[Column[Any]]

_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]
_PIPELINE: Final = "bulk.pipeline"


class SentStatement:
    """A statement that was sent to the server."""

    def __init__(self, session: Session, sql: str, cursor: psycopg.Cursor[Any]) -> None:
        self._session = session
        self._sql = sql
        self._cursor = cursor

    def rows(self) -> Sequence[Any]:
        """Wait for the statement and return its rows; none if it returns nothing."""
        with _translated(self._sql):
            # A statement that was sent before another one that was waited for has its result already.
            if self._cursor.pgresult is None and (pipeline := self._session.info.get(_PIPELINE)):
                pipeline.sync()
            return self._cursor.fetchall() if self._cursor.description else ()


def run(session: Session, sql: str, **parameters: Any) -> Sequence[Any]:
    """Execute a statement in the session's transaction and return its rows; none if it returns nothing."""
    return send(session, sql, **parameters).rows()


def send(session: Session, sql: str, **parameters: Any) -> SentStatement:
    """Send a statement; within `pipelined` this does not wait for its execution."""
    connection = _connection(session)
    # A plan for one row, or for tables that were small, must not be used for thousands of rows.
    is_large = any(isinstance(value, list) and len(value) > 1 for value in parameters.values())
    cursor = connection.cursor(row_factory=namedtuple_row)
    with _translated(sql):
        cursor.execute(sql, parameters, prepare=False if is_large else None)
        if _PIPELINE in session.info:
            connection.wait(_flush(connection.pgconn))
    return SentStatement(session, sql, cursor)


@contextmanager
def pipelined(session: Session) -> Iterator[None]:
    """Let the server execute what was sent while this process does something else.

    Within this block the transaction takes statements from `send` and `run` only.
    """
    with _translated("pipeline"), _connection(session).pipeline() as pipeline:
        session.info[_PIPELINE] = pipeline
        try:
            yield
        finally:
            del session.info[_PIPELINE]


def columns_of(table: type[Base], *, without: Collection[str] = ()) -> Columns:
    """List the columns of a table in their order."""
    return [column for column in table.__table__.columns.values() if column.name not in without]  # type: ignore[misc]


def names(columns: Columns) -> str:
    """Write a list of columns."""
    return ", ".join(column.name for column in columns)


def assignments(columns: Columns, source: str) -> str:
    """Write the assignments of an UPDATE that takes its values from another relation."""
    return ", ".join(f"{column.name} = {source}.{column.name}" for column in columns)


def from_arrays(columns: Columns) -> str:
    """Write a SELECT of one row for each element of the parameters, which are named like the columns."""
    selected = ", ".join(f"{c.name}::{_sql_type(c)}" if _is_sent_as_text(c) else c.name for c in columns)
    parameters = ", ".join(
        f"%({c.name})b::{'text' if _is_sent_as_text(c) else _sql_type(c)}[]" for c in columns
    )
    return f"SELECT {selected} FROM unnest({parameters}) AS pushed ({names(columns)})"  # noqa: S608


def insertion(columns: Columns, *, key: Sequence[str], shared: Sequence[str] = ()) -> str:
    """Write an INSERT of one row for each element of the parameters; DO NOTHING or DO UPDATE must follow.

    All rows share the values of the `shared` columns, which are parameters as well. The rows are inserted in
    the order of the key, so transactions that insert the same rows cannot deadlock.
    """
    table = columns[0].table.name
    own_key = ", ".join(name for name in key if name not in shared)
    selected = ", ".join([*(f"%({name})s" for name in shared), "pushed.*"])
    return f"""
        INSERT INTO {table} ({", ".join([*shared, names(columns)])})
        SELECT {selected} FROM ({from_arrays(columns)}) AS pushed
        ORDER BY {own_key}
        ON CONFLICT ({", ".join(key)})"""  # noqa: S608


def upsert(columns: Columns, *, key: Sequence[str], shared: Sequence[str] = ()) -> str:
    """Write an `insertion` that updates stored rows whose other columns differ; RETURNING may follow."""
    table = columns[0].table.name
    others = [column for column in columns if column.name not in key]
    return f"""{insertion(columns, key=key, shared=shared)} DO UPDATE SET {assignments(others, "excluded")}
        WHERE ({", ".join(f"{table}.{column.name}" for column in others)})
            IS DISTINCT FROM ({", ".join(f"excluded.{column.name}" for column in others)})"""


def update_changed(columns: Columns, *, key: Sequence[str], shared: Sequence[str] = ()) -> str:
    """Write an UPDATE of the stored rows of these keys whose other columns differ; RETURNING may follow."""
    table = columns[0].table.name
    others = names([column for column in columns if column.name not in key])
    own, pushed = ([f"{source}.{name}" for name in others.split(", ")] for source in (table, "pushed"))
    values = [f"%({name})s" for name in shared]
    return f"""
        UPDATE {table} SET ({", ".join([*shared, others])}) = ROW ({", ".join([*values, *pushed])})
        FROM ({from_arrays(columns)}) AS pushed
        WHERE {" AND ".join(f"{table}.{name} = pushed.{name}" for name in key)}
            AND ({", ".join([*(f"{table}.{name}" for name in shared), *own])})
                IS DISTINCT FROM ({", ".join([*values, *pushed])})"""  # noqa: S608


def arrays(
    columns: Columns, rows: Sequence[Any], getters: Mapping[str, Callable[[Any], Any]] | None = None
) -> dict[str, list[Any]]:
    """Collect the parameters of `from_arrays`, one array a column.

    A column is read from each row by its getter, else from the attribute of its name.
    """
    getters = getters or {}
    return {c.name: _array(c, map(getters.get(c.name) or attrgetter(c.name), rows)) for c in columns}


def _number_array_literal(numbers: Sequence[float | None]) -> str:
    """Write numbers as the text of a PostgreSQL array."""
    # PostgreSQL reads numbers as JSON writes them, and `null` in lower case.
    return "{" + msgspec.json.encode(numbers)[1:-1].decode() + "}"


def _array(column: Column[Any], values: Iterable[Any]) -> list[Any]:
    kind = column.type
    if isinstance(kind, ARRAY):
        return [
            _text_array_literal(v) if isinstance(kind.item_type, String) else _number_array_literal(v)
            for v in values
        ]
    if isinstance(kind, Enum):
        return [None if value is None else value.value for value in values]
    if isinstance(kind, BigInteger):
        # psycopg chooses the type of an array by its elements, and does not know subclasses of int.
        return [None if value is None else int(value) for value in values]
    return list(values)


def _text_array_literal(texts: Sequence[str | None]) -> str:
    if not any(texts):
        return "{" + ",".join(["NULL"] * len(texts)) + "}"
    return "{" + ",".join(["NULL" if text is None else _quoted(text) for text in texts]) + "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _is_sent_as_text(column: Column[Any]) -> bool:
    # `unnest` would flatten an array of arrays, and psycopg cannot send a text as binary JSON.
    return isinstance(column.type, (ARRAY, JSON))


def _sql_type(column: Column[Any]) -> str:
    # A cast to varchar(n) would cut a text that is too long instead of refusing it.
    return "text" if isinstance(column.type, String) else column.type.compile(dialect=_DIALECT)


def _connection(session: Session) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", session.connection().connection.driver_connection)


def _flush(connection: psycopg.pq.abc.PGconn) -> Generator[Wait, Ready | int, None]:
    # A pipeline of psycopg returns once it has begun to send, and the server would wait for the rest.
    while connection.flush():
        yield Wait.W


@contextmanager
def _translated(sql: str) -> Iterator[None]:
    """Raise what SQLAlchemy would raise, without the values of the statement's parameters."""
    try:
        yield
    except psycopg.Error as error:
        raise sqlalchemy.exc.DBAPIError.instance(
            sql, None, error, psycopg.Error, hide_parameters=True
        ) from error
