"""A reference for small reports: a Celery worker with the settings of the service whose task does nothing.

Each task appends a byte to the file that NOOP_FILE names, whose size is cheap to read.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from kombu import Queue

from models.settings import Settings
from ops.serve.worker_node import replace_ended_children
from workers.app import CONFIGURATION

NAME = "noop"
FILE_VARIABLE = "NOOP_FILE"


def create_noop(settings: Settings, **configuration: Any) -> Celery:
    """Create the Celery application of worker and publisher."""
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
    app = create_noop(Settings.from_env())
    replace_ended_children(app)
    app.worker_main([*arguments, "--without-mingle", "--without-gossip"])
