"""Waiting for something to become true, as long as it takes on a slow machine and no longer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

import psutil

Found = TypeVar("Found")

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25


def wait_for(condition: Callable[[], Found | None], *, seconds: float = 180.0) -> Found:
    """Call until something truthy comes back, and return it; fail the test after the time."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < seconds:
        if found := condition():
            return found
        # A process that takes long to start needs the processor more than the question whether it has.
        time.sleep(min(max(_SHORTEST_PAUSE, waited / 20), _LONGEST_PAUSE))
    raise AssertionError(f"not within {seconds:g} seconds: {getattr(condition, '__name__', condition)}")


def still_running(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Return the processes that have not ended; in a container nothing may be there to remove a zombie."""
    found = []
    for process in processes:
        # It may end between two questions about it.
        with suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
