"""The web process when its threads are all busy: who only connects holds none, and who waited is told so."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from models.access_tokens import create_token
from models.database import Database
from models.settings import Settings
from ops.ports import free_port
from tests.waiting import wait_for


@pytest.fixture
def address(settings: Settings) -> Iterator[str]:
    """A web process of one thread."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    options = f"api --processes 1 --threads 1 --port {port}"
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "ops.cli", *options.split()],
        env={
            **{name: value for name, value in os.environ.items() if name == "PATH"},
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "STORAGE_URL": settings.storage_url,
            "SECRET_KEY": settings.secret_key,
        },
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: is_ready(address))
        yield address
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def token(database: Database) -> str:
    with database.transaction() as session:
        return create_token(session, user_id=1, admin=True)


def is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def is_held(address: str) -> bool:
    """Tell whether nobody is left to answer."""
    try:
        httpx.get(f"{address}/healthz", trust_env=False, timeout=0.5)
    except httpx.ReadTimeout:
        return True
    return False


def connect(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def test_connections_that_send_nothing_hold_no_thread(address: str) -> None:
    silent = [connect(address) for _ in range(40)]
    try:
        # Were each given a thread to be waited for in, the last would come after minutes.
        assert httpx.get(f"{address}/healthz", trust_env=False, timeout=15).status_code == 200
    finally:
        for connection in silent:
            connection.close()


@pytest.mark.parametrize("request_line", ["GET /healthz HTTP/1.0", "no HTTP"])
def test_a_client_that_stays_after_its_answer_holds_nobody_up(address: str, request_line: str) -> None:
    with connect(address) as client:
        client.sendall(f"{request_line}\r\n\r\n".encode())
        assert client.recv(5) == b"HTTP/"
        # The server closes the connection for its part, and need not wait for long that the client does.
        assert httpx.get(f"{address}/healthz", trust_env=False, timeout=10).status_code == 200


def test_what_waited_too_long_for_a_thread_is_refused_at_once_but_for_health(
    address: str, token: str
) -> None:
    quizzes = "/api/v1/courses/101/quizzes"
    requests = [("GET", quizzes), ("GET", quizzes), ("GET", "/healthz"), ("GET", "/readyz")]
    # To ask for a report is never refused for a while: there is no such quiz.
    requests.append(("POST", f"{quizzes}/1/reports"))
    answers: dict[int, httpx.Response] = {}

    def ask(number: int) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        method, path = requests[number]
        answers[number] = httpx.request(method, address + path, headers=headers, trust_env=False, timeout=60)

    with connect(address) as busy:
        head = f"PUT /api/v1/courses/101 HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {token}\r\n"
        body = b'{"course": {"name": "Biology 101"}}'
        busy.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        busy.sendall(body[:1])
        wait_for(lambda: is_held(address))
        waiting = [threading.Thread(target=ask, args=[number]) for number in range(len(requests))]
        began = time.monotonic()
        for thread in waiting:
            thread.start()
        wait_for(lambda: time.monotonic() - began > 1.5)
        assert not answers
        busy.sendall(body[1:])
        for thread in waiting:
            thread.join()
        assert busy.recv(12) == b"HTTP/1.1 200"

    assert [answers[number].status_code for number in range(5)] == [503, 503, 200, 200, 404]
    refused = answers[0]
    assert refused.headers["Retry-After"].isdigit()
    assert refused.json()["status"] == "service_unavailable"
    # Nobody waits any more, so all is as it was.
    ask(0)
    assert answers[0].status_code == 200
