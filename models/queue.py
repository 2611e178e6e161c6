"""The queues and the message between the API and the workers.

A message says that a row may be waiting. It carries no state, so a lost, late or repeated one harms nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

GENERATE_REPORT = "quiz_reports.generate_report"

# Half a second is enough for a healthy broker, and a request can afford it if the broker is frozen.
PUBLISH_TIMEOUTS = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5}


class Queue(StrEnum):
    """Small reports must not wait behind large ones."""

    SMALL = "small"
    LARGE = "large"


@dataclass(frozen=True)
class JobMessage:
    """Says that a report's job may be waiting; all messages of a job are equal, whatever their `send`."""

    report_id: int
    progress_id: int
    queue: Queue
    send: int = field(compare=False)

    @property
    def task_id(self) -> str:
        """The id of the Celery task, one for each send, so that a revoke does not stop a later one."""
        return f"progress-{self.progress_id}-{self.send}"

    @property
    def arguments(self) -> dict[str, int]:
        """The task's keyword arguments."""
        return {"report_id": self.report_id, "progress_id": self.progress_id}
