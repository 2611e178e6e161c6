"""The proxy of docker-compose.yml before a web process: Debian's nginx on the file that compose gives it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from ops.local.ports import free_port
from tests.factories import COURSE_ID, CSV, QUIZ_ID, Api, reports_path
from tests.payloads import attempt
from tests.waiting import wait_for
from tests.web_process import WebProcess, running_web_process

CONF = Path(__file__).parents[2] / "ops" / "docker" / "nginx.conf"
SUBMISSIONS = f"/api/v1/courses/{COURSE_ID}/quizzes/{QUIZ_ID}/submissions"


@dataclass(frozen=True)
class Proxy:
    """nginx before a web process, and an application on the same servers that makes reports."""

    address: str
    web: WebProcess
    api: Api

    def send(self, method: str, path: str, **options: object) -> httpx.Response:
        """Send a request to the proxy, as an administrator."""
        headers = {"Authorization": f"Bearer {self.api.tokens['admin']}"}
        headers.update(options.pop("headers", {}))  # type: ignore[call-overload]
        with httpx.Client(base_url=self.address, trust_env=False, timeout=60) as client:
            return client.request(method, path, headers=headers, **options)  # type: ignore[arg-type]


@pytest.fixture
def proxy(api: Api, tmp_path: Path) -> Iterator[Proxy]:
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        # On a laptop the other tests are still worth running; CI installs it.
        assert not os.environ.get("CI"), "nginx is not installed"
        pytest.skip("nginx is not installed")
    with running_web_process(api.settings, QUIZ_REPORTS_TRUSTED_PROXIES="1") as web:
        port = free_port()
        changes = {
            "server api:8000": f"server 127.0.0.1:{web.port}",
            "listen 8080": f"listen 127.0.0.1:{port}",
            "/var/cache/nginx": str(tmp_path),
            "/tmp/nginx.pid": str(tmp_path / "nginx.pid"),
        }
        text = CONF.read_text()
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        conf = tmp_path / "nginx.conf"
        conf.write_text(text)
        # As root it would work as `nobody`, to which the test's folder is closed.
        options = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
        with (tmp_path / "nginx.log").open("wb") as log:
            process = subprocess.Popen([nginx, "-c", str(conf), "-g", options], stdout=log, stderr=log)
        try:
            running = Proxy(f"http://127.0.0.1:{port}", web, api)
            wait_for(lambda: is_up(running))
            yield running
        finally:
            process.terminate()
            process.wait(30)


def is_up(proxy: Proxy) -> bool:
    try:
        return proxy.send("GET", "/healthz").status_code == 200
    except httpx.TransportError:
        return False


def lines(count: int) -> Iterator[bytes]:
    for number in range(1, count + 1):
        yield json.dumps(attempt(number, number, user_id=10, submission_data=[])).encode() + b"\n"


def test_a_push_a_report_and_its_download_pass_through(proxy: Proxy, tmp_path: Path) -> None:
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
    assert "verifier" not in (tmp_path / "nginx.log").read_text()


def test_what_waited_behind_the_proxy_is_refused(proxy: Proxy) -> None:
    statuses: dict[str, httpx.Response] = {}

    def ask(path: str) -> None:
        statuses[path] = proxy.send("GET", path)

    waiting = [threading.Thread(target=ask, args=[path]) for path in (reports_path(), "/healthz")]
    parent = psutil.Process(proxy.web.process.pid)
    processes = [parent, *parent.children(recursive=True)]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    for thread in waiting:
        thread.start()
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
