"""The queues and the message between the API and the workers.

A message says that a row may be waiting. It carries no state, so a lost, late or repeated one harms nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    """Says that a report's job may be waiting."""

    report_id: int
    progress_id: int
    queue: Queue

    @property
    def task_id(self) -> str:
        """The Celery task's id, one for each job, so that a revoke never hits a report's later job."""
        return task_id(self.progress_id)

    @property
    def arguments(self) -> dict[str, int]:
        """The task's keyword arguments."""
        return {"report_id": self.report_id, "progress_id": self.progress_id}


def task_id(progress_id: int) -> str:
    """Name the Celery task of a Progress."""
    return f"progress-{progress_id}"
