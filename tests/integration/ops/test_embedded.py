"""The embedded servers keep their data, whatever ended them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from ops.embedded import EmbeddedPostgres, EmbeddedValkey
from ops.embedded_server import EmbeddedServerError
from ops.ports import is_free


def test_postgres_keeps_its_data_after_a_kill(tmp_path: Path) -> None:
    directory = tmp_path / "a folder with spaces"
    with EmbeddedPostgres(directory) as postgres:
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        assert postgres.pid
        os.kill(postgres.pid, signal.SIGKILL)
        psutil.Process(postgres.pid).wait(10)

    with EmbeddedPostgres(directory) as postgres, psycopg.connect(postgres.url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_valkey_keeps_its_data_over_a_restart(tmp_path: Path) -> None:
    directory = tmp_path / 'with "quotes" and spaces'
    for _ in range(2):
        with EmbeddedValkey(directory) as valkey, redis.Redis.from_url(valkey.url) as client:
            before = client.incr("starts")

    assert before == 2


def test_a_left_over_server_is_ended_by_the_next_start(tmp_path: Path) -> None:
    forgotten = EmbeddedPostgres(tmp_path, durable=False)
    forgotten.start()

    with EmbeddedPostgres(tmp_path, durable=False) as postgres:
        assert not forgotten.is_running()
        assert postgres.is_running()
    forgotten.stop()


def test_another_port_is_taken_when_the_last_one_is_not_free(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "first") as first:
        (tmp_path / "second").mkdir()
        (tmp_path / "second" / "port").write_text(str(first.port))
        with EmbeddedValkey(tmp_path / "second") as second:
            assert second.port != first.port
            assert not is_free(first.port)


def test_strangers_are_not_let_in(postgres_url: str, valkey_url: str) -> None:
    user_and_password, address = postgres_url.removeprefix("postgresql://").split("@")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://{user_and_password[:-2]}@{address}")
    with (
        redis.Redis.from_url("redis://" + valkey_url.split("@")[1]) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_no_password_stands_on_a_command_line(postgres_url: str, valkey_url: str) -> None:
    passwords = [url.split("@")[0].rsplit(":", 1)[1] for url in (postgres_url, valkey_url)]
    lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    assert not [line for line in lines for password in passwords if password in line]


def test_data_of_another_postgres_version_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedServerError, match="made by PostgreSQL 9"):
        EmbeddedPostgres(tmp_path).start()
