"""Races: calls that begin at one moment, again and again."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

Result = TypeVar("Result")

# A few of each race on a laptop, more in CI; RACE_ROUNDS=200 makes as many as it says.
ROUNDS: Final = int(os.environ.get("RACE_ROUNDS") or ("20" if os.environ.get("CI") else "5"))


def together(*calls: Callable[[], Result]) -> list[Result]:
    """Call all at one moment, and return what they return; an exception is raised."""
    barrier = threading.Barrier(len(calls))

    def call(function: Callable[[], Result]) -> Result:
        barrier.wait(timeout=60)
        return function()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(timeout=180) for future in [pool.submit(call, function) for function in calls]]
