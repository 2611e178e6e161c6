"""Orphans: processes that outlived the run that started them."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress

import psutil


def end_orphans(
    is_orphan: Callable[[psutil.Process], bool], *, first: signal.Signals = signal.SIGTERM
) -> None:
    """End every orphan: with the given signal first, after 15 seconds with SIGKILL."""
    orphans = [process for process in psutil.process_iter() if _recognised(process, is_orphan)]
    _send(orphans, first)
    _, stubborn = psutil.wait_procs(orphans, timeout=15)
    _send(stubborn, signal.SIGKILL)
    psutil.wait_procs(stubborn, timeout=5)


def _recognised(process: psutil.Process, is_orphan: Callable[[psutil.Process], bool]) -> bool:
    # The process has just ended, or belongs to another user and so is not ours.
    with suppress(psutil.Error, OSError):
        return is_orphan(process)
    return False


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        # The process may have ended by itself in the meantime.
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
