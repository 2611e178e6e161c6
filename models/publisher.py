"""The publisher of job messages, and the Celery configuration that it shares with the workers.

This is the one module of `models` that imports Celery.
"""

from __future__ import annotations

from typing import Any, Final

import structlog
from celery import Celery
from kombu import Exchange
from kombu import Queue as KombuQueue
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from models.reports.tables import JobMessage, Queue

GENERATE_REPORT: Final = "quiz_reports.generate_report"

# Half a second is enough for a healthy broker, and a request can afford it if the broker is frozen.
PUBLISH_TIMEOUTS: Final = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5}

_log = structlog.stdlib.get_logger(__name__)

SHARED_CONFIGURATION: Final[dict[str, Any]] = {
    # Anything may have been written to Redis, so messages are never unpickled.
    "accept_content": ["json"],
    "task_serializer": "json",
    # The rows are the result. With a result backend, sending would wait 20 seconds for an absent broker.
    "task_ignore_result": True,
    "result_backend": None,
    "task_default_queue": Queue.SMALL.value,
    "task_queues": [KombuQueue(queue.value, routing_key=queue.value) for queue in Queue],
    "task_create_missing_queues": False,
}

BROKER_FAILURES: Final = (KombuError, RedisError, OSError)
"""What an absent, frozen or full broker raises."""

# The exchange on which workers receive what Celery calls remote control.
_CONTROL: Final = Exchange("celery.pidbox", type="fanout", durable=False, delivery_mode="transient")


class JobPublisher:
    """Sends each message once. The row is the truth, and the sweeper replaces a lost message."""

    def __init__(self, redis_url: str) -> None:
        self._celery = Celery("quiz-reports", broker=redis_url, set_as_current=False)
        self._celery.conf.update(
            SHARED_CONFIGURATION,
            broker_connection_timeout=PUBLISH_TIMEOUTS["socket_connect_timeout"],
            broker_transport_options={**PUBLISH_TIMEOUTS, "max_retries": 0},
        )

    def send(self, message: JobMessage | None) -> bool:
        """Tell the workers of a job, if there is one; False if the broker did not take the message."""
        if message is None:
            return True
        try:
            self._celery.send_task(
                GENERATE_REPORT,
                kwargs=message.arguments,
                task_id=message.task_id,
                queue=message.queue.value,
                retry=False,
                ignore_result=True,
            )
        except BROKER_FAILURES as error:
            _log.warning(
                "job_not_published",
                report_id=message.report_id,
                job_id=message.progress_id,
                reason=type(error).__name__,
            )
            return False
        return True

    def revoke(self, message: JobMessage | None) -> bool:
        """Tell the workers to drop the message of a cancelled job, if there is one; False if that failed.

        The row alone decides that the job does not run; this only spares a worker the message. Celery's own
        `control.revoke` retries for ever if the broker is absent, so its message is sent from here.
        """
        if message is None:
            return True
        try:
            with self._celery.producer_pool.acquire(block=True, timeout=1) as producer:
                producer.publish(
                    {
                        "method": "revoke",
                        "arguments": {"task_id": message.task_id, "terminate": False},
                        "destination": None,
                        "pattern": None,
                        "matcher": None,
                    },
                    exchange=_CONTROL.name,
                    declare=[_CONTROL],
                    headers={"clock": 0, "expires": 0},
                    serializer="json",
                    retry=False,
                )
        except BROKER_FAILURES as error:
            _log.warning("job_not_revoked", job_id=message.progress_id, reason=type(error).__name__)
            return False
        return True

    def count_workers(self, within_seconds: float) -> int:
        """Count the worker nodes that respond in time.

        Raises one of `BROKER_FAILURES` if the broker does not respond.
        """
        return len(self._celery.control.ping(timeout=within_seconds) or ())

    def close(self) -> None:
        """Close the connections to the broker."""
        self._celery.close()
