"""The web process alone, without a proxy: clients that misbehave, requests that are no HTTP, and its end."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from click.testing import CliRunner

from models.access.tokens import create_token
from models.db.session import Database
from models.settings import Settings
from ops.cli import cli
from tests.factories import QUIZ_ID, add_school, open_api, reports_path
from tests.payloads import attempt
from tests.plain_http import PLAIN_HTTP
from tests.waiting import wait_for
from tests.web_process import WebProcess, running_web_process, starting_web_process

COURSE = "/api/v1/courses/101"
BODY = b'{"course": {"name": "Biology 101"}}'
ATTEMPT = attempt(9, user_id=10, submission_data=[])


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api") / "log"


@pytest.fixture(scope="module")
def web(module_settings: Settings, log: Path) -> Iterator[WebProcess]:
    """A web process with its own defaults."""
    with running_web_process(module_settings, log=log) as web:
        yield web


@pytest.fixture
def token(database: Database) -> str:
    with database.transaction() as session:
        return create_token(session, user_id=1, admin=True)


def head(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: here", *headers, "", ""]).encode()


def push_head(token: str, *headers: str, path: str = COURSE, kind: str = "application/json") -> bytes:
    return head("PUT", path, f"Authorization: Bearer {token}", f"Content-Type: {kind}", *headers)


def exchange(web: WebProcess, request: bytes) -> str:
    return web.exchange(request).decode()


def send(client: socket.socket, request: bytes) -> int:
    """Send as much as the connection takes just now; 0 also where the server has closed it."""
    try:
        return client.send(request, socket.MSG_DONTWAIT)
    except (BlockingIOError, ConnectionError):
        return 0


def test_connections_that_send_nothing_keep_nobody_out(web: WebProcess) -> None:
    silent = [web.connect() for _ in range(100)]
    try:
        # Where the kernel hands them out (not on Linux), each is waited for in a thread for five seconds.
        wait_for(web.answers, seconds=60)
        wait_for(lambda: all(web.answers() for _ in range(20)), seconds=60)
    finally:
        for connection in silent:
            connection.close()


def test_a_client_that_stays_after_its_answer_holds_nobody_up(web: WebProcess) -> None:
    for request_line in ("GET /healthz HTTP/1.0", "no HTTP"):
        with web.connect() as client:
            client.sendall(f"{request_line}\r\n\r\n".encode())
            assert client.recv(5) == b"HTTP/"
            assert all(web.answers(seconds=60) for _ in range(4))


REFUSED = {
    b"GET /": 400,
    b"GET /" + b"x" * 9000 + b" HTTP/1.1": 414,
    b"GET / HTTP/1.1\r\nX: " + b"x" * 9000: 431,
    b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3": 400,
    b"GET / HTTP/1.1\r\nContent-Length: x": 400,
    b"GET / HTTP/1.1\r\nContent-Length : 3": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b": 400,
    b"GET / HTTP/1.1\r\nX: a\0b": 400,
}
BROKEN_CHUNKS = [b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}}\r\n0\r\n\r\n", b"-1\r\n{}\r\n"]


@pytest.mark.contract("5 Errors", "every error is JSON, every answer has X-Request-Id")
def test_what_is_no_http_is_a_4xx(web: WebProcess, token: str) -> None:
    for request, status in REFUSED.items():
        assert exchange(web, request + b"\r\n\r\n").startswith(f"HTTP/1.1 {status} "), request[:60]
    for chunks in BROKEN_CHUNKS:
        request = push_head(token, "Transfer-Encoding: chunked", "Connection: close") + chunks
        assert exchange(web, request).startswith("HTTP/1.1 400 "), chunks


def test_nothing_of_a_push_that_broke_off_is_stored(web: WebProcess, database: Database) -> None:
    with database.transaction() as session:
        token = add_school(session)["admin"]
    line = json.dumps(ATTEMPT).encode() + b"\n"
    path = f"{COURSE}/quizzes/{QUIZ_ID}/submissions"
    start = push_head(
        token, "Transfer-Encoding: chunked", "Connection: close", path=path, kind="application/x-ndjson"
    )
    whole_line = start + b"%x\r\n%s\r\n" % (len(line), line)
    assert exchange(web, whole_line + b"zz\r\n").startswith("HTTP/1.1 400 ")
    with web.connect() as client:
        client.sendall(whole_line)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(12) == b"HTTP/1.1 400"
    assert '"created":1' in exchange(web, whole_line + b"0\r\n\r\n")


def test_a_port_that_is_taken_is_named(settings: Settings) -> None:
    environ = {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "STORAGE_URL": settings.storage_url,
        "SECRET_KEY": settings.secret_key,
    }
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = CliRunner().invoke(cli, ["api", "--port", port], env=environ)
    assert refused.exit_code == 1
    assert f"cannot listen on 127.0.0.1, port {port}: " in refused.output


def test_a_port_that_is_taken_while_it_starts_is_named(settings: Settings, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with starting_web_process(settings, log=log) as web, socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", web.port))
        # From the moment that it is gunicorn, its socket is bound.
        wait_for(lambda: "gunicorn" in psutil.Process(web.process.pid).cmdline())
        other.listen()
        assert web.process.wait(120) == 1
    *_, line = log.read_text().splitlines()
    assert f"cannot listen on 127.0.0.1, port {web.port}: " in line
    assert "Traceback" not in log.read_text()


def test_it_accepts_no_connection_before_its_application_is_loaded(
    module_settings: Settings,
) -> None:
    with starting_web_process(module_settings) as web:

        def connected() -> bool:
            with suppress(ConnectionRefusedError), web.connect():
                return True
            return False

        wait_for(connected)
        # The command and gunicorn itself use no database.
        assert any(
            "psycopg_binary" in mapped.path for mapped in psutil.Process(web.process.pid).memory_maps()
        )


def test_at_its_end_it_answers_what_has_begun(module_settings: Settings, token: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running_web_process(module_settings, log=log) as web, web.connect() as client:
        client.sendall(push_head(token, f"Content-Length: {len(BODY)}") + BODY[:1])
        # Its thread waits for the rest of the body once another connection, made later, has been answered.
        assert web.answers()
        web.process.terminate()
        wait_for(lambda: not web.answers(seconds=1))
        client.sendall(BODY[1:])
        assert client.recv(12) == b"HTTP/1.1 200"
        assert web.process.wait(60) == 0
    assert json_lines(log)


def test_more_idle_connections_than_open_files_end_no_process(settings: Settings) -> None:
    with running_web_process(settings, "--processes", "1", open_files=256) as web:
        [child] = psutil.Process(web.process.pid).children()
        idle = []
        try:
            for _ in range(400):
                idle.append(web.connect())
                # The kernel holds back a connection on which nothing was sent.
                idle[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\n")
        finally:
            for connection in idle:
                connection.close()
        wait_for(web.answers)
        assert child.is_running()


def json_lines(log: Path) -> list[dict[str, Any]]:
    """Read a log of which each line is an event with the process that wrote it."""
    # Another process may be writing the last one.
    whole = log.read_text().rpartition("\n")[0]
    lines = [json.loads(line) for line in whole.splitlines()]
    assert all({"event", "timestamp", "level", "node", "pid"} <= line.keys() for line in lines)
    return lines


def test_every_line_is_json_and_that_of_a_request_for_a_report_names_its_job(
    web: WebProcess, log: Path, module_settings: Settings, database: Database
) -> None:
    with open_api(module_settings, database) as api:
        asked = httpx.post(
            web.address + reports_path(),
            json={"quiz_report": {"report_type": "student_analysis"}},
            headers={"Authorization": f"Bearer {api.tokens['teacher']}", "X-Request-Id": "asked-for-here"},
            **PLAIN_HTTP,
            timeout=60,
        ).json()
    assert exchange(web, b"no HTTP\r\n\r\n").startswith("HTTP/1.1 400 ")
    # The line is written a moment after the response. A slow broker may add one of its own to the request.
    [line] = wait_for(
        lambda: [
            line
            for line in json_lines(log)
            if (line["event"], line.get("request_id")) == ("request", "asked-for-here")
        ]
    )
    job_id = int(asked["progress_url"].rsplit("/", 1)[1])
    assert (line["report_id"], line["job_id"], line["report_state"]) == (asked["id"], job_id, "queued")


def push_slowly(number: int, client: socket.socket, seconds: float) -> None:
    """Send the next byte of a body every eight seconds, before login."""
    if number == 0:
        client.sendall(head("PUT", COURSE, "Content-Type: application/json", "Content-Length: 1000"))
    elif int(seconds) % 8 == 0:
        send(client, b"x")


def never_read(number: int, client: socket.socket, seconds: float) -> None:
    """Send one request after the other, and read no answer."""
    for _ in range(10):
        send(client, head("GET", "/openapi.json") * 20)


def fall_silent(number: int, client: socket.socket, seconds: float) -> None:
    """Send half of a request's head."""
    if number == 0:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost:")


@pytest.mark.endurance
@pytest.mark.parametrize(
    ("misbehave", "connections", "grace"),
    # Of those that fall silent one process may have more than threads, and gives up twice in turn.
    [(push_slowly, 24, 30), (never_read, 20, 30), (fall_silent, 24, 45)],
)
def test_clients_that_hold_on_do_not_keep_others_out(
    web: WebProcess, misbehave: Callable[[int, socket.socket, float], None], connections: int, grace: float
) -> None:
    clients = [web.connect() for _ in range(connections)]
    began = time.monotonic()
    answered: list[tuple[float, bool]] = []
    try:
        while (now := time.monotonic() - began) < 75:
            for client in clients:
                misbehave(len(answered), client, now)
            answered.append((now, web.answers()))
            # Once a second, for as long as the clients hold on.
            time.sleep(max(0.0, began + now + 1 - time.monotonic()))
    finally:
        for client in clients:
            client.close()
    assert [now for now, was_answered in answered if not was_answered and now > grace] == []
    # It was asked until the end.
    assert answered[-1][0] > 60
