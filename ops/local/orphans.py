"""Processes that an earlier run left behind because it was killed itself."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress

import psutil


def end_orphans(
    is_orphan: Callable[[psutil.Process], bool], *, first: signal.Signals = signal.SIGTERM
) -> None:
    """End every process that is recognised: at first politely, after a while for good."""
    orphans = [process for process in psutil.process_iter() if _recognised(process, is_orphan)]
    _send(orphans, first)
    _, stubborn = psutil.wait_procs(orphans, timeout=15)
    _send(stubborn, signal.SIGKILL)
    psutil.wait_procs(stubborn, timeout=5)


def _recognised(process: psutil.Process, is_orphan: Callable[[psutil.Process], bool]) -> bool:
    # It ended just now, or it is another user's and so not ours.
    with suppress(psutil.Error, OSError):
        return is_orphan(process)
    return False


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        # One that ended with its parent, a moment ago, is what is wanted.
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
