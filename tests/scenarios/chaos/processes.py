"""The service's own processes: started, stopped, frozen, and killed with all of theirs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

from ops.local.parent_death import dies_with_parent
from tests.waiting import wait_for

START_SECONDS = 120.0


class ServiceProcess:
    """One `quiz-reports` command in a process group of its own; it dies with the test's process."""

    def __init__(
        self,
        name: str,
        arguments: Iterable[str],
        environ: Mapping[str, str],
        log: Path,
        program: Iterable[str] = ("-m", "ops.cli"),
        python: str = sys.executable,
    ) -> None:
        self.name = name
        self.log = log
        command = [python, "-P", *program, *arguments]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                dies_with_parent(command, signal.SIGKILL),
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                process_group=0,
            )
        self.is_frozen = False
        self._is_killed = False
        # A log grows long, and is asked for the same words again and again.
        self._seen: set[str] = set()

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_running(self) -> bool:
        return self._process.poll() is None

    def has_logged(self, words: str) -> bool:
        if words not in self._seen and words.encode() in self.log.read_bytes():
            self._seen.add(words)
        return words in self._seen

    def wait_until_logged(self, words: str, *, seconds: float = START_SECONDS) -> None:
        def logged() -> bool:
            assert self.is_running(), f"{self.name} has ended: {self.log.read_text()[-2000:]}"
            return self.has_logged(words)

        wait_for(logged, seconds=seconds)

    def children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def stopped_child(self) -> psutil.Process | None:
        """Find the child that stopped itself at a step."""
        return next((child for child in self.children() if status(child) == psutil.STATUS_STOPPED), None)

    def memory(self) -> int:
        """Add up the resident bytes of the process and its children."""
        return sum(resident(process) for process in [psutil.Process(self.pid), *self.children()])

    def terminate(self) -> None:
        self._process.terminate()

    def wait_until_ended(self, *, seconds: float = 90.0) -> int:
        return self._process.wait(seconds)

    def freeze(self) -> None:
        """Stop the process and its children, as if the machine had gone to sleep."""
        self.is_frozen = True
        send(signal.SIGSTOP, [psutil.Process(self.pid), *self.children()])

    def wake(self) -> None:
        send(signal.SIGCONT, [psutil.Process(self.pid), *self.children()])
        self.is_frozen = False

    def kill(self) -> None:
        """Kill the process and all of its children at once, as a power cut would; once is enough."""
        if self._is_killed:
            return
        self._is_killed = True
        children = self.children()
        self._process.kill()
        send(signal.SIGKILL, children)
        self._kill_group()
        self._process.wait()
        psutil.wait_procs(children, timeout=10)

    def _kill_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def status(process: psutil.Process) -> str:
    try:
        return process.status()
    except psutil.NoSuchProcess:
        return psutil.STATUS_DEAD


def resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def send(number: signal.Signals, processes: Iterable[psutil.Process]) -> None:
    """Send a signal to processes, of which some may have ended meanwhile."""
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
