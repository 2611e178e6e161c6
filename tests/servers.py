"""The real PostgreSQL and the real broker that tests run against: from wheels, or those that are named.

TEST_DATABASE_URL (a role that may create databases) and TEST_REDIS_URL (its databases are emptied) name
others. Where several processes run the tests, each starts servers of its own, or takes databases of its own
on those that are named.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine

from ops.admin.tables import all_tables
from ops.local.embedded import EmbeddedPostgres, EmbeddedValkey
from ops.local.embedded_server import EmbeddedServer, EmbeddedServerError


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
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


# A table that refers to another comes after it.
_TABLES = [table.name for table in all_tables().sorted_tables]
# TRUNCATE makes new files for all tables and indexes, which takes ten times as long as deleting a few rows.
# Deleted rows keep their space, so tables that have grown are truncated.
_EMPTY_TABLES = f"""
    DO $$ BEGIN
        IF (SELECT sum(pg_relation_size(relid)) FROM pg_stat_user_tables) > 4000000 THEN
            TRUNCATE {", ".join(_TABLES)};
        ELSE
            -- A quiz and its question sets refer to each other.
            UPDATE quizzes SET question_set_id = NULL;
            {" ".join(f"DELETE FROM {table};" for table in reversed(_TABLES))}
        END IF;
        PERFORM setval(quote_ident(sequencename)::regclass, 1, false) FROM pg_sequences
            WHERE schemaname = 'public' AND last_value IS NOT NULL;
    END $$
"""


def drop_connections(database_url: str) -> None:
    """End every other connection to a database, as a restart of the server does."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def empty_tables(engine: Engine) -> None:
    """Empty every table but Alembic's own; ids start at 1 again."""
    with engine.begin() as connection:
        # A test that left a transaction open would let all later ones wait for ever: say so instead.
        connection.exec_driver_sql("SET LOCAL lock_timeout = '10s'")
        connection.exec_driver_sql(_EMPTY_TABLES)


def statements_that_restore(engine: Engine) -> str:
    """Return SQL that puts the rows of now into empty tables, in a tenth of the time that the ORM needs."""
    with engine.begin() as connection:
        rows = {
            table: connection.exec_driver_sql(f"SELECT json_agg(t) FROM {table} t").scalar_one()
            for table in _TABLES
        }
        sequences = connection.exec_driver_sql(
            "SELECT quote_ident(sequencename), last_value FROM pg_sequences"
            " WHERE schemaname = 'public' AND last_value IS NOT NULL"
        ).all()
    inserts = [
        sql.SQL(
            "INSERT INTO {0} OVERRIDING SYSTEM VALUE SELECT * FROM json_populate_recordset(NULL::{0}, {1})"
        ).format(sql.Identifier(table), json.dumps(found))
        for table, found in rows.items()
        if found
    ]
    counts = [sql.SQL("SELECT setval({}::regclass, {})").format(*sequence) for sequence in sequences]
    return sql.SQL("; ").join([*inserts, *counts]).as_string()
