"""The Celery application of the workers."""

from __future__ import annotations

from typing import Any

from celery import Celery, signals

from models.logs import configure_logging
from models.settings import Settings
from workers.configuration import CONFIGURATION, CONSUMER_TRANSPORT
from workers.resources import Resources
from workers.tasks import register_tasks


def create_celery(settings: Settings) -> Celery:
    """Make the application of a worker's processes; nothing is connected before a worker starts."""
    app = Celery("quiz-reports", broker=settings.redis_url)
    app.conf.update(CONFIGURATION, broker_transport_options=CONSUMER_TRANSPORT)
    register_tasks(app, Resources(settings))

    @signals.setup_logging.connect(weak=False)
    def _configure_logging(**_: Any) -> None:
        configure_logging(settings)

    return app
