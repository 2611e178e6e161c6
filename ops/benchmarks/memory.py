"""The memory of processes, and the libraries that they have loaded."""

from __future__ import annotations

from pathlib import Path

import psutil

MIB = 2.0**20


def peak_bytes(pid: int | None = None) -> int:
    """Return the peak of the resident memory of a process, including pages shared with its parent.

    On a system that does not record the peak, return the current size.
    """
    status = Path(f"/proc/{pid or 'self'}/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return int(psutil.Process(pid).memory_info().rss)


def has_loaded(pid: int, name: str) -> bool:
    """Whether a process has mapped a file with this name in its path."""
    return any(name in region.path for region in psutil.Process(pid).memory_maps())
