"""The way to the workers: the only place of the web door that knows Celery."""

from __future__ import annotations

import structlog
from celery import Celery
from kombu import Exchange
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from models.queue import GENERATE_REPORT, PUBLISH_TIMEOUTS, JobMessage, task_id

_log = structlog.stdlib.get_logger(__name__)

# Where workers listen for what Celery calls remote control.
_CONTROL = Exchange("celery.pidbox", type="fanout", durable=False, delivery_mode="transient")
# What a broker that is away, frozen or full raises; none of it may reach a client.
_FAILURES = (KombuError, RedisError, OSError)


class JobPublisher:
    """Sends messages once, without a second try: the row is the truth, and the sweeper sends what was lost.

    There is no result backend: with one, sending would wait for 20 seconds on a broker that is away.
    """

    def __init__(self, redis_url: str) -> None:
        self._celery = Celery("quiz-reports", broker=redis_url, set_as_current=False)
        self._celery.conf.update(
            accept_content=["json"],
            task_serializer="json",
            task_ignore_result=True,
            result_backend=None,
            broker_connection_timeout=PUBLISH_TIMEOUTS["socket_connect_timeout"],
            broker_transport_options={**PUBLISH_TIMEOUTS, "max_retries": 0},
        )

    def send(self, message: JobMessage | None) -> bool:
        """Tell the workers of a job, if there is one; False if the broker did not take it."""
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
        except _FAILURES as error:
            _log.warning("hint not sent", report_id=message.report_id, reason=type(error).__name__)
            return False
        return True

    def revoke(self, progress_id: int | None) -> bool:
        """Spare the workers a job that was taken back, if there is one; the row has decided already.

        Celery's own `control.revoke` tries for ever where the broker is away, so its message is sent here.
        """
        if progress_id is None:
            return True
        try:
            with self._celery.producer_pool.acquire(block=True, timeout=1) as producer:
                producer.publish(
                    {
                        "method": "revoke",
                        "arguments": {"task_id": task_id(progress_id), "terminate": False},
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
        except _FAILURES as error:
            _log.warning("revoke not sent", progress_id=progress_id, reason=type(error).__name__)
            return False
        return True
