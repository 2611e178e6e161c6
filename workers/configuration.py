"""How Celery is set, in whatever sends or takes a message."""

from __future__ import annotations

from typing import Any

from kombu import Queue as KombuQueue

from models.queue import Queue

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
