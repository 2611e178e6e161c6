"""A server process with its own directory, which ends with the process that started it."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self

import psutil

from models.errors import QuizReportsError
from ops.local.orphans import end_orphans
from ops.local.parent_death import dies_with_parent
from ops.local.ports import free_port, is_free
from ops.local.server_user import ServerUser

_START_SECONDS = 90.0
_POLL_SECONDS = 0.03
_HARMLESS = frozenset({"HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ"})


class EmbeddedServerError(QuizReportsError):
    """A server of the one-machine stack does not start; the message says what to do."""


class EmbeddedServer(ABC):
    """A server process on a directory; a restart on the same directory has the same data."""

    name: str
    PROCESS_NAME: ClassVar[str]
    # From gentle to final; each gets an equal share of the patience.
    STOP_SIGNALS: ClassVar[tuple[signal.Signals, ...]]

    def __init__(self, directory: Path, *, durable: bool = True, log: Path | None = None) -> None:
        self.directory = directory.resolve()
        self.durable = durable
        self.log = log or self.directory / f"{self.PROCESS_NAME}.log"
        self.port = 0
        # The user that the server runs as, if not the one of this process.
        self._user: ServerUser | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """The URL that clients connect to, with the password."""

    @abstractmethod
    def _prepare(self) -> None:
        """Create the files that the server needs, unless they exist."""

    @abstractmethod
    def _command(self) -> list[str]:
        """The command line, which is run in the server's home."""

    @abstractmethod
    def _responds(self) -> bool:
        """Whether the server accepts requests now."""

    @property
    @abstractmethod
    def _home(self) -> Path:
        """The working directory, which holds the data; orphans are recognised by it."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server, and return when it responds; an orphan on this directory is ended first."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        end_orphans(self._is_orphan, first=self.STOP_SIGNALS[0])
        try:
            self._prepare()
            self._launch_on_a_port()
        except BaseException:
            self.stop(5.0)
            raise

    def ask_to_stop(self) -> None:  # noqa: B027 - Not abstract: it is the same for each server.
        """Do nothing yet: the parts that use a server may need it until they have ended."""

    def stop(self, patience: float = 30.0) -> None:
        """Stop the server, gently at first."""
        if self._process is None:
            return
        for stop_signal in self.STOP_SIGNALS:
            if self._process.poll() is None:
                self._process.send_signal(stop_signal)
                try:
                    self._process.wait(patience / len(self.STOP_SIGNALS))
                except subprocess.TimeoutExpired:
                    continue
        self._process = None

    @property
    def pid(self) -> int | None:
        """The process id, while it runs."""
        return self._process.pid if self.is_running() and self._process else None

    def is_running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def _launch_on_a_port(self) -> None:
        for _ in range(5):
            self.port = self._choose_port()
            if self._launch():
                return
            # Another program took the port, or a backend of the last run had not ended yet.
            (self.directory / "port").unlink(missing_ok=True)
        raise EmbeddedServerError(f"{self.name} does not start: {self._last_error()} (see {self.log})")

    def _launch(self) -> bool:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                # The gentle signal, so that the server may finish what it does.
                dies_with_parent(self._command(), self.STOP_SIGNALS[0]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._home,
                env=server_environment(),
                umask=0o077,
                # Ctrl-C in a terminal signals a whole process group; the supervisor stops parts in order.
                process_group=0,
                **(self._user.options if self._user else {}),
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            try:
                self._process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if self._responds():
                    return True
            else:
                return False
        raise EmbeddedServerError(
            f"{self.name} does not respond after {_START_SECONDS:.0f} seconds: see {self.log}"
        )

    def _choose_port(self) -> int:
        # A restarted server keeps its port, since its clients know it.
        if self.port and is_free(self.port):
            return self.port
        remembered = self.directory / "port"
        port = int(remembered.read_text()) if remembered.exists() else 0
        if not port or not is_free(port):
            port = free_port()
        remembered.write_text(str(port))
        return port

    def _is_orphan(self, process: psutil.Process) -> bool:
        """Recognise a server that an earlier run left on this directory; two servers would ruin its data."""
        return bool(process.name() == self.PROCESS_NAME and process.cwd() == str(self._home))

    def _last_error(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if "FATAL" in line or "rror" in line), "")


def in_wheel(package: str, pattern: str, name: str, setting: str) -> Path:
    """Find a program in a wheel; raise EmbeddedServerError if the wheel is not installed."""
    spec = importlib.util.find_spec(package)
    found = sorted(Path(spec.origin).parent.glob(pattern)) if spec and spec.origin else []
    if not found:
        raise EmbeddedServerError(
            f"{name} is not installed with this package: run pip install 'quiz-reports[embedded]', "
            f"or set {setting} to a server of your own"
        )
    return found[-1]


def server_environment() -> dict[str, str]:
    """Return the environment of a server: without settings, since another user may be able to read it."""
    return {name: text for name, text in os.environ.items() if name in _HARMLESS or name.startswith("LC_")}
