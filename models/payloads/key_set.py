"""The keys of the attempts of a request so far: a set whose memory does not grow with it."""

from __future__ import annotations

import sqlite3
import tempfile
from typing import Final, Self

from models.errors import TemporaryFileError

Key = tuple[int, int]

# Some 15 MB; most pushes are smaller, and need no file.
MOST_IN_MEMORY: Final = 100_000
_CACHE_KIB: Final = 8 * 2**10


class KeySet:
    """A set of keys, first in memory, then in a file without a name in a folder.

    The file is deleted with `close`, or by the system if the process is killed. Raises TemporaryFileError if
    it cannot be written, after which the set is of no use.
    """

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder or None
        self._in_memory: set[Key] = set()
        self._file: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget the keys."""
        self._in_memory = set()
        if self._file is not None:
            self._file.close()

    def add(self, key: Key) -> bool:
        """Add a key; return False if the set has it already."""
        if self._file is None and len(self._in_memory) < MOST_IN_MEMORY:
            before = len(self._in_memory)
            self._in_memory.add(key)
            return len(self._in_memory) > before
        try:
            if self._file is None:
                self._file = _new_file(self._folder)
                self._file.executemany(_INSERT, sorted(self._in_memory))
                self._in_memory = set()
            return self._file.execute(_INSERT, key).rowcount == 1
        except (OSError, sqlite3.Error) as error:
            raise TemporaryFileError("The keys of a push cannot be written to a file.") from error


def _new_file(folder: str | None) -> sqlite3.Connection:
    with tempfile.NamedTemporaryFile(dir=folder) as named:
        file = sqlite3.connect(named.name, isolation_level=None)
        try:
            # Nothing is read after an error, so no journal is needed, which would be another file.
            file.execute("PRAGMA journal_mode = OFF")
            file.execute("PRAGMA synchronous = OFF")
            file.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            file.execute("BEGIN EXCLUSIVE")
            file.execute(_TABLE)
        except BaseException:
            file.close()
            raise
    return file


_TABLE: Final = """
    CREATE TABLE keys (submission_id INTEGER, attempt INTEGER, PRIMARY KEY (submission_id, attempt))
    WITHOUT ROWID"""

_INSERT: Final = "INSERT OR IGNORE INTO keys VALUES (?, ?)"
