"""The figures of starting: the help of the command, the web process, a worker."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ops.benchmarks.measure import Comparison, Outcome, Spread, at_most, interleaved, seconds
from ops.benchmarks.stack import BenchmarkError, BenchmarkStack, log_line

_HELP_SECONDS, _API_SECONDS, _WORKER_SECONDS = 0.5, 2.0, 4.0
_FEWEST_RUNS = 5


def measure_starts(stack: BenchmarkStack) -> Iterator[Outcome]:
    """Measure the time from the start of each process until it is ready."""
    log_line("starting the command, the API and a worker")
    help_text, api, worker = interleaved(
        max(_FEWEST_RUNS, stack.plan.runs),
        lambda: seconds(_help),
        lambda: _until_ready(stack.api()),
        lambda: _until_ready(stack.worker()),
    )
    yield _outcome("help", "`quiz-reports --help`", help_text, _HELP_SECONDS)
    yield _outcome("api", "the API, from its start to ready", api, _API_SECONDS)
    yield _outcome("worker", "a worker, from its start to taking jobs", worker, _WORKER_SECONDS)


def _help() -> None:
    command = Path(sys.executable).parent / "quiz-reports"
    if not command.exists():
        raise BenchmarkError(f"{command} is not installed: run make install")
    subprocess.run([command, "--help"], stdout=subprocess.DEVNULL, check=True)


def _until_ready(starting: contextlib.AbstractContextManager[object]) -> float:
    began = time.perf_counter()
    with starting:
        return time.perf_counter() - began


def _outcome(name: str, work: str, measured: Spread, limit: float) -> Outcome:
    return Outcome(
        figure=f"start/{name}",
        work=work,
        unit="s",
        measured=measured,
        goal=at_most(limit, Comparison.ALONE),
    )
