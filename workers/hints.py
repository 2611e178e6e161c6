"""Sends messages; what imports this needs no pandas."""

from __future__ import annotations

from celery import Celery

from models.queue import GENERATE_REPORT, PUBLISH_TIMEOUTS, JobMessage
from models.settings import Settings
from workers.configuration import CONFIGURATION


def create_publisher(settings: Settings) -> Celery:
    """Make an application that only publishes, and gives up at once where the broker does not answer."""
    app = Celery("quiz-reports", broker=settings.redis_url, set_as_current=False)
    app.conf.update(CONFIGURATION, broker_transport_options=dict(PUBLISH_TIMEOUTS))
    return app


def publish(app: Celery, message: JobMessage) -> None:
    """Send a message; raise kombu.exceptions.OperationalError if the broker does not take it."""
    app.send_task(
        GENERATE_REPORT,
        kwargs=message.arguments,
        task_id=message.task_id,
        queue=message.queue.value,
        retry=False,
    )
