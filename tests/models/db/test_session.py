"""Connections whatever the defaults of the database are, transactions, and the locks that they hold."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.exc import InternalError, OperationalError
from sqlalchemy.orm import Session

from models.db.failures import connection_failure
from models.db.liveness import MonitoredConnection
from models.db.session import Database, lock, lock_shared
from ops.local.ports import free_port
from tests.waiting import wait_for


def set_default(url: str, setting: str, value: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET {} = {}").format(name, sql.Identifier(setting), sql.Literal(value))
        )


@pytest.mark.parametrize(
    ("setting", "value"),
    [("datestyle", "German, DMY"), ("timezone", "Asia/Tokyo"), ("client_encoding", "LATIN1")],
)
def test_the_defaults_of_a_database_change_nothing(empty_database_url: str, setting: str, value: str) -> None:
    set_default(empty_database_url, setting, value)
    database = Database(empty_database_url)
    try:
        with database.transaction() as session:
            row = session.execute(text("SELECT timestamptz '2026-09-10 09:12:31+00', 'é€'::text")).one()
    finally:
        database.dispose()
    assert tuple(row) == (datetime(2026, 9, 10, 9, 12, 31, tzinfo=UTC), "é€")


def test_every_session_sees_what_others_have_committed(empty_database_url: str) -> None:
    set_default(empty_database_url, "default_transaction_isolation", "serializable")
    database = Database(empty_database_url)
    try:
        for session_of in (database.transaction, database.reading, database.single_statement):
            with session_of() as session:
                assert session.scalar(text("SHOW transaction_isolation")) == "read committed"
    finally:
        database.dispose()


def test_a_connection_that_was_left_in_a_statement_is_not_used_again(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(empty_database_url, pool_size=1)

    def fails(connection: MonitoredConnection, generator: Any, *args: Any, **options: Any) -> Any:
        # The statement is sent, and nobody reads its result.
        next(generator)
        raise MemoryError

    try:
        with database.single_statement() as session:
            session.execute(text("SELECT 1"))
        with database.single_statement() as session, monkeypatch.context() as patched:
            session.connection()
            patched.setattr(MonitoredConnection, "wait", fails)
            with pytest.raises(MemoryError):
                session.execute(text("SELECT pg_sleep(0.5)"))
        with database.single_statement() as session:
            assert session.scalar(text("SELECT 42")) == 42
    finally:
        database.dispose()


def test_after_a_failover_the_connection_to_the_standby_is_dropped(empty_database_url: str) -> None:
    database = Database(empty_database_url, pool_size=1)
    try:
        with database.transaction() as session:
            backend = session.scalar(text("SELECT pg_backend_pid()"))
            session.execute(text("SET default_transaction_read_only = on"))
        with pytest.raises(InternalError, match="read-only"), database.transaction() as session:
            session.execute(text("CREATE TABLE t ()"))
        with database.transaction() as session:
            assert session.scalar(text("SELECT pg_backend_pid()")) != backend
    finally:
        database.dispose()


@pytest.mark.parametrize("ignored", ["extra_float_digits", "options,extra_float_digits"])
def test_a_pooler_is_refused_in_words(empty_database_url: str, tmp_path: Path, ignored: str) -> None:
    pgbouncer = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if pgbouncer is None:
        # On a laptop the other tests are still worth running; CI installs it.
        assert not os.environ.get("CI"), "pgbouncer is not installed"
        pytest.skip("pgbouncer is not installed")
    parts, port = urlsplit(empty_database_url), free_port()
    configuration = tmp_path / "pgbouncer.ini"
    configuration.write_text(
        f"""[databases]
* = host={parts.hostname} port={parts.port} user={parts.username} password={parts.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = any
unix_socket_dir =
pool_mode = transaction
ignore_startup_parameters = {ignored}
"""
    )
    # It refuses to run as root, and `-u` makes it another user, who must read its configuration.
    as_user = ["-u", "nobody"] if os.geteuid() == 0 else []
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(folder.stat().st_mode | 0o055)
    process = subprocess.Popen([pgbouncer, "-q", *as_user, str(configuration)], stderr=subprocess.DEVNULL)
    database = Database(f"postgresql://u:p@127.0.0.1:{port}{parts.path}")

    def refusal() -> str | None:
        try:
            with database.transaction() as session:
                session.execute(text("SELECT 1"))
        except OperationalError as error:
            return None if "Connection refused" in str(error) else connection_failure(error).remedy
        raise AssertionError("the pooler was accepted")

    try:
        assert "name PostgreSQL itself" in wait_for(refusal)
    finally:
        database.dispose()
        process.terminate()
        process.wait(30)


Lock = Callable[[Session, str], None]


def is_free(database: Database, take: Lock, name: str) -> bool:
    """Whether another transaction gets the lock without waiting."""
    with database.transaction() as session:
        session.execute(text("SET LOCAL lock_timeout = '50ms'"))
        try:
            take(session, name)
        except OperationalError:
            session.rollback()
            return False
    return True


@pytest.mark.parametrize(
    ("held", "wanted", "free"),
    [
        (lock, lock, False),
        (lock, lock_shared, False),
        (lock_shared, lock, False),
        (lock_shared, lock_shared, True),
    ],
)
def test_only_shared_locks_of_a_name_go_together(
    database: Database, held: Lock, wanted: Lock, free: bool
) -> None:
    with database.transaction() as session:
        held(session, "quiz:1")
        assert is_free(database, wanted, "quiz:1") is free
        assert is_free(database, wanted, "quiz:2")


def test_a_transaction_may_take_its_lock_again(database: Database) -> None:
    with database.transaction() as session:
        session.execute(text("SET LOCAL lock_timeout = '50ms'"))
        lock(session, "quiz:1")
        lock(session, "quiz:1")
        lock_shared(session, "quiz:1")


@pytest.mark.parametrize("end", [Session.commit, Session.rollback])
def test_a_lock_ends_with_its_transaction(database: Database, end: Callable[[Session], None]) -> None:
    with database.transaction() as session:
        lock(session, "quiz:1")
        end(session)
        assert is_free(database, lock, "quiz:1")


def test_a_transaction_whose_client_falls_silent_loses_its_locks(empty_database_url: str) -> None:
    silent = Database(empty_database_url, statement_timeout_seconds=2)
    other = Database(empty_database_url)
    try:
        with silent.engine.connect() as connection:
            lock(connection, "quiz:1")
            with other.transaction() as waiting:
                lock(waiting, "quiz:1")
            with pytest.raises(InternalError, match="idle-in-transaction"):
                connection.execute(text("SELECT 1"))
    finally:
        silent.dispose()
        other.dispose()
