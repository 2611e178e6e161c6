"""Where files lie: a folder on a small disk of its own, where the machine lets us mount one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

_SIZE_MIB = 512


class FolderOnDisk:
    """A folder that can be filled up and made read-only; on a tmpfs if mounting is allowed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_mounted = False

    def __enter__(self) -> Self:
        self.path.mkdir()
        self.is_mounted = _mount("-t", "tmpfs", "-o", f"size={_SIZE_MIB}m", "tmpfs", str(self.path))
        return self

    def __exit__(self, *exception: object) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", str(self.path)], check=True)

    def read(self, key: str) -> bytes | None:
        try:
            return (self.path / key).read_bytes()
        except FileNotFoundError:
            return None

    def objects(self) -> dict[str, float]:
        """Map the keys of all objects, also of those half written, to their age's beginning."""
        found = {}
        # Unlike `rglob`, `os.walk` passes over folders that are removed meanwhile.
        for folder, _, names in os.walk(self.path / "reports"):
            for path in (Path(folder, name) for name in names):
                with suppress(FileNotFoundError):
                    found[str(path.relative_to(self.path))] = path.stat().st_mtime
        return found

    def age(self, days: int) -> None:
        """Make all objects look older."""
        for key, modified in self.objects().items():
            with suppress(FileNotFoundError):
                os.utime(self.path / key, (modified - days * 86_400,) * 2)

    @contextmanager
    def full(self) -> Iterator[None]:
        """Fill the disk to its last byte."""
        ballast = self.path / "ballast"
        try:
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(b"\0" * 4096)
            yield
        finally:
            ballast.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Let nobody write to the disk."""
        assert _mount("-o", "remount,ro", str(self.path))
        try:
            yield
        finally:
            assert _mount("-o", "remount,rw", str(self.path))


def _mount(*arguments: str) -> bool:
    try:
        return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
