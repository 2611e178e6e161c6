"""The supervisor of several processes: it restarts one that ends, and in the end stops all in order."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Protocol

from models.errors import QuizReportsError
from ops.local.parent_death import dies_with_parent

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
# A part that ran for this long was healthy, so the pause before its restart is the first one again.
_HEALTHY_AFTER_SECONDS = 60.0
_POLL_SECONDS = 0.2
_LOG_BYTES = 10 * 2**20


class Part(Protocol):
    """A supervised part: a process of the service or an embedded server."""

    @property
    def name(self) -> str:
        """Its name in messages."""

    def start(self) -> None:
        """Start it, for the first time or again."""

    def ask_to_stop(self) -> None:
        """Let it begin to stop, if it may do so while others still run."""

    def stop(self, patience: float = ...) -> None:
        """Stop it, and return when it has ended."""

    def is_running(self) -> bool:
        """Whether it is alive."""

    @property
    def log(self) -> Path | None:
        """The log that tells why it ended."""


class ChildProcess:
    """A child process with its own process group, which ends when this process does."""

    def __init__(
        self, name: str, command: Sequence[str], environ: Mapping[str, str], log: Path | None = None
    ) -> None:
        self.name = name
        self.command = list(command)
        self.environ = dict(environ)
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        # A second SIGTERM would make a worker drop the report that it is about to finish.
        self._asked = False

    def start(self) -> None:
        """Start the process; its output is appended to the log, or inherited from this process."""
        self._asked = False
        output = None if self.log is None else _open_log(self.log)
        try:
            self._process = subprocess.Popen(
                dies_with_parent(self.command),
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=None if output is None else subprocess.STDOUT,
                # Ctrl-C in a terminal signals a whole process group; the supervisor stops parts in order.
                process_group=0,
            )
        finally:
            if output is not None:
                os.close(output)

    def ask_to_stop(self) -> None:
        """Send the process SIGTERM."""
        if self._process is not None and self._process.poll() is None:
            self._asked = True
            self._process.terminate()

    def stop(self, patience: float = 30.0) -> None:
        """Ask the process to end, and kill what remains of its group when the patience is over."""
        if self._process is None:
            return
        if self._process.poll() is None:
            if not self._asked:
                self.ask_to_stop()
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._kill_group(self._process.pid)
        self._process.wait()

    def is_running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of the process; it has been started."""
        assert self._process is not None  # noqa: S101
        return self._process.pid

    @staticmethod
    def _kill_group(group: int) -> None:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            # The group is empty, which macOS reports by the second error.
            return


@dataclass
class _Watch:
    part: Part
    pause: float
    started_at: float = 0.0
    due_at: float | None = None


class Supervisor:
    """Starts parts in the given order, restarts those that end, and stops all in the reverse order."""

    def __init__(
        self,
        log: Callable[[str], None],
        *,
        patience: float = 30.0,
        first_pause: float = _FIRST_PAUSE_SECONDS,
    ) -> None:
        self._log = log
        self._patience = patience
        self._first_pause = first_pause
        self._watches: list[_Watch] = []

    def start(self, part: Part) -> None:
        """Start a part and watch it from now on."""
        watch = _Watch(part, self._first_pause)
        self._watches.append(watch)
        self._start(watch)

    def poll(self) -> None:
        """Restart the parts that have ended and whose pause is over."""
        now = time.monotonic()
        for watch in self._watches:
            if watch.part.is_running():
                continue
            if watch.due_at is None:
                if now - watch.started_at > _HEALTHY_AFTER_SECONDS:
                    watch.pause = self._first_pause
                watch.due_at = now + watch.pause
                message = f" (see {watch.part.log})" if watch.part.log else ""
                self._log(f"{watch.part.name} has ended: it is started again in {watch.pause:g} s{message}")
                watch.pause = min(2 * watch.pause, _LONGEST_PAUSE_SECONDS)
            elif now >= watch.due_at:
                self._start_again(watch)

    def run_until(self, stop: Event) -> None:
        """Restart parts that end, until the event is set."""
        while not stop.wait(_POLL_SECONDS):
            self.poll()

    def stop(self) -> None:
        """Stop all parts, the last started first; an interrupt shortens the patience and abandons no part."""
        for watch in reversed(self._watches):
            watch.part.ask_to_stop()
        while self._watches:
            try:
                self._watches[-1].part.stop(self._patience)
            except KeyboardInterrupt:
                self._patience = 1.0
                self._watches[-1].part.stop(self._patience)
            self._watches.pop()

    def _start(self, watch: _Watch) -> None:
        watch.due_at = None
        watch.started_at = time.monotonic()
        watch.part.start()

    def _start_again(self, watch: _Watch) -> None:
        watch.part.stop(self._patience)
        try:
            self._start(watch)
        except QuizReportsError as error:
            # The part counts as ended again, so the next try comes after a longer pause.
            self._log(str(error))


@contextmanager
def stop_signals() -> Iterator[Event]:
    """Provide an event that SIGTERM or Ctrl-C sets; a second signal raises KeyboardInterrupt."""
    stop = Event()

    def ask_to_stop(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _open_log(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
