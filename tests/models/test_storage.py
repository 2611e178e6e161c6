"""Downloads of objects that are larger than one request to the store fetches."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
import structlog

import models.storage
from models.errors import NotFoundError, StorageError
from models.settings import Settings
from models.storage import BlobStore, check_store, missing_folder, open_store

_CONTENT = bytes(range(100))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BlobStore:
    store = open_store(Settings(storage_url=f"file://{tmp_path}/files"))
    with store.writer("reports/1/whole") as writer:
        writer.write(_CONTENT)
    monkeypatch.setattr(models.storage, "_PART_BYTES", 30)
    return store


@pytest.mark.parametrize(
    ("start", "end"), [(0, None), (0, 100), (0, 30), (29, 31), (60, None), (99, 100), (100, None)]
)
def test_an_object_is_read_in_parts_of_which_none_is_missing(
    store: BlobStore, start: int, end: int | None
) -> None:
    assert b"".join(store.read("reports/1/whole", start, end)) == _CONTENT[start:end]


@pytest.mark.parametrize("end", [None, 10])
def test_a_missing_object_is_known_at_the_call(store: BlobStore, end: int | None) -> None:
    with pytest.raises(NotFoundError):
        store.read("reports/1/none", 0, end)


@pytest.mark.parametrize("size", [0, 29, 45])
def test_an_object_that_was_cut_short_is_not_taken_for_a_whole_one(
    store: BlobStore, tmp_path: Path, size: int
) -> None:
    (tmp_path / "files/reports/1/whole").write_bytes(_CONTENT[:size])

    with pytest.raises(StorageError):
        b"".join(store.read("reports/1/whole", 0, 60))


def test_a_file_is_on_the_disk_with_its_folders_before_it_counts_as_stored(
    store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, int]] = []
    fsync = os.fsync

    def noted_fsync(descriptor: int) -> None:
        synced.append((str(Path(f"/proc/self/fd/{descriptor}").readlink()), os.fstat(descriptor).st_size))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    with store.writer("reports/2/token") as writer:
        writer.write(_CONTENT)
        assert synced == []

    folder = tmp_path / "files/reports"
    assert synced[0] == (str(folder / "2/token"), len(_CONTENT))
    assert [path for path, _ in synced[1:]] == [str(folder / "2"), str(folder), str(folder.parent)]


def test_a_file_system_that_syncs_no_folders_is_good_enough(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[int] = []

    def fsync_of_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            refused.append(descriptor)
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", fsync_of_files)
    with store.writer("reports/2/token") as writer:
        writer.write(_CONTENT)
    assert b"".join(store.read("reports/2/token")) == _CONTENT
    assert len(refused) == 3


def test_a_disk_that_does_not_take_a_file_is_a_failure_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_fsync(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken_fsync)
    with pytest.raises(StorageError, match=r"Input/output error.*/files/check/"):
        check_store(Settings(storage_url=f"file://{tmp_path}/files"))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_path_that_cannot_be_entered_is_not_taken_for_a_missing_folder(tmp_path: Path) -> None:
    # In place of a folder of another user, which root could enter.
    (tmp_path / "circle").symlink_to("circle")
    settings = Settings(storage_url=f"file://{tmp_path}/circle/files")

    assert missing_folder(settings) is None
    with pytest.raises(StorageError, match="symbolic links"):
        open_store(settings)


def test_a_folder_that_is_created_is_logged(tmp_path: Path) -> None:
    settings = Settings(storage_url=f"file://{tmp_path}/files")

    with structlog.testing.capture_logs() as logs:
        open_store(settings)
        open_store(settings)

    folder = str(tmp_path / "files")
    assert logs == [{"event": "storage_folder_created", "folder": folder, "log_level": "warning"}]
