"""The brake of the sweeper: few orphans are deleted, many mean that the database is not the store's."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import structlog

from tests.factories import Api
from workers.orphans import Orphans
from workers.resources import Resources
from workers.sweeper import Sweeper

TWO_DAYS = 2 * 24 * 3600


@pytest.mark.parametrize(
    ("found", "listed", "are_too_many"),
    # An empty store, the crashes of a small service, a restore of an old database, those of a large service.
    [(0, 0, False), (100, 100, False), (4_389, 8_788, True), (5_000, 100_000, False), (5_001, 100_000, True)],
)
def test_few_orphans_or_a_small_share_may_be_deleted(found: int, listed: int, *, are_too_many: bool) -> None:
    assert Orphans(listed, found).are_too_many is are_too_many


@pytest.fixture
def sweeper(resources: Resources) -> Sweeper:
    return Sweeper(resources, resources.publisher)


def old_objects(api: Api, count: int) -> list[Path]:
    """Write objects that no row names, as they are after a restore of an older database."""
    folder = Path(api.settings.storage_url.removeprefix("file://")) / "reports" / "7"
    folder.mkdir(parents=True)
    paths = [folder / str(number) for number in range(count)]
    for path in paths:
        path.write_bytes(b"x")
        os.utime(path, (time.time() - TWO_DAYS,) * 2)
    return paths


def test_after_a_restore_of_an_older_database_no_object_is_deleted(api: Api, sweeper: Sweeper) -> None:
    api.generated()
    paths = old_objects(api, 101)
    with structlog.testing.capture_logs() as logged:
        sweeper.tidy()
    assert all(path.exists() for path in paths)
    [line] = logged
    assert (line["event"], line["log_level"]) == ("too_many_orphans", "error")
    assert (line["orphans"], line["objects"]) == (101, 102)


def test_the_sweeper_shows_each_step(api: Api, resources: Resources) -> None:
    beats: list[float] = []
    old_objects(api, 3)
    Sweeper(resources, resources.publisher, lambda: beats.append(time.monotonic())).sweep()
    # For each queue, the listing of the store, and each object that was deleted.
    assert len(beats) == 2 + 1 + 3
