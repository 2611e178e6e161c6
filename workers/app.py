"""The Celery application and its settings."""

from __future__ import annotations

from typing import Any

from celery import Celery, signals
from kombu import Queue as KombuQueue

from models.logs import configure_logging
from models.messages import PUBLISH_TIMEOUTS, Hint, Queue
from models.settings import Settings
from workers.resources import Resources
from workers.tasks import register_tasks

# A job that is still at work after this long is stopped; broker and worker must agree that it is not lost.
_HARD_LIMIT_SECONDS = 4 * 3600

CONFIGURATION: dict[str, Any] = {
    # Bytes that anybody could put into Redis are never unpickled.
    "accept_content": ["json"],
    "task_serializer": "json",
    # The rows are the result.
    "task_ignore_result": True,
    "result_backend": None,
    # A message is acknowledged when its job has ended; the row decides what a repeated one does.
    "task_acks_late": True,
    "task_reject_on_worker_lost": False,
    "worker_prefetch_multiplier": 1,
    "worker_max_tasks_per_child": 200,
    "task_time_limit": _HARD_LIMIT_SECONDS,
    "worker_soft_shutdown_timeout": 25,
    "worker_enable_remote_control": True,
    "worker_send_task_events": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "task_default_queue": Queue.SMALL.value,
    "task_queues": [KombuQueue(queue.value, routing_key=queue.value) for queue in Queue],
    "task_create_missing_queues": False,
}

CONSUMER_TRANSPORT: dict[str, Any] = {
    "visibility_timeout": 2 * _HARD_LIMIT_SECONDS,
    # Small first, where one slot takes both queues.
    "queue_order_strategy": "priority",
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "health_check_interval": 25,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
}


def create_celery(settings: Settings) -> Celery:
    """Make the application of a worker's processes; nothing is connected before a worker starts."""
    app = Celery("quiz-reports", broker=settings.redis_url)
    app.conf.update(CONFIGURATION, broker_transport_options=CONSUMER_TRANSPORT)
    register_tasks(app, Resources(settings))

    @signals.setup_logging.connect(weak=False)
    def _configure_logging(**_: Any) -> None:
        configure_logging(settings)

    return app


def create_publisher(settings: Settings) -> Celery:
    """Make an application that only publishes, and gives up at once where the broker does not answer."""
    app = Celery("quiz-reports", broker=settings.redis_url, set_as_current=False)
    app.conf.update(CONFIGURATION, broker_transport_options=dict(PUBLISH_TIMEOUTS))
    return app


def publish(app: Celery, task: str, hint: Hint) -> None:
    """Send a hint; raise kombu.exceptions.OperationalError if the broker does not take it."""
    app.send_task(task, kwargs=hint.arguments, task_id=hint.task_id, queue=hint.queue.value, retry=False)
