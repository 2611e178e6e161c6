"""A copy of PostgreSQL's programs that another user can run, wherever the wheel is installed."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from ops.local.embedded_server import EmbeddedServerError
from ops.local.server_user import ServerUser

_FOLDERS = ("/var/tmp", "/var/lib", "/opt", "/dev/shm")  # noqa: S108 - mkdtemp makes a new folder in it.


class ProgramsCopy:
    """A copy of the programs, and a symbolic link by which a later start finds and removes it."""

    def __init__(self, link: Path) -> None:
        self._link = link
        self._lock: int | None = None

    def make(self, bin_folder: Path, user: ServerUser) -> Path:
        """Copy an installation to the first folder from which the user can run it; return its `bin`.

        A folder may be closed to others, or may not allow programs, so each is tried by running one.
        """
        self.remove()
        tried = []
        for parent in dict.fromkeys((tempfile.gettempdir(), *_FOLDERS)):
            with suppress(OSError):
                copy = Path(tempfile.mkdtemp(prefix="quiz-reports-postgres-", dir=parent))
                self._link.symlink_to(copy)
                copied = _copied(bin_folder, copy)
                if _runs(copied / "postgres", user):
                    self._hold(copy)
                    return copied
            self.remove()
            tried.append(parent)
        raise EmbeddedServerError(
            "PostgreSQL refuses to run as root, and another user can run its programs from none of "
            f"{', '.join(tried)}: start as an ordinary user, set TMPDIR to a folder open to all, "
            "or set DATABASE_URL to a server of your own"
        )

    def remove(self) -> None:
        """Remove the copy, if there is one."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if self._link.is_symlink():
            shutil.rmtree(self._link.readlink(), ignore_errors=True)
            self._link.unlink()

    def _hold(self, copy: Path) -> None:
        # Programs that clean up temporary folders leave a locked one alone.
        self._lock = os.open(copy, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_SH)


def _copied(bin_folder: Path, copy: Path) -> Path:
    # The programs find their libraries beside the package, and their other files beside `bin`.
    installation = bin_folder.parent
    package = installation.parent
    target = copy / package.name / installation.name
    shutil.copytree(installation, target, ignore=shutil.ignore_patterns("include"), symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, copy / libraries.name)
    # Root's umask may have made them unreadable to other users.
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o555)
    return target / "bin"


def _runs(program: Path, user: ServerUser) -> bool:
    command = [str(program), "--version"]
    return (
        subprocess.run(command, capture_output=True, check=False, cwd=os.sep, **user.options).returncode == 0
    )
