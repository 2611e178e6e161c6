"""How much memory processes take, and what they have loaded."""

from __future__ import annotations

from pathlib import Path

import psutil

MIB = 2.0**20


def peak_bytes(pid: int | None = None) -> int:
    """Return the most memory that a process ever had resident, pages shared with its parent included.

    Where the system does not tell, what it has now.
    """
    status = Path(f"/proc/{pid or 'self'}/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return int(psutil.Process(pid).memory_info().rss)


def has_loaded(pid: int, name: str) -> bool:
    """Tell whether a process has a shared library with this name in its path in memory."""
    return any(name in region.path for region in psutil.Process(pid).memory_maps())
