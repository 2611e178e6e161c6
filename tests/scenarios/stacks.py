"""Real processes: `quiz-reports up` as `make run` starts it, watched from outside until it has ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

SECONDS_TO_START = 180.0
SECONDS_TO_STOP = 60.0
COMMAND = str(Path(sysconfig.get_path("scripts")) / "quiz-reports")

Found = TypeVar("Found")


@dataclass
class Stack:
    """A running `quiz-reports up`, and after its end what it left."""

    ready: dict[str, Any]
    process: subprocess.Popen[bytes]
    console: Path
    parts: list[psutil.Process] = field(default_factory=list)
    last_output: str = ""

    @property
    def base_url(self) -> str:
        url: str = self.ready["base_url"]
        return url

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.ready['admin_token']}"}

    @property
    def output(self) -> str:
        return self.console.read_text(errors="replace")

    def stop(self) -> None:
        """Ask it to end as a user or an init system does, and wait until it has."""
        self.parts = psutil.Process(self.process.pid).children(recursive=True)
        os.kill(self.ready["pid"], signal.SIGTERM)
        self.process.wait(SECONDS_TO_STOP)
        # A later start on the same folder writes to the same console.
        self.last_output = self.output

    @property
    def left_over(self) -> list[str]:
        """The parts that still live."""
        return [str(part) for part in self.parts if part.is_running() and part.status() != "zombie"]


@contextmanager
def running_stack(data_dir: Path, environ: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Start a stack with its sample, wait until the sample is done, and kill it all if a test fails."""
    console = data_dir.with_suffix(".console")
    with console.open("wb") as output:
        process = subprocess.Popen(
            [COMMAND, "up", "--sample", "--port", "0", "--data-dir", str(data_dir)],
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        ready = _awaited(lambda: _ready(data_dir), process, console)
        stack = Stack(ready, process, console)
        # The line that follows the sample.
        _awaited(lambda: "Ctrl-C stops the service" in stack.output, process, console)
        yield stack
    finally:
        if process.poll() is None:
            for part in psutil.Process(process.pid).children(recursive=True):
                part.kill()
            process.kill()
            process.wait()


def _ready(data_dir: Path) -> dict[str, Any]:
    file = data_dir / "ready.json"
    ready: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return ready


def _awaited(look: Callable[[], Found], process: subprocess.Popen[bytes], console: Path) -> Found:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        if found := look():
            return found
        if process.poll() is not None:
            pytest.fail(f"quiz-reports up ended with {process.returncode}:\n{console.read_text()}")
        time.sleep(0.05)
    pytest.fail(f"quiz-reports up did not get so far in time:\n{console.read_text()}")
