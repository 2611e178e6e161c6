"""The API behind a real socket, a worker and the command line; and a client whose requests are recorded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from flask import Flask
from structlog.testing import capture_logs

from models.access.tokens import create_token
from models.db.session import Database
from models.publisher import JobPublisher
from models.reports.tables import JobMessage
from models.settings import Settings
from ops import cli
from ops.client.http import Client
from tests.servers import KeptRows
from tests.serving import served
from workers.generation import generate
from workers.resources import Resources

_COUNTS = {"created": 1, "updated": 0, "unchanged": 0, "deleted": 0, "revision": 1}


@dataclass(frozen=True)
class Service:
    """Where the API answers, and an administrator's token."""

    url: str
    token: str


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    status: int
    out: bytes
    err: str


@pytest.fixture
def service(app: Flask, database: Database, token_rows: KeptRows[str]) -> Iterator[Service]:
    def add() -> str:
        with database.transaction() as session:
            return create_token(session, user_id=1, admin=True)

    token = token_rows.put(add)
    # The logs of the service and its worker are not what the command writes.
    with served(app) as url, capture_logs():
        yield Service(url, token)


@pytest.fixture(scope="session")
def token_rows(migrated_database: Database) -> KeptRows[str]:
    """The row of the administrator's token: always the same one, so that kept rows may include it."""
    return KeptRows(migrated_database.engine, "token")


@pytest.fixture
def worker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make each report at once in a thread, as a worker does that a job message has reached."""
    threads: list[threading.Thread] = []

    def work(message: JobMessage) -> None:
        resources = Resources(settings)
        generate(resources, message.report_id, message.progress_id)
        resources.close()

    def send(sender: JobPublisher, message: JobMessage | None) -> bool:
        if message is not None:
            threads.append(threading.Thread(target=work, args=(message,)))
            threads[-1].start()
        return True

    monkeypatch.setattr(JobPublisher, "send", send)
    yield
    for thread in threads:
        thread.join()


@pytest.fixture
def quiz_reports(
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> Callable[..., Ended]:
    """Call the command in a folder of its own, with the service named by the environment."""
    monkeypatch.setenv("QUIZ_REPORTS_URL", service.url)
    monkeypatch.setenv("QUIZ_REPORTS_TOKEN", service.token)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str | Path) -> Ended:
        monkeypatch.setattr("sys.argv", ["quiz-reports", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = capsysbinary.readouterr()
        return Ended(int(ended.value.code or 0), written.out, written.err.decode())

    return call


@pytest.fixture
def pushed() -> list[httpx.Request]:
    return []


@pytest.fixture
def recording_client(pushed: list[httpx.Request]) -> Iterator[Client]:
    def handle(request: httpx.Request) -> httpx.Response:
        request.read()
        pushed.append(request)
        return httpx.Response(200, json=_COUNTS)

    with Client("http://127.0.0.1:9", "secret", transport=httpx.MockTransport(handle)) as client:
        yield client
