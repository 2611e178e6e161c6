"""Files that the store has lost or changed are named, and objects without a report."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from models.errors import StorageError
from ops.admin.doctor import CheckFailedError, check_files
from ops.cli import cli
from tests.factories import Api, reports_path

TWO_DAYS = 2 * 24 * 3600


@pytest.fixture
def run(api: Api, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("DATABASE_URL", api.settings.database_url)
    monkeypatch.setenv("STORAGE_URL", api.settings.storage_url)
    return lambda *arguments: CliRunner(catch_exceptions=False).invoke(cli, ["files", *arguments])


def only_object(api: Api) -> Path:
    [path] = [path for path in Path(api.settings.storage_url[7:]).rglob("*") if path.is_file()]
    return path


def test_whole_files_pass(api: Api, run: Callable[..., Result]) -> None:
    api.generated()
    result = run("check", "--hashes")
    assert (result.exit_code, result.stdout) == (0, "1 files checked, 0 lost or changed\n")
    assert "1 newest files are in the store" in check_files(api.settings)


def test_a_lost_file_is_named_with_its_report_and_the_machine_that_wrote_it(
    api: Api, run: Callable[..., Result]
) -> None:
    report = api.generated()
    only_object(api).unlink()
    result = run("check")
    assert result.exit_code == 1
    assert result.stdout.startswith(f"missing: report {report['id']} of quiz {report['quiz_id']}: reports/")
    assert f"written by {platform.node()}" in result.stdout
    with pytest.raises(CheckFailedError, match="1 of the 1 newest files are lost"):
        check_files(api.settings)


@pytest.mark.parametrize("arguments", [("check", "--mark"), ("orphans",)])
def test_files_are_not_lost_where_the_folder_itself_is_missing(
    api: Api,
    run: Callable[..., Result],
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = api.generated()
    monkeypatch.setenv("STORAGE_URL", f"file://{tmp_path}/unmounted")

    with pytest.raises(StorageError, match="correct STORAGE_URL, or mount its disk"):
        run(*arguments)

    assert not (tmp_path / "unmounted").exists()
    assert "file" in api.get(f"{reports_path()}/{report['id']}").json


def test_a_changed_file_is_found_by_its_size_or_its_hash(api: Api, run: Callable[..., Result]) -> None:
    api.generated()
    path = only_object(api)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"x")
    assert run("check").exit_code == 0
    assert run("check", "--hashes").stdout.startswith("changed: ")
    path.write_bytes(content[:-1])
    assert run("check").stdout.startswith(f"{len(content) - 1} instead of {len(content)} bytes: ")


def test_a_marked_file_is_made_again_by_the_next_request(api: Api, run: Callable[..., Result]) -> None:
    api.generated()
    only_object(api).unlink()
    run("check", "--mark")
    again = api.post(reports_path(), json={"quiz_report": {"report_type": "student_analysis"}}).json
    assert "file" not in again


def test_orphans_are_only_listed_unless_they_are_to_be_deleted(api: Api, run: Callable[..., Result]) -> None:
    api.generated()
    orphan = only_object(api).with_name("orphan")
    orphan.write_bytes(b"x")
    os.utime(orphan, (time.time() - TWO_DAYS,) * 2)
    listed = run("orphans").stdout.splitlines()
    assert (listed[0].endswith("/orphan"), listed[1]) == (True, "1 of 2 objects belong to no report")
    assert orphan.exists()
    assert "1 deleted" in run("orphans", "--delete").stdout
    assert not orphan.exists()
