"""The proxy of docker-compose.yml before a web process: Debian's nginx on the file that compose gives it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from models.db.session import Database
from models.settings import Settings
from ops.local.ports import free_port
from tests.factories import COURSE_ID, CSV, QUIZ_ID, Api, open_api, reports_path
from tests.payloads import attempt
from tests.plain_http import PLAIN_HTTP
from tests.waiting import wait_for
from tests.web_process import WebProcess, running_web_process

CONF = Path(__file__).parents[2] / "ops" / "docker" / "nginx.conf"
SUBMISSIONS = f"/api/v1/courses/{COURSE_ID}/quizzes/{QUIZ_ID}/submissions"


@dataclass(frozen=True)
class Proxy:
    """nginx before a web process, and an application on the same servers that makes reports."""

    address: str
    log: Path
    web: WebProcess
    api: Api
    process: psutil.Process

    def send(self, method: str, path: str, **options: object) -> httpx.Response:
        """Send a request to the proxy, as an administrator."""
        headers = {"Authorization": f"Bearer {self.api.tokens['admin']}"}
        headers.update(options.pop("headers", {}))  # type: ignore[call-overload]
        with httpx.Client(base_url=self.address, **PLAIN_HTTP, timeout=60) as client:
            return client.request(method, path, headers=headers, **options)  # type: ignore[arg-type]

    def connections_to_the_api(self) -> int:
        return sum(
            bool(connection.raddr) and connection.raddr.port == self.web.port
            for process in (self.process, *self.process.children())
            for connection in process.net_connections("tcp")
        )


@dataclass(frozen=True)
class Running:
    """nginx before a web process."""

    address: str
    log: Path
    web: WebProcess
    process: psutil.Process

    def is_up(self) -> bool:
        try:
            return httpx.get(f"{self.address}/healthz", **PLAIN_HTTP, timeout=60).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def running(module_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        # On a laptop the other tests are still worth running; CI installs it.
        assert not os.environ.get("CI"), "nginx is not installed"
        pytest.skip("nginx is not installed")
    folder = tmp_path_factory.mktemp("nginx")
    with running_web_process(module_settings, QUIZ_REPORTS_TRUSTED_PROXIES="1") as web:
        port = free_port()
        changes = {
            "server api:8000": f"server 127.0.0.1:{web.port}",
            "listen 8080": f"listen 127.0.0.1:{port}",
            "/var/cache/nginx": str(folder),
            "/tmp/nginx.pid": str(folder / "nginx.pid"),
        }
        text = CONF.read_text()
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        conf = folder / "nginx.conf"
        conf.write_text(text)
        # As root it would work as `nobody`, to which the test's folder is closed.
        options = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
        with (folder / "nginx.log").open("wb") as log:
            process = subprocess.Popen([nginx, "-c", str(conf), "-g", options], stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        running = Running(address, folder / "nginx.log", web, psutil.Process(process.pid))
        try:
            wait_for(running.is_up)
            yield running
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture
def proxy(running: Running, module_settings: Settings, database: Database) -> Iterator[Proxy]:
    with open_api(module_settings, database) as api:
        yield Proxy(running.address, running.log, running.web, api, running.process)


def lines(count: int) -> Iterator[bytes]:
    for number in range(1, count + 1):
        yield json.dumps(attempt(number, number, user_id=10, submission_data=[])).encode() + b"\n"


def test_a_push_a_report_and_its_download_pass_through(proxy: Proxy) -> None:
    # A stream of unknown length.
    headers = {"Content-Type": "application/x-ndjson"}
    pushed = proxy.send("PUT", SUBMISSIONS, content=lines(2000), headers=headers)
    assert (pushed.status_code, pushed.json()["created"]) == (200, 2000)
    wanted = {"quiz_report": {"report_type": "student_analysis"}}
    report_id = proxy.send("POST", reports_path(), json=wanted).json()["id"]
    proxy.api.finish(report_id)
    # What a client says of proxies is overwritten.
    forged = {"X-Forwarded-Host": "evil.test", "X-Forwarded-Port": "81", "X-Forwarded-Prefix": "/evil"}
    forged |= {"X-Forwarded-Proto": "https", "X-Request-Start": "t=1000000000"}
    shown = proxy.send("GET", f"{reports_path()}/{report_id}", headers=forged)
    assert shown.status_code == 200
    url = shown.json()["file"]["url"]
    assert url.startswith(f"{proxy.address}/files/")
    assert proxy.send("GET", url).content == CSV
    assert proxy.send("GET", url, headers={"Range": "bytes=0-3"}).content == CSV[:4]
    assert proxy.send("GET", "/metrics").status_code == 404
    assert "verifier" not in proxy.log.read_text()


@pytest.mark.parametrize(
    "head",
    [
        b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip",
        b"GET / HTTP/9.9\r\nHost: x",
        b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 40_000,
    ],
    ids=["a coding", "no chunks", "a version", "a broken chunk", "a long header"],
)
def test_bytes_that_it_refuses_by_itself_are_a_4xx(proxy: Proxy, head: bytes) -> None:
    host, port = proxy.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as client:
        client.sendall(head + b"\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 4")


def test_the_refusal_of_a_large_body_reaches_the_client(proxy: Proxy) -> None:
    # The API refuses the token and closes the connection while the proxy still sends the body.
    headers = {"Authorization": "Bearer qr_wrong", "Content-Type": "application/x-ndjson"}
    refused = [
        proxy.send("PUT", SUBMISSIONS, content=b" " * 20 * 2**20, headers=headers).status_code
        for _ in range(20)
    ]
    assert refused == [401] * 20


def test_a_line_of_the_log_names_the_request_in_the_lines_of_the_api(proxy: Proxy) -> None:
    path = f"{reports_path()}/1"
    shown = proxy.send("GET", path, headers={"X-Request-Id": "asked-for-here"})
    assert shown.headers["X-Request-Id"] == "asked-for-here"

    def logged() -> list[str]:
        # nginx may be writing the last one.
        whole = proxy.log.read_text().rpartition("\n")[0]
        lines = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [line["path"] for line in lines if line["request_id"] == "asked-for-here"]

    # nginx logs a request when the client has the response.
    wait_for(logged)
    assert logged() == [path]


def test_what_waited_behind_the_proxy_is_refused(proxy: Proxy) -> None:
    statuses: dict[str, httpx.Response] = {}

    def ask(path: str) -> None:
        statuses[path] = proxy.send("GET", path)

    waiting = [threading.Thread(target=ask, args=[path]) for path in (reports_path(), "/healthz")]
    parent = psutil.Process(proxy.web.process.pid)
    processes = [parent, *parent.children(recursive=True)]
    # Those that earlier requests left are closed after four seconds.
    wait_for(lambda: proxy.connections_to_the_api() == 0)
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    for thread in waiting:
        thread.start()
    # nginx stamps a request before it connects to the API.
    wait_for(lambda: proxy.connections_to_the_api() == len(waiting))
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began > 1.5)
    assert not statuses
    for process in processes:
        process.send_signal(signal.SIGCONT)
    for thread in waiting:
        thread.join()
    assert {path: response.status_code for path, response in statuses.items()} == {
        reports_path(): 503,
        "/healthz": 200,
    }
    assert statuses[reports_path()].headers["Retry-After"].isdigit()
    assert proxy.send("GET", reports_path()).status_code == 200
