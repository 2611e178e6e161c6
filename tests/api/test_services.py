"""Services of the web process: made once however many threads ask, closed if they were opened."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import QueuePool, text
from structlog.testing import capture_logs

from api.services import Services
from models.db.session import Database
from models.errors import StorageError
from models.settings import Settings
from models.storage import BlobStore


def open_connections(services: Services) -> int:
    pool = services.database.engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedin()


def test_threads_that_ask_at_once_get_the_same_service(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, made, found = Services(settings), [], []
    both_asked = threading.Barrier(2)

    def make(url: str) -> Database:
        made.append(url)
        return Database(url)

    def ask() -> None:
        both_asked.wait(30)
        found.append(services.database)

    monkeypatch.setattr("api.services.Database", make)
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 1
    assert found[0] is found[1]
    services.close()


def test_closing_opens_nothing_and_closes_what_was_opened(settings: Settings) -> None:
    services = Services(settings)
    services.close()
    assert "database" not in vars(services)

    with services.database.reading() as session:
        session.execute(text("SELECT 1"))
    assert open_connections(services) == 1
    services.close()
    assert open_connections(services) == 0


def test_an_object_that_cannot_be_deleted_is_left_to_the_sweeper(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(store: BlobStore, key: str) -> None:
        raise StorageError("away")

    services = Services(settings)
    services.discard(None)
    monkeypatch.setattr(BlobStore, "delete", refuse)
    with capture_logs() as logs:
        services.discard("reports/1/a")
    assert [(log["event"], log["storage_key"]) for log in logs] == [("object_not_deleted", "reports/1/a")]
    services.close()


def test_a_discarded_object_is_deleted(settings: Settings, tmp_path: Path) -> None:
    services = Services(replace(settings, storage_url=f"file://{tmp_path}/files"))
    with services.store.writer("reports/1/a") as writer:
        writer.write(b"x")
    services.discard("reports/1/a")
    assert list(services.store.list("reports")) in ([], [[]])
    services.close()
