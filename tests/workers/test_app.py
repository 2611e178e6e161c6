"""The configuration by which a worker loses no job and does none twice."""

from __future__ import annotations

from models.reports.tables import Queue
from workers.app import CONFIGURATION


def test_the_broker_hands_on_no_message_while_its_job_may_run() -> None:
    visible_after = CONFIGURATION["broker_transport_options"]["visibility_timeout"]

    assert CONFIGURATION["task_acks_late"]
    assert visible_after > CONFIGURATION["task_time_limit"]


def test_a_worker_takes_one_message_at_a_time_and_unpickles_none() -> None:
    assert CONFIGURATION["worker_prefetch_multiplier"] == 1
    assert CONFIGURATION["accept_content"] == ["json"]
    assert {queue.name for queue in CONFIGURATION["task_queues"]} == set(Queue)
