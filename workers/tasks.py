"""The Celery tasks of the workers."""

from __future__ import annotations

from celery import Celery

from models.publisher import GENERATE_REPORT
from workers.generation import generate
from workers.resources import Resources
from workers.shares import hand_out_next


def register_tasks(app: Celery, resources: Resources) -> None:
    """Register the tasks with an application."""

    @app.task(name=GENERATE_REPORT)
    def generate_report(report_id: int, progress_id: int) -> None:
        generate(resources, report_id, progress_id)
        # This job has left room for another one of its course.
        hand_out_next(resources)
