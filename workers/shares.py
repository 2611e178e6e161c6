"""Fair shares: the jobs of a course with many do not keep those of other courses waiting."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from models.reports.jobs import hand_out
from models.reports.tables import JobMessage
from workers.resources import Resources

log = structlog.get_logger(__name__)


def hand_out_next(resources: Resources) -> None:
    """Mark the jobs that were held back and whose turn it is as sent, and send their messages.

    A failure is only logged: the sweeper does the same at its next turn.
    """
    try:
        with resources.database.single_statement() as session:
            messages = hand_out(session, most_of_course=resources.settings.course_jobs)
    except (DBAPIError, PoolTimeoutError):
        log.exception("database_failed")
        return
    send_handed_out(resources, messages)


def send_handed_out(resources: Resources, messages: Sequence[JobMessage]) -> None:
    """Send the messages of jobs that are marked as sent; the sweeper sends those that the broker refuses."""
    for message in messages:
        if not resources.publisher.send(message):
            # The publisher has logged it. To the sweeper, the rest are jobs whose messages were lost.
            return
        log.info("job_handed_out", report_id=message.report_id, job_id=message.progress_id)
