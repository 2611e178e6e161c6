"""Waiting for something to become true, as long as it takes on a slow machine and no longer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def wait_for(condition: Callable[[], Found | None], *, seconds: float = 60.0) -> Found:
    """Call until something truthy comes back, and return it; fail the test after the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds:g} seconds: {getattr(condition, '__name__', condition)}")
