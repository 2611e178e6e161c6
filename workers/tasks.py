"""The Celery tasks of the workers."""

from __future__ import annotations

from celery import Celery

from models.publisher import GENERATE_REPORT
from workers.generation import generate
from workers.resources import Resources
from workers.shares import hand_out_next, send_handed_out


def register_tasks(app: Celery, resources: Resources) -> None:
    """Register the tasks with an application."""

    @app.task(name=GENERATE_REPORT, shared=False)
    def generate_report(report_id: int, progress_id: int) -> None:
        # A job leaves room for another one of its course; if it ends with a file, it mostly hands that out.
        handed_out = generate(resources, report_id, progress_id)
        if handed_out is None:
            hand_out_next(resources)
        else:
            send_handed_out(resources, handed_out)
