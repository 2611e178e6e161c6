"""The Celery application of the workers."""

from __future__ import annotations

from typing import Any, Final

from celery import Celery, signals
from kombu.transport import TRANSPORT_ALIASES

from models.logs import configure_logging
from models.publisher import SHARED_CONFIGURATION
from models.settings import Settings
from workers.resources import Resources
from workers.tasks import register_tasks

# A job that runs longer is stopped. The broker must not hand its message to another worker before that.
_HARD_LIMIT_SECONDS: Final = 4 * 3600

CONFIGURATION: Final[dict[str, Any]] = {
    **SHARED_CONFIGURATION,
    # A message is acknowledged when its job has ended; the row decides what a repeated message does.
    "task_acks_late": True,
    "task_reject_on_worker_lost": False,
    "worker_prefetch_multiplier": 1,
    "worker_max_tasks_per_child": 200,
    "task_time_limit": _HARD_LIMIT_SECONDS,
    "worker_enable_remote_control": True,
    "worker_send_task_events": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_transport_options": {
        "visibility_timeout": 2 * _HARD_LIMIT_SECONDS,
        # A slot that serves both queues takes small reports first.
        "queue_order_strategy": "priority",
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "health_check_interval": 25,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
    },
}


def create_celery(settings: Settings) -> Celery:
    """Make the application of a worker's processes; nothing is connected before a worker starts."""
    # Under the schemes of the URL, because kombu decides by the scheme whether to use TLS.
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "workers.transport:Transport"))
    app = Celery("quiz-reports", broker=settings.redis_url)
    app.conf.update(CONFIGURATION)
    register_tasks(app, Resources(settings))

    @signals.setup_logging.connect(weak=False)
    def _configure_logging(**_: Any) -> None:
        configure_logging(settings)

    return app
