"""One Celery node: its heartbeat, and how it stops."""

from __future__ import annotations

import gc
import os
import platform
import secrets
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import structlog
from billiard.process import current_process
from celery import Celery, bootsteps, signals

from models.metrics import name_process
from models.reports.tables import Queue
from models.settings import Settings
from workers.app import create_celery
from workers.transport import Transport

_HEARTBEAT_SECONDS = 10
_REPLACE_SECONDS = 0.1
# How long running jobs may take to finish after SIGTERM. The rest return to the queue.
STOP_SECONDS = 25.0

_log = structlog.stdlib.get_logger(__name__)


def run_node(
    settings: Settings, queues: Sequence[Queue], slots: int, heartbeat_file: Path | None
) -> NoReturn:
    """Run a node until SIGTERM, then exit with its status."""
    # The log is standard error. Celery writes a few lines for people, which are no JSON, to standard output.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    names = "-".join(queues)
    # The pool numbers its children, and the number of one that has ended goes to the next.
    name_process(lambda: f"{names}-{getattr(current_process(), 'index', 'parent')}")
    app = create_celery(settings)
    if heartbeat_file is not None:
        _touch_regularly(app, heartbeat_file.with_name(f"{heartbeat_file.name}-{names}"))
    replace_ended_children(app)
    _limit_stopping()
    worker = app.Worker(
        hostname=f"{names}-{secrets.token_hex(4)}@{platform.node()}",
        pool_cls="prefork",
        concurrency=slots,
        queues=[queue.value for queue in queues],
        loglevel=settings.log_level,
        without_mingle=True,
        without_gossip=True,
        quiet=True,
    )
    # The objects of the libraries live as long as the node and its children. Searches for garbage go through
    # them again and again, which took a tenth of the CPU time of a small report.
    gc.collect()
    gc.freeze()
    worker.start()
    # At its end the interpreter would search all objects of the libraries for garbage. That takes a second of
    # computing and, on a busy machine, most of the time of a stop.
    gc.freeze()
    sys.exit(worker.exitcode)


def replace_ended_children(app: Celery) -> None:
    """Let the node look for ended children many times a second, and replace them.

    Celery looks when a child closes its pipe. Often the child has not quite ended then, and Celery looks
    again up to five seconds later, while the job that it has given to that child waits:
    https://github.com/celery/celery/issues/9588.
    """

    class Replacement(bootsteps.StartStopStep):
        requires = ("celery.worker.components:Pool",)

        def start(self, worker: Any) -> None:
            worker.timer.call_repeatedly(_REPLACE_SECONDS, worker.pool.maintain_pool)

    app.steps["worker"].add(Replacement)


def _limit_stopping() -> None:
    """Bound Celery's warm shutdown, which takes no more jobs and ends as soon as the running ones have.

    Its own bound, the soft shutdown, always sleeps for the whole time, however soon the jobs end.
    """

    def give_up() -> None:
        _log.warning("jobs_given_back", after_seconds=STOP_SECONDS)
        os.kill(os.getpid(), signal.SIGQUIT)

    @signals.worker_shutting_down.connect(weak=False)
    def begin(how: str, **_: Any) -> None:
        if how == "Warm":
            timer = threading.Timer(STOP_SECONDS, give_up)
            timer.daemon = True
            timer.start()


def _touch_regularly(app: Celery, path: Path) -> None:
    """Touch a file while the node's event loop turns, or while it tries to reach an absent broker."""

    class Heartbeat(bootsteps.StartStopStep):
        requires = ("celery.worker.components:Timer",)

        def start(self, worker: Any) -> None:
            path.touch()
            worker.timer.call_repeatedly(_HEARTBEAT_SECONDS, path.touch)

    app.steps["worker"].add(Heartbeat)
    Transport.before_connecting.append(path.touch)
