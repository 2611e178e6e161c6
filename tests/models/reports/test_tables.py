"""What the rows of reports say: the message that tells of a job."""

from __future__ import annotations

from models.reports.tables import JobMessage, Queue


def test_sends_of_one_job_are_equal_with_an_id_each() -> None:
    first, again = (JobMessage(5, 7, Queue.SMALL, send) for send in (1, 2))

    assert first == again
    assert {first, again} == {first}
    assert (first.task_id, again.task_id) == ("progress-7-1", "progress-7-2")


def test_another_job_of_the_report_is_another_message() -> None:
    assert JobMessage(5, 7, Queue.SMALL, 1) != JobMessage(5, 8, Queue.SMALL, 1)


def test_a_message_carries_no_state() -> None:
    assert JobMessage(5, 7, Queue.LARGE, 3).arguments == {"report_id": 5, "progress_id": 7}
