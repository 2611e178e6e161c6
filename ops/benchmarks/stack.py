"""The servers and processes of a run of the benchmarks, and the data that its figures share."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import httpx
import psutil

from models.access.tokens import create_token
from models.db.schema import migrate
from models.db.session import Database
from models.errors import QuizReportsError
from models.logs import configure_logging
from models.settings import Settings
from ops.benchmarks.exam import ExamStyle
from ops.benchmarks.loading import Loader
from ops.benchmarks.memory import MIB, peak_bytes
from ops.benchmarks.population import Course, Population, students_of
from ops.local.embedded import EmbeddedPostgres, EmbeddedValkey
from ops.local.ports import free_port
from ops.local.supervisor import ChildProcess

_SECRET_KEY = "what the benchmarks sign with, on this machine only"  # noqa: S105
_PATIENCE_SECONDS = 60.0
_ADMINISTRATOR = 1
QUESTIONS = 50
"""The number of questions of a quiz, for which the goals of the reports are."""


class BenchmarkError(QuizReportsError):
    """A benchmark cannot run or found a wrong result; the message says why."""


@dataclass(frozen=True)
class Plan:
    """The extent of a run."""

    sizes: Sequence[int]
    runs: int
    quick: bool
    questions: int = QUESTIONS

    @property
    def main_size(self) -> int:
        """The number of attempts for figures that are measured at one size."""
        return 100_000 if 100_000 in self.sizes else max(self.sizes)


@dataclass(frozen=True)
class RunningApi:
    """A running web server."""

    port: int

    @property
    def address(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self.port}"

    def processes(self) -> list[psutil.Process]:
        """List the master and its children, which all hold the listening socket."""
        return [p for p in psutil.Process().children(recursive=True) if self._is_held_by(p)]

    def peak_mib(self) -> float:
        """Return the peak RSS of the largest process."""
        return max(peak_bytes(process.pid) for process in self.processes()) / MIB

    def mib(self) -> float:
        """Return the RSS of the largest process at this moment."""
        return float(max(process.memory_info().rss for process in self.processes()) / MIB)

    def _is_held_by(self, process: psutil.Process) -> bool:
        sockets = process.net_connections("tcp")
        return any(s.status == psutil.CONN_LISTEN and s.laddr.port == self.port for s in sockets)


class BenchmarkStack:
    """A database, a broker and a folder, and the quizzes that were loaded so far."""

    def __init__(self, plan: Plan, settings: Settings, folder: Path) -> None:
        self.plan = plan
        self.settings = settings
        self.folder = folder
        self.database = Database(settings.database_url, pool_size=2)
        self.loader = Loader(self.database)
        self._populations: dict[tuple[int, ExamStyle], Population] = {}

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment of the service's processes."""
        return {
            **os.environ,
            "DATABASE_URL": self.settings.database_url,
            "REDIS_URL": self.settings.redis_url,
            "STORAGE_URL": self.settings.storage_url,
            "SECRET_KEY": self.settings.secret_key,
        }

    @cached_property
    def admin_token(self) -> str:
        """The token of an administrator."""
        with self.database.transaction() as session:
            return create_token(session, user_id=_ADMINISTRATOR, admin=True)

    def file_of(self, storage_key: str) -> Path:
        """Return the path of a stored object."""
        return Path(self.settings.storage_url.removeprefix("file://")) / storage_key

    def population(self, attempts: int, style: ExamStyle = ExamStyle.MIXED) -> Population:
        """Return the quiz with this number of attempts; it is loaded at the first call."""
        key = attempts, style
        if key not in self._populations:
            number = 1 + len(self._populations)
            course = Course(number, students_of(attempts))
            questions = self.plan.questions
            population = Population(course, number, attempts=attempts, questions=questions, style=style)
            log_line(f"loading {attempts:,} attempts × {questions} questions, {style}")
            self.loader.load_course(course)
            self.loader.load(population)
            self.loader.settle()
            self._populations[key] = population
        return self._populations[key]

    @contextlib.contextmanager
    def running(
        self, name: str, *command: str, environ: Mapping[str, str] | None = None
    ) -> Iterator[ChildProcess]:
        """Run a Python module while the block lasts; its output goes to a new log of this name."""
        log = self.folder / "logs" / f"{name}.log"
        log.unlink(missing_ok=True)
        environment = {**self.environ, **(environ or {})}
        process = ChildProcess(name, [sys.executable, "-P", "-m", *command], environment, log)
        process.start()
        try:
            yield process
        finally:
            process.stop()

    @contextlib.contextmanager
    def api(self) -> Iterator[RunningApi]:
        """Run the web process with its defaults; the block begins when it is ready."""
        api = RunningApi(free_port())
        with self.running("api", "ops.cli", "api", "--port", str(api.port)) as process:
            wait_until(lambda: responds(f"{api.address}/readyz"), process)
            yield api

    @contextlib.contextmanager
    def worker(
        self, name: str = "worker", *, environ: Mapping[str, str] | None = None
    ) -> Iterator[ChildProcess]:
        """Run a worker of one slot; the block begins when it takes jobs."""
        command = ("ops.cli", "worker", "--concurrency", "1")
        with self.running(name, *command, environ=environ) as process:
            wait_until(lambda: log_contains(process, b" ready."), process)
            yield process


@contextlib.contextmanager
def running_stack(plan: Plan) -> Iterator[BenchmarkStack]:
    """Start servers as durable as those of `up` in a temporary folder, or use those of the environment."""
    named = Settings.from_env()
    folder = Path(tempfile.mkdtemp(prefix="quiz-reports-bench-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        database_url = named.database_url or stack.enter_context(EmbeddedPostgres(folder / "postgres")).url
        redis_url = named.redis_url or stack.enter_context(EmbeddedValkey(folder / "valkey")).url
        settings = Settings(
            database_url=database_url,
            redis_url=redis_url,
            storage_url=f"file://{folder}/files",
            secret_key=_SECRET_KEY,
            log_level="warning",
        )
        running = BenchmarkStack(plan, settings, folder)
        stack.callback(running.database.dispose)
        migrate(running.database.engine)
        configure_logging(settings)
        yield running


def log_line(line: str) -> None:
    """Write a line about the course of the run to standard error."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()


def log_contains(process: ChildProcess, words: bytes) -> bool:
    """Whether the log of a process contains these bytes."""
    return process.log is not None and words in process.log.read_bytes()


def responds(url: str) -> bool:
    """Whether a URL responds with a 200."""
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def wait_until(
    condition: Callable[[], bool], process: ChildProcess | None = None, *, pause: float = 0.005
) -> None:
    """Return once the condition holds; raise BenchmarkError if the process ends, or after a minute."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline or (process is not None and not process.is_running()):
            name, log = (process.name, process.log) if process is not None else ("it", None)
            words = log.read_text(errors="replace")[-2000:] if log and log.exists() else ""
            raise BenchmarkError(f"{name} did not become ready: {words}")
        # What is waited for is another process's, which sends no event.
        time.sleep(pause)
