"""The real PostgreSQL and the real broker that tests run against: from wheels, or those that are named.

TEST_DATABASE_URL (a role that may create databases) and TEST_REDIS_URL (its databases are emptied) name
others. Where several processes run the tests, each starts servers of its own, or takes databases of its own
on those that are named.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine

from ops.admin.tables import all_tables
from ops.local.embedded import EmbeddedPostgres, EmbeddedValkey
from ops.local.embedded_server import EmbeddedServer, EmbeddedServerError

_Result = TypeVar("_Result")


@contextmanager
def running_postgres(directory: Path) -> Iterator[str]:
    """Give the URL of a PostgreSQL that is fast because it may lose everything in a crash."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
    else:
        with _started(EmbeddedPostgres(directory, durable=False)) as server:
            yield server.url


@contextmanager
def running_valkey(directory: Path) -> Iterator[str]:
    """Give the URL of a broker."""
    if url := os.environ.get("TEST_REDIS_URL"):
        yield _numbered(url)
    else:
        with _started(EmbeddedValkey(directory, durable=False)) as server:
            yield server.url


def _numbered(redis_url: str) -> str:
    """Name the database that has the number of this process among those that run tests."""
    process = os.environ.get("PYTEST_XDIST_WORKER")
    return urlsplit(redis_url)._replace(path=process.replace("gw", "/")).geturl() if process else redis_url


@contextmanager
def _started(server: EmbeddedServer) -> Iterator[EmbeddedServer]:
    try:
        server.start()
    except EmbeddedServerError as error:
        # On a laptop the other tests are still worth running; CI must not pass without these.
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def new_database(server_url: str) -> Iterator[str]:
    """Make an empty database of a random name on the server, and drop it in the end."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    address, _, options = server_url.partition("?")
    try:
        yield f"{address.rsplit('/', 1)[0]}/{name}" + (f"?{options}" if options else "")
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            _end_connections(connection, name)
            # With FORCE it would be refused while the server vacuums a table of the database.
            connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def _end_connections(connection: psycopg.Connection, database: str) -> None:
    """End every other connection to a database; only a superuser may end the server's own processes."""
    connection.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE datname = %s AND usename = current_user AND pid <> pg_backend_pid()",
        (database,),
    )


# A table that refers to another comes after it.
_TABLES = [table.name for table in all_tables().sorted_tables]
_SCHEMA = "kept_by_tests"
# Functions, because a session plans the statements of a function once.
_KEEP_EMPTY = f"""
    CREATE SCHEMA {_SCHEMA};
    CREATE FUNCTION {_SCHEMA}.empty_tables() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
        -- TRUNCATE makes new files for all tables and indexes, which takes ten times as long as deleting a
        -- few rows. Deleted rows keep their space, so tables that have grown are truncated.
        IF (SELECT sum(pg_relation_size(oid)) FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace) > 4000000
        THEN
            TRUNCATE {", ".join(_TABLES)};
        ELSE
            -- A quiz and its question sets refer to each other.
            UPDATE quizzes SET question_set_id = NULL;
            {" ".join(f"DELETE FROM {table};" for table in reversed(_TABLES))}
        END IF;
        {{restart}}
    END $$
"""


def drop_connections(database_url: str) -> None:
    """End every other connection to a database, as a restart of the server does."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        _end_connections(connection, connection.info.dbname)


def prepare_tables(engine: Engine) -> None:
    """Add what `empty_tables` and `KeptRows` need to a database that is migrated and empty."""
    with engine.begin() as connection:
        sequences = connection.exec_driver_sql(
            "SELECT quote_ident(sequencename) FROM pg_sequences WHERE schemaname = 'public'"
        ).scalars()
        restart = " ".join(f"PERFORM setval('{name}', 1, false);" for name in sequences)
        connection.exec_driver_sql(_KEEP_EMPTY.format(restart=restart))


def empty_tables(engine: Engine) -> None:
    """Empty every table but Alembic's own; ids start at 1 again."""
    with engine.begin() as connection:
        # A test that left a transaction open would let all later ones wait for ever: say so instead.
        connection.exec_driver_sql("SET LOCAL lock_timeout = '60s'")
        connection.exec_driver_sql(f"SELECT {_SCHEMA}.empty_tables()")


class KeptRows(Generic[_Result]):
    """Rows that many tests begin with: added by the code once, and from copies of the tables afterwards."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._schema = f"{_SCHEMA}_{name}"
        self._results: list[_Result] = []

    @property
    def are_kept(self) -> bool:
        """Whether they have been added once."""
        return bool(self._results)

    def put(self, add: Callable[[], _Result]) -> _Result:
        """Add the rows to empty tables; return what adding them returned."""
        if self.are_kept:
            with self._engine.begin() as connection:
                connection.exec_driver_sql(f"SELECT {self._schema}.restore()")
        else:
            self._results.append(add())
            self._keep()
        return self._results[0]

    def _keep(self) -> None:
        with self._engine.begin() as connection:
            filled = [
                table
                for table in _TABLES
                if connection.exec_driver_sql(f"SELECT EXISTS (SELECT FROM {table})").scalar_one()
            ]
            sequences = connection.exec_driver_sql(
                "SELECT quote_ident(sequencename), last_value FROM pg_sequences"
                " WHERE schemaname = 'public' AND last_value IS NOT NULL"
            ).all()
            copies = [f"CREATE TABLE {self._schema}.{table} AS TABLE {table};" for table in filled]
            inserts = [
                f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE {self._schema}.{table};"
                for table in filled
            ]
            links = link = ""
            if "question_sets" in filled:
                # A quiz and its question sets refer to each other.
                links = (
                    f"CREATE TABLE {self._schema}.links AS SELECT id, question_set_id FROM quizzes;"
                    f" UPDATE {self._schema}.quizzes SET question_set_id = NULL;"
                )
                link = (
                    "UPDATE quizzes SET question_set_id = links.question_set_id"
                    f" FROM {self._schema}.links WHERE links.id = quizzes.id;"
                )
            counts = [f"PERFORM setval('{name}', {last});" for name, last in sequences]
            connection.exec_driver_sql(f"""
                CREATE SCHEMA {self._schema};
                {" ".join(copies)}
                {links}
                CREATE FUNCTION {self._schema}.restore() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
                    {" ".join([*inserts, link, *counts])}
                END $$
            """)
