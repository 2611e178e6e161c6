"""A worker that stops itself (SIGSTOP) at a step of a report, so that a test can kill or wake it just there.

It is the `quiz-reports` command with the functions of that step wrapped: `stopping_worker.py STEP worker …`.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from models.reports import jobs
from models.storage import BlobStore
from ops.cli import main
from workers import generation
from workers.extract.snapshot import Extract

_Function = Callable[..., Any]


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _before(function: _Function) -> _Function:
    @functools.wraps(function)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        _stop()
        return function(*arguments, **options)

    return wrapped


def _after(function: _Function) -> _Function:
    @functools.wraps(function)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        value = function(*arguments, **options)
        _stop()
        return value

    return wrapped


def _after_the_block(manager: _Function) -> _Function:
    @functools.wraps(manager)
    @contextmanager
    def wrapped(*arguments: Any, **options: Any) -> Iterator[Any]:
        with manager(*arguments, **options) as value:
            yield value
        # Before it starts, a worker also writes an object to test the store.
        if str(arguments[1]).startswith("reports/"):
            _stop()

    return wrapped


def _after_half(parts: _Function) -> _Function:
    @functools.wraps(parts)
    def wrapped(chunks: Iterator[Any], completion: generation.Completion) -> Iterator[Any]:
        done, has_stopped = 0, False
        for chunk in parts(chunks, completion):
            done += len(chunk)
            yield chunk
            # The next chunk is asked for when this one is computed.
            if 2 * done >= completion.work and not has_stopped:
                has_stopped = True
                _stop()

    return wrapped


# The steps in their order: the owner and the name of each function that is wrapped, and how.
STEPS: dict[str, list[tuple[object, str, Callable[[_Function], _Function]]]] = {
    "claimed": [(generation, "write_file", _before)],
    "snapshot": [(Extract, "__enter__", _after)],
    "half_computed": [(generation, "_counted", _after_half)],
    "object_written": [(BlobStore, "writer", _after_the_block)],
    "before_finish": [(generation, "finish", _before)],
    "after_finish": [(jobs, "finish", _after)],
}
# The finish is one statement, committed at once: after it, the report is generated.
STEPS_BEFORE_THE_END = [step for step in STEPS if step != "after_finish"]


if __name__ == "__main__":
    for owner, name, wrap in STEPS[sys.argv.pop(1)]:
        setattr(owner, name, wrap(getattr(owner, name)))
    main()
