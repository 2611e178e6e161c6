"""What a worker that was killed while it wrote has left in a local store."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.settings import Settings
from models.storage import BlobStore, ObjectWriter, open_store
from tests.waiting import wait_for

# Parts of 8 MiB are written behind the writer's back; what is less than one is held back.
_MORE_THAN_IS_HELD_BACK = b"x" * 20 * 2**20
_TWO_PARTS = 16 * 2**20
_DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def store(folder: Path) -> BlobStore:
    return open_store(Settings(storage_url=f"file://{folder}"))


def begin(store: BlobStore, folder: Path) -> ObjectWriter:
    """Write two parts; the writer would clear away behind itself if it were given up, so it must be held."""
    writer = store.writer("reports/1/killed")
    writer.write(_MORE_THAN_IS_HELD_BACK)
    wait_for(lambda: sum(path.stat().st_size for path in folder.rglob("*#*")) >= _TWO_PARTS)
    return writer


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_half_written_object_is_no_object(store: BlobStore, folder: Path) -> None:
    claimed = begin(store, folder)
    assert claimed.size
    assert files(folder)
    assert [stored for batch in store.list("reports") for stored in batch] == []


def test_half_written_objects_are_deleted_once_nobody_can_be_writing_them(
    store: BlobStore, folder: Path
) -> None:
    claimed = begin(store, folder)
    with store.writer("reports/1/whole") as writer:
        writer.write(b"whole")
    assert store.delete_half_written("reports", datetime.now(UTC) - _DAY) == 0
    two_days_ago = time.time() - 2 * _DAY.total_seconds()
    for path in folder.rglob("*"):
        os.utime(path, (two_days_ago, two_days_ago))
    assert store.delete_half_written("reports", datetime.now(UTC) - _DAY) == 1
    assert files(folder) == ["whole"]
    assert claimed.size
