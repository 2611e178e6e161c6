"""The folder in which the API's processes share their metrics."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_PREFIX = "quiz-reports-metrics-"


def make_metrics_folder(within: Path | None = None) -> Path:
    """Make a folder for this server, and delete those of servers that were killed.

    The folder stays locked, across exec and fork, until the last process of the server has ended.
    """
    parent = within or Path(tempfile.gettempdir())
    for folder in parent.glob(f"{_PREFIX}*"):
        _delete_unless_in_use(folder)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        # Another server that starts may have taken it for a killed one's, until it was locked.
        with suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_SH)
            if folder.exists():
                os.set_inheritable(lock, True)
                return folder
            os.close(lock)


def _delete_unless_in_use(folder: Path) -> None:
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        # It is another user's, or its server has just deleted it.
        return
    try:
        if os.fstat(lock).st_uid == os.getuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        pass
    finally:
        os.close(lock)
