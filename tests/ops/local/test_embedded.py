"""The embedded servers keep their data, whatever ended them."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from ops.local.embedded import EmbeddedPostgres, EmbeddedValkey
from ops.local.embedded_server import EmbeddedServerError
from ops.local.ports import is_free
from ops.local.server_user import nobody

pytestmark = pytest.mark.integration


def test_postgres_keeps_its_data_after_a_kill(tmp_path: Path) -> None:
    directory = tmp_path / "a folder with spaces"
    with EmbeddedPostgres(directory) as postgres:
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        server = psutil.Process(postgres.pid)
        server.kill()
        server.wait(60)

    with EmbeddedPostgres(directory) as postgres, psycopg.connect(postgres.url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_postgres_has_no_capability_and_started_by_root_a_user_of_its_own_below_a_private_home(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with EmbeddedPostgres(home / "one", durable=False) as one, EmbeddedPostgres(home / "two") as two:
        processes = [psutil.Process(server.pid) for server in (one, two)]
        users = {process.uids().real for process in processes}
        if os.geteuid() != 0:
            assert users == {os.geteuid()}
        else:
            assert len(users) == 2
            assert not users & {entry.pw_uid for entry in pwd.getpwall()}
            assert {process.gids().real for process in processes} == users
        for process in processes:
            status = Path(f"/proc/{process.pid}/status").read_text()
            kept = [line for line in status.splitlines() if line.startswith(("CapInh", "CapPrm", "CapEff"))]
            assert {line.split()[1] for line in kept} == {"0" * 16}
    # Nothing of the programs' copy stays behind.
    assert not list(home.glob("*/programs"))


def test_data_of_nobody_get_a_user_of_their_own_at_the_next_start(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, durable=False):
        pass
    shared = set()
    if os.geteuid() == 0:
        nobody().take(tmp_path / "data")
        shared = {0, nobody().uid}

    with EmbeddedPostgres(tmp_path, durable=False) as postgres:
        assert psutil.Process(postgres.pid).uids().real not in shared


def test_a_start_that_was_killed_while_it_made_the_data_hinders_nothing(tmp_path: Path) -> None:
    (tmp_path / "data.draft").mkdir()
    (tmp_path / "data.draft" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(tmp_path, durable=False) as postgres:
        assert postgres.is_running()


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
