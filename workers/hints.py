"""Sends hints; what imports this needs no pandas."""

from __future__ import annotations

from celery import Celery

from models.queue import GENERATE_REPORT, PUBLISH_TIMEOUTS, Hint
from models.settings import Settings
from workers.configuration import CONFIGURATION


def create_publisher(settings: Settings) -> Celery:
    """Make an application that only publishes, and gives up at once where the broker does not answer."""
    app = Celery("quiz-reports", broker=settings.redis_url, set_as_current=False)
    app.conf.update(CONFIGURATION, broker_transport_options=dict(PUBLISH_TIMEOUTS))
    return app


def publish(app: Celery, hint: Hint) -> None:
    """Send a hint; raise kombu.exceptions.OperationalError if the broker does not take it."""
    app.send_task(
        GENERATE_REPORT, kwargs=hint.arguments, task_id=hint.task_id, queue=hint.queue.value, retry=False
    )
