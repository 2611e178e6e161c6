"""The whole service as `quiz-reports up` runs it: real processes, seen from outside until they have ended."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from tests.plain_http import PLAIN_HTTP
from tests.waiting import still_running, wait_for

COMMAND = str(Path(sysconfig.get_path("scripts")) / "quiz-reports")
SECONDS_TO_START, SECONDS_TO_STOP = 400.0, 180.0
Seen = TypeVar("Seen")


@dataclass
class Stack:
    """A running `quiz-reports up`, every response of it that was sent for, and after its end what it left."""

    folder: Path
    process: subprocess.Popen[bytes]
    console: Path
    ready: Mapping[str, Any] = field(default_factory=dict)
    responses: list[httpx.Response] = field(default_factory=list)
    # What other commands wrote.
    outputs: list[str] = field(default_factory=list)
    # Its processes when it was stopped.
    parts: list[psutil.Process] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        return str(self.ready["base_url"])

    @property
    def headers(self) -> dict[str, str]:
        """The administrator's credentials."""
        return {"Authorization": f"Bearer {self.ready['admin_token']}"}

    @property
    def output(self) -> str:
        return self.console.read_text(errors="replace")

    def read_ready(self) -> dict[str, Any]:
        note: dict[str, Any] = json.loads((self.folder / "ready.json").read_text())
        return note

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.read_ready()['base_url']}/readyz", **PLAIN_HTTP, timeout=60).is_success
        except (FileNotFoundError, httpx.TransportError):
            return False

    def send(self, method: str, path: str, *, token: str | None = "", **options: Any) -> httpx.Response:
        """Send a request, as the administrator unless another token or none is given."""
        token = self.ready["admin_token"] if token == "" else token
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **options.pop("headers", {})}
        url = path if path.startswith("http") else self.base_url + path
        response = httpx.request(method, url, headers=headers, **PLAIN_HTTP, timeout=30, **options)
        self.responses.append(response)
        return response

    def send_bytes(self, request: bytes) -> str:
        """Send bytes that need not be HTTP."""
        with socket.create_connection(("127.0.0.1", int(self.base_url.rsplit(":", 1)[1]))) as client:
            client.sendall(request)
            client.settimeout(10)
            return b"".join(iter(lambda: client.recv(65536), b"")).decode()

    def command(self, *arguments: str, status: int = 0) -> str:
        """Call the command line on the stack's folder."""
        ended = subprocess.run(
            [COMMAND, *arguments, "--data-dir", str(self.folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == status, ended.stderr
        self.outputs += [ended.stdout, ended.stderr]
        return ended.stdout

    def make_report(self, reports: str, report_type: str = "student_analysis") -> dict[str, Any]:
        """Request a report, wait until its job has ended, and return it; a failed one with its job."""
        requested = self.send("POST", reports, json={"quiz_report": {"report_type": report_type}})
        assert requested.status_code == 200, requested.text
        path = f"{reports}/{requested.json()['id']}"

        def ended() -> dict[str, Any] | None:
            report: dict[str, Any] = self.send("GET", path).json()
            if "file" in report:
                return report
            progress = self.send("GET", report["progress_url"]).json()
            return {**report, "progress": progress} if progress["workflow_state"] == "failed" else None

        return wait_for(ended)

    def processes(self) -> list[psutil.Process]:
        """All that belongs to the stack."""
        return [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]

    def seen_of_processes(self, look: Callable[[psutil.Process], Seen]) -> dict[psutil.Process, Seen]:
        """Look at each process of the stack, but for those that end meanwhile, such as PostgreSQL's."""
        seen = {}
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                seen[process] = look(process)
        return seen

    def worker_pids(self) -> set[int]:
        """The processes that compute reports."""
        commands = self.seen_of_processes(psutil.Process.cmdline)
        return {process.pid for process, command in commands.items() if "worker" in command}

    def passwords(self) -> list[str]:
        """The passwords of the database and of the broker."""
        files = [*self.folder.glob("postgres/*.password"), *self.folder.glob("valkey/*.password")]
        assert len(files) == 3
        return [file.read_text().strip() for file in files]

    def logs(self) -> dict[str, str]:
        """All that the parts have written for people to read."""
        files = [self.console, *(self.folder / "logs").iterdir()]
        return {file.name: file.read_text(errors="replace") for file in files}

    def stop(self, stop_signal: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end as a user or an init system does, and wait until it has."""
        self.parts = psutil.Process(self.process.pid).children(recursive=True)
        os.kill(self.ready["pid"], stop_signal)
        assert self.process.wait(SECONDS_TO_STOP) == 0
        assert not (self.folder / "ready.json").exists()
        assert self.orphans() == []

    def kill(self) -> None:
        """Kill the process that watches over the parts, and remove the note that only it could remove."""
        self.process.kill()
        self.process.wait()
        (self.folder / "ready.json").unlink()

    def orphans(self) -> list[psutil.Process]:
        """The processes that were parts when it was stopped, or belong to its folder, and still run."""
        return [*still_running(self.parts), *processes_of(self.folder)]


def processes_of(folder: Path) -> list[psutil.Process]:
    """All processes of a stack: its servers run in its folder, its own processes carry its mark."""
    found = []
    for process in psutil.process_iter():
        try:
            is_in_folder = Path(process.cwd()).is_relative_to(folder)
            is_marked = process.environ().get("QUIZ_REPORTS_UP") == str(folder)
            if (is_in_folder or is_marked) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


@contextmanager
def running_stack(
    folder: Path,
    *options: str,
    environ: Mapping[str, str] | None = None,
    until: str = "",
    program: str = COMMAND,
    cwd: Path | None = None,
) -> Iterator[Stack]:
    """Start a stack, give it once it is ready and has written a text, and leave no process of it."""
    console = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.console")
    with console.open("wb") as output:
        process = subprocess.Popen(
            [program, "up", "--port", "0", "--data-dir", str(folder), *options],
            cwd=cwd,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    stack = Stack(folder, process, console)

    def started() -> bool:
        assert process.poll() is None, f"ended with {process.returncode}:\n{stack.output}"
        return (folder / "ready.json").exists() and until in stack.output

    try:
        wait_for(started, seconds=SECONDS_TO_START)
        stack.ready = stack.read_ready()
        yield stack
    finally:
        _end(process)
        # Shown by pytest when the test fails.
        sys.stdout.write(stack.output)
    assert processes_of(folder) == []


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    parts = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(SECONDS_TO_STOP)
    finally:
        for part in parts:
            # It may have ended by itself.
            with suppress(psutil.NoSuchProcess):
                part.kill()
        process.kill()
        process.wait()
