"""The whole service as separate processes on this machine, each of which a test may break."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import psycopg
import redis

from models.access.tokens import create_token
from models.db.session import Database
from models.reports.tables import Queue
from ops.local.embedded import EmbeddedPostgres, EmbeddedServer, EmbeddedValkey, free_port
from tests.plain_http import PLAIN_HTTP
from tests.scenarios.chaos import stopping_worker
from tests.scenarios.chaos.processes import START_SECONDS, ServiceProcess, send
from tests.scenarios.chaos.releases import PRESENT
from tests.scenarios.chaos.rotation import Rotation
from tests.waiting import wait_for

LEASE_SECONDS = 5.0
SWEEP_SECONDS = 1.0
WORKERS = 2


class Stack:
    """PostgreSQL, Valkey, two API processes, two workers and a sweeper; files in a folder or on S3."""

    def __init__(self, directory: Path, storage: Path) -> None:
        self.directory = directory
        self.storage = storage
        self.postgres = EmbeddedPostgres(directory / "postgres")
        self.valkey = EmbeddedValkey(directory / "valkey")
        self.apis: list[ServiceProcess] = []
        self.workers: list[ServiceProcess] = []
        self.sweepers: list[ServiceProcess] = []
        self.rotation = Rotation()
        self.addresses: dict[ServiceProcess, str] = {}
        self.environ_changes: dict[str, str] = {}
        # What is started from now on is of this release.
        self.release = PRESENT
        self._numbers = itertools.count(1)
        self._special_workers: list[ServiceProcess] = []

    def start_servers(self) -> None:
        self.postgres.start()
        self.valkey.start()
        self.migrate()
        database = Database(self.postgres.url)
        with database.transaction() as session:
            self.admin_token = create_token(session, user_id=1, admin=True)
        database.dispose()

    def migrate(self) -> None:
        """Run the release's `migrate`, which must succeed."""
        migration = self._start("migrate", ())
        status = migration.wait_until_ended()
        assert status == 0, migration.log.read_text()[-2000:]

    def start_service(self) -> None:
        """Bring the normal set of processes up to its number, and wait until all are at work."""
        self.kill_special_workers()
        for processes in (self.apis, self.workers, self.sweepers):
            processes[:] = [process for process in processes if process.is_running()]
        while len(self.sweepers) < 1:
            self.start_sweeper()
        workers = [self.start_worker(wait=False) for _ in range(WORKERS - len(self.workers))]
        apis = [self.start_api(wait=False) for _ in range(2 - len(self.apis))]
        for worker in workers:
            worker.wait_until_logged(" ready.")
        for api in apis:
            self.wait_for_api(api)

    def restart_with(self, environ: Mapping[str, str]) -> None:
        """Start the whole normal set again, with other settings."""
        self.stop_service()
        self.rotation.clear()
        self.environ_changes = dict(environ)
        self.start_service()

    def stop_service(self) -> None:
        for process in [*self.apis, *self.workers, *self.sweepers]:
            process.kill()

    def stop(self) -> None:
        self.stop_service()
        for server in (self.valkey, self.postgres):
            if server.is_running():
                wake_server(server)
            server.stop()

    def start_worker(
        self,
        *arguments: str,
        wait: bool = True,
        stops_at: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> ServiceProcess:
        """Start a worker of one slot, unless told otherwise; it may be one that stops itself at a step."""
        program = ("-m", "ops.cli") if stops_at is None else (stopping_worker.__file__, stops_at)
        worker = self._start("worker", arguments, environ, program)
        self.workers.append(worker)
        if arguments or stops_at or environ:
            self._special_workers.append(worker)
        if wait:
            worker.wait_until_logged(" ready.")
        return worker

    def start_sweeper(self, environ: Mapping[str, str] | None = None) -> ServiceProcess:
        sweeper = self._start("sweeper", (), environ)
        self.sweepers.append(sweeper)
        return sweeper

    def start_api(self, *, wait: bool = True) -> ServiceProcess:
        port = free_port()
        api = self._start("api", ("--port", str(port), "--processes", "1"))
        self.apis.append(api)
        self.addresses[api] = f"http://127.0.0.1:{port}"
        if wait:
            self.wait_for_api(api)
        return api

    def wait_for_api(self, api: ServiceProcess) -> None:
        """Take an API process into the rotation once it is ready."""

        def ready() -> bool:
            assert api.is_running(), api.log.read_text()[-2000:]
            try:
                return httpx.get(f"{self.addresses[api]}/readyz", **PLAIN_HTTP, timeout=5).is_success
            except httpx.TransportError:
                return False

        wait_for(ready, seconds=START_SECONDS)
        self.rotation.add(self.addresses[api])

    def take_out(self, api: ServiceProcess) -> None:
        """Take an API process out of the rotation before it is stopped, as a load balancer does."""
        self.rotation.remove(self.addresses[api])

    def kill_workers(self) -> None:
        for worker in self.workers:
            worker.kill()
        self.workers.clear()

    def kill_special_workers(self) -> None:
        """Kill workers with settings of their own, which a test that failed may have left."""
        for worker in self._special_workers:
            worker.kill()
        self._special_workers.clear()

    def kill_sweepers(self) -> None:
        for sweeper in self.sweepers:
            sweeper.kill()
        self.sweepers.clear()

    def slots(self) -> int:
        """Count the slots that could take a job now."""
        return sum(w.is_running() and not w.is_frozen and w.has_logged(" ready.") for w in list(self.workers))

    def can_recover(self) -> bool:
        """Whether a sweeper is at work, and both servers are."""
        servers = self.postgres.is_running() and self.valkey.is_running()
        return servers and any(s.is_running() and not s.is_frozen for s in list(self.sweepers))

    def broker(self) -> redis.Redis:
        return redis.Redis.from_url(self.valkey.url, socket_timeout=10, socket_connect_timeout=5)

    def waiting_messages(self) -> int:
        with self.broker() as client:
            return sum(int(client.llen(queue.value)) for queue in Queue)

    def superuser(self) -> psycopg.Connection[tuple[object, ...]]:
        """Connect to PostgreSQL as its owner, who gets in where nobody else does."""
        password = (self.postgres.directory / "postgres.password").read_text().strip()
        return psycopg.connect(
            host="127.0.0.1",
            port=self.postgres.port,
            user="postgres",
            password=password,
            dbname=self.postgres.ROLE,
            autocommit=True,
            connect_timeout=10,
        )

    def _start(
        self,
        command: str,
        arguments: tuple[str, ...],
        environ: Mapping[str, str] | None = None,
        program: tuple[str, ...] = ("-m", "ops.cli"),
    ) -> ServiceProcess:
        name = f"{command}-{next(self._numbers)}"
        settings = {
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.valkey.url,
            "STORAGE_URL": f"file://{self.storage}",
            "SECRET_KEY": "a secret of tests of faults and of nobody else",
            "QUIZ_REPORTS_LEASE_SECONDS": str(LEASE_SECONDS),
            "QUIZ_REPORTS_SWEEP_SECONDS": str(SWEEP_SECONDS),
        }
        return ServiceProcess(
            name,
            [command, *arguments],
            {**os.environ, **settings, **self.release.environ, **self.environ_changes, **(environ or {})},
            self.directory / f"{name}.log",
            program,
            self.release.python,
        )


def server_processes(server: EmbeddedServer) -> list[psutil.Process]:
    assert server.pid is not None
    parent = psutil.Process(server.pid)
    return [parent, *parent.children(recursive=True)]


def wake_server(server: EmbeddedServer) -> None:
    send(signal.SIGCONT, server_processes(server))


@contextmanager
def frozen(server: EmbeddedServer) -> Iterator[None]:
    """Stop all processes of a server: it keeps its connections, takes new ones, and answers nothing."""
    send(signal.SIGSTOP, server_processes(server))
    try:
        yield
    finally:
        wake_server(server)


def crash(server: EmbeddedServer) -> None:
    """Kill all processes of a server at once."""
    send(signal.SIGKILL, server_processes(server))
    wait_for(lambda: not server.is_running())
