"""A Celery worker that does nothing, with the service's own settings: the reference of small reports.

A task that is done adds a byte to the file that NOOP_FILE names, which costs next to nothing to write and
to look at.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from kombu import Queue

from models.settings import Settings
from workers.app import CONFIGURATION

NAME = "noop"
FILE_VARIABLE = "NOOP_FILE"


def create_noop(settings: Settings, **configuration: Any) -> Celery:
    """Make the application of worker and publisher."""
    app = Celery(NAME, broker=settings.redis_url, set_as_current=False)
    queues = [Queue(NAME, routing_key=NAME)]
    app.conf.update({**CONFIGURATION, "task_default_queue": NAME, "task_queues": queues, **configuration})
    done = -1

    @app.task(name=NAME)
    def noop() -> None:
        nonlocal done
        if done < 0:
            done = os.open(os.environ[FILE_VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(done, b".")

    return app


if __name__ == "__main__":
    arguments = ["worker", "--pool=prefork", "--concurrency=1", f"--queues={NAME}", "--loglevel=info"]
    create_noop(Settings.from_env()).worker_main([*arguments, "--without-mingle", "--without-gossip"])
