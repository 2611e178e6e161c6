"""The folder of a one-machine stack."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.settings import Settings
from ops.local.data_directory import DataDirectory, DataDirectoryError, Ready, settings_here

READY = Ready("http://127.0.0.1:8000", "qr_token", "postgresql://h/d", "redis://h", 4711)


def test_a_second_owner_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    with DataDirectory(tmp_path).lock():
        refused = pytest.raises(DataDirectoryError, match=r"another `quiz-reports up` \(pid \d+\)")
        with refused, DataDirectory(tmp_path).lock():
            pass
    with DataDirectory(tmp_path).lock():
        pass


def test_a_folder_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    directory = DataDirectory(tmp_path / "file" / "folder")
    with pytest.raises(DataDirectoryError, match="cannot be used: "), directory.lock():
        pass


def test_the_note_is_its_owners_only_and_can_be_taken_back(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.write_ready(READY)

    assert (tmp_path / "ready.json").stat().st_mode & 0o777 == 0o600
    assert directory.read_ready() == READY
    directory.remove_ready()
    assert directory.read_ready() is None


def test_the_secret_key_stays_the_same_and_is_its_owners_only(tmp_path: Path) -> None:
    key = DataDirectory(tmp_path).secret_key

    assert DataDirectory(tmp_path).secret_key == key
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600
    Settings(secret_key=key).require("secret_key")


def test_without_a_database_url_commands_find_the_stack_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = DataDirectory(tmp_path)
    directory.write_ready(READY)

    assert settings_here(tmp_path) == replace(
        Settings.from_env(),
        database_url=READY.database_url,
        redis_url=READY.redis_url,
        secret_key=directory.secret_key,
        storage_url=f"file://{tmp_path}/files",
    )
    monkeypatch.setenv("DATABASE_URL", "postgresql://other/d")
    assert settings_here(tmp_path).database_url == "postgresql://other/d"


def test_a_broken_note_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "ready.json").write_text('{"base_url": 1')
    with pytest.raises(DataDirectoryError, match=r"ready\.json cannot be read"):
        settings_here(tmp_path)
