"""A web process of the service on a port of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from models.settings import Settings
from ops.local.ports import free_port
from tests.plain_http import PLAIN_HTTP
from tests.waiting import wait_for


@dataclass(frozen=True)
class WebProcess:
    """A running `quiz-reports api`."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def exchange(self, request: bytes, *, sends_no_more: bool = False) -> bytes:
        """Send bytes that need be no HTTP; return all that comes until the server closes the connection."""
        received = bytearray()
        # A server that refuses a request before it has read all of it may reset the connection.
        with self.connect() as client, suppress(ConnectionError):
            # What it has sent by then is received all the same.
            with suppress(ConnectionError):
                client.sendall(request)
                if sends_no_more:
                    client.shutdown(socket.SHUT_WR)
            while content := client.recv(65536):
                received += content
        return bytes(received)

    def answers(self, path: str = "/healthz", *, seconds: float = 5.0) -> bool:
        try:
            return httpx.get(f"{self.address}{path}", **PLAIN_HTTP, timeout=seconds).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def running_web_process(
    settings: Settings,
    *options: str,
    open_files: int | None = None,
    log: Path | None = None,
    **environ: str,
) -> Iterator[WebProcess]:
    """Run a web process on a test's own servers, from the moment that it is ready."""
    with starting_web_process(settings, *options, open_files=open_files, log=log, **environ) as web:
        wait_for(lambda: web.answers("/readyz"))
        yield web


@contextmanager
def starting_web_process(
    settings: Settings,
    *options: str,
    open_files: int | None = None,
    log: Path | None = None,
    **environ: str,
) -> Iterator[WebProcess]:
    """Run a web process, from the moment that it is started."""
    limit = [] if open_files is None else ["prlimit", f"--nofile={open_files}:{open_files}"]
    port = free_port()
    output = (log or Path(os.devnull)).open("wb")
    process = subprocess.Popen(
        [*limit, sys.executable, "-P", "-m", "ops.cli", "api", "--port", str(port), *options],
        env={
            **{name: value for name, value in os.environ.items() if name in {"PATH", "TMPDIR"}},
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "STORAGE_URL": settings.storage_url,
            "SECRET_KEY": settings.secret_key,
            **environ,
        },
        stdout=output,
        stderr=output,
    )
    output.close()
    try:
        yield WebProcess(process, port)
    finally:
        process.terminate()
        process.wait(60)
