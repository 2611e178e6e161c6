"""`quiz-reports up`: the whole service on one machine, as children of one process."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from threading import Event

import click
import httpx

from models.access.tokens import create_token, find_caller
from models.db.schema import migrate
from models.db.session import Database
from models.errors import QuizReportsError
from models.settings import Settings
from ops.local.data_directory import DataDirectory, Ready, data_dir_option
from ops.local.embedded import EmbeddedPostgres, EmbeddedValkey
from ops.local.embedded_server import EmbeddedServer
from ops.local.orphans import end_orphans
from ops.local.ports import free_port, is_free
from ops.local.private_files import write_private
from ops.local.supervisor import ChildProcess, Supervisor, stop_signals

_READY_SECONDS = 120.0
# The environment of each process of the service has this variable, so that a later start finds orphans.
_MARK = "QUIZ_REPORTS_UP"
_ADMINISTRATOR = 1


class LocalStackError(QuizReportsError):
    """The service cannot start; the message says what to do."""


class LocalStack:
    """PostgreSQL and Valkey (unless the environment names others), the API, a worker and the sweeper."""

    def __init__(self, directory: DataDirectory, *, port: int, slots: int) -> None:
        self.directory = directory
        self.port = port or free_port()
        self.slots = slots
        self.settings = Settings.from_env()
        self.supervisor = Supervisor(lambda line: click.echo(f"quiz-reports up: {line}", err=True))

    @property
    def base_url(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, stop: Event) -> Ready | None:
        """Start all parts, and return when the API is ready; None if it was stopped before."""
        if not is_free(self.port):
            raise LocalStackError(f"port {self.port} is taken by another program: choose one with --port")
        self.directory.remove_ready()
        _end_orphans(self.directory)
        database_url = self.settings.database_url or self._start_server(
            EmbeddedPostgres(self.directory.path / "postgres", log=self.directory.log("postgres"))
        )
        redis_url = self.settings.redis_url or self._start_server(
            EmbeddedValkey(self.directory.path / "valkey", log=self.directory.log("valkey"))
        )
        token = self._prepare_database(database_url)
        self._start_processes(database_url, redis_url)
        if not self._wait_until_ready(stop):
            return None
        ready = Ready(self.base_url, token, database_url, redis_url, os.getpid())
        self.directory.write_ready(ready)
        return ready

    def stop(self) -> None:
        """Stop all parts, the last started first, and remove `ready.json`."""
        self.directory.remove_ready()
        self.supervisor.stop()
        _end_orphans(self.directory)

    def _start_server(self, server: EmbeddedServer) -> str:
        self.supervisor.start(server)
        return server.url

    def _prepare_database(self, url: str) -> str:
        """Bring the tables up to date; return the administrator's token, a new one if it was revoked."""
        database = Database(url)
        kept = self.directory.admin_token_file
        try:
            migrate(database.engine)
            with database.transaction() as session:
                token = kept.read_text().strip() if kept.exists() else ""
                if not token or find_caller(session, token) is None:
                    token = create_token(session, user_id=_ADMINISTRATOR, admin=True)
                    write_private(kept, token)
        finally:
            database.dispose()
        return token

    def _start_processes(self, database_url: str, redis_url: str) -> None:
        # Else the worker would create it and warn.
        self.directory.storage_folder.mkdir(exist_ok=True)
        environ = {
            **os.environ,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "STORAGE_URL": self.settings.storage_url or self.directory.storage_url,
            "SECRET_KEY": self.settings.secret_key or self.directory.secret_key,
            _MARK: str(self.directory.path),
        }
        for name, *arguments in (
            ("worker", "--concurrency", str(self.slots)),
            ("sweeper",),
            ("api", "--port", str(self.port)),
        ):
            # -P: a folder named `api` or `models` in the current directory must not be imported.
            command = [sys.executable, "-P", "-m", "ops.cli", name, *arguments]
            self.supervisor.start(ChildProcess(name, command, environ, self.directory.log(name)))

    def _wait_until_ready(self, stop: Event) -> bool:
        deadline = time.monotonic() + _READY_SECONDS
        reason = ""
        with httpx.Client(base_url=self.base_url, timeout=5, trust_env=False) as client:
            while time.monotonic() < deadline:
                try:
                    response = client.get("/readyz")
                except httpx.TransportError as error:
                    reason = str(error)
                else:
                    if response.status_code == httpx.codes.OK:
                        return True
                    reason = response.text
                if stop.wait(0.1):
                    return False
                self.supervisor.poll()
        raise LocalStackError(f"the API did not become ready ({reason}): see {self.directory.log('api')}")


@click.command("up")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, help="The port of the API; 0: any free one."
)
@data_dir_option
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=lambda: max(2, min(os.cpu_count() or 1, 8)),
    show_default="one per processor, from 2 to 8",
    help="How many reports are generated at a time.",
)
@click.option("--sample", is_flag=True, help="Load the sample course and generate its reports.")
def up_command(port: int, data_dir: Path, workers: int, *, sample: bool) -> None:
    """Run everything on this machine, until Ctrl-C.

    Starts PostgreSQL and Valkey in the data directory (or uses those of DATABASE_URL and REDIS_URL), then the
    API, a worker and the sweeper. When the API is ready, prints its address and writes it to ready.json in
    that directory, with an administrator's token. A part that ends is started again; the logs are in logs/.

    \b
    Example:
      quiz-reports up --sample
      quiz-reports report 101 201 item_analysis      (in another terminal)
    """
    # Only the owner may read the reports, logs and data that the parts write.
    os.umask(0o077)
    directory = DataDirectory(data_dir)
    with directory.lock(), stop_signals() as stop:
        stack = LocalStack(directory, port=port, slots=workers)
        try:
            click.echo(f"starting the service; data and logs are in {directory.path}")
            if ready := stack.start(stop):
                click.echo(f"ready: {ready.base_url}")
                _serve(stack, ready, stop, sample=sample)
        finally:
            stack.stop()
    click.echo("stopped")


def _serve(stack: LocalStack, ready: Ready, stop: Event, *, sample: bool) -> None:
    if sample:
        _make_sample_reports(stack, ready, stop)
    if not stop.is_set():
        click.echo(
            f"an administrator's token is in {stack.directory.path}/ready.json; Ctrl-C stops the service"
        )
        stack.supervisor.run_until(stop)


def _make_sample_reports(stack: LocalStack, ready: Ready, stop: Event) -> None:
    """Run the sample in a thread while the parts are supervised; raise its failure."""
    from ops.sample import run_sample

    failures: list[Exception] = []
    done = Event()

    def run() -> None:
        try:
            run_sample(ready.base_url, ready.admin_token, stack.directory.path / "reports")
        except Exception as error:
            failures.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="sample", daemon=True).start()
    while not done.wait(0.2) and not stop.is_set():
        stack.supervisor.poll()
    if failures and not stop.is_set():
        raise failures[0]


def _end_orphans(directory: DataDirectory) -> None:
    """End the processes of an earlier run on this directory that was killed."""
    end_orphans(lambda process: process.environ().get(_MARK) == str(directory.path))
