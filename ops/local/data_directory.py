"""The data directory of `quiz-reports up`: data, secrets, logs, and `ready.json`."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click

from models.errors import QuizReportsError
from models.settings import Settings
from ops.local.private_files import kept_secret, write_private

DEFAULT = Path(".quiz-reports")

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT,
    help="The data directory of `quiz-reports up`.",
)


class DataDirectoryError(QuizReportsError):
    """The directory cannot be used; the message says why."""


@dataclass(frozen=True)
class Ready:
    """The content of `ready.json`: how a running stack is reached."""

    base_url: str
    admin_token: str
    database_url: str
    redis_url: str
    pid: int


class DataDirectory:
    """A directory that belongs to at most one running stack."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    @property
    def storage_folder(self) -> Path:
        """The folder of report files unless STORAGE_URL is set."""
        return self.path / "files"

    @property
    def storage_url(self) -> str:
        """The address of that folder."""
        return f"file://{self.storage_folder}"

    @property
    def secret_key(self) -> str:
        """The key that signs verifiers; it is kept, so a restart does not invalidate them."""
        return kept_secret(self.path / "secret_key")

    @property
    def admin_token_file(self) -> Path:
        """The file that keeps the administrator's token between starts."""
        return self.path / "admin_token"

    def log(self, part: str) -> Path:
        """The log file of a part."""
        return self.path / "logs" / f"{part}.log"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the directory; raise DataDirectoryError if another process has locked it."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.path / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DataDirectoryError(f"{self.path} cannot be used: {error.strerror}") from None
        with os.fdopen(handle, "r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DataDirectoryError(
                    f"another `quiz-reports up` (pid {file.read().strip()}) uses {self.path}: "
                    "stop it, or take another --data-dir"
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def write_ready(self, ready: Ready) -> None:
        """Record that the stack is ready, and how it is reached."""
        write_private(self._ready_file, json.dumps(asdict(ready), indent=2) + "\n")

    def remove_ready(self) -> None:
        """Remove the record."""
        self._ready_file.unlink(missing_ok=True)

    def read_ready(self) -> Ready | None:
        """Read the record of the stack that runs on this directory; None if there is none."""
        try:
            return Ready(**json.loads(self._ready_file.read_text()))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, TypeError) as error:
            raise DataDirectoryError(f"{self._ready_file} cannot be read: {error}") from None

    @property
    def _ready_file(self) -> Path:
        return self.path / "ready.json"


def settings_here(data_dir: Path) -> Settings:
    """Read the settings; without DATABASE_URL, those of the stack that runs on the directory."""
    settings = Settings.from_env()
    directory = DataDirectory(data_dir)
    if settings.database_url or not (ready := directory.read_ready()):
        return settings
    return replace(
        settings,
        database_url=ready.database_url,
        redis_url=settings.redis_url or ready.redis_url,
        secret_key=settings.secret_key or directory.secret_key,
        storage_url=settings.storage_url or directory.storage_url,
    )
