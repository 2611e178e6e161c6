"""Fair shares: a course with a thousand jobs does not keep the one job of another course waiting."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import redis
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.db.session import Database
from models.errors import LeaseLostError
from models.lms.quizzes import Quiz
from models.reports import jobs
from models.reports.jobs import Claim, Snapshot
from models.reports.requests import abort_report
from models.reports.tables import JobMessage, Progress, Queue, QuizReport, ReportState
from models.reports.variants import ReportType, Variant
from models.settings import Settings
from tests.factories import request_variant
from tests.school import School, Size
from workers.resources import Resources
from workers.shares import hand_out_next

SHARE = 4


def request(database: Database, quiz_id: int) -> JobMessage | None:
    with database.transaction() as session:
        quiz = session.get_one(Quiz, quiz_id)
        variant = Variant.of(quiz, ReportType.STUDENT_ANALYSIS, all_versions=False, sis_ids=True)
        return request_variant(session, variant, course_jobs=SHARE).message


def request_all(database: Database, school: School, count: int) -> list[JobMessage]:
    """Request the reports of so many quizzes of a course; return the messages that are sent at once."""
    messages = [request(database, quiz_id) for quiz_id in school.add_quizzes(count)]
    return [message for message in messages if message is not None]


def hold_back(database: Database, school: School, count: int) -> None:
    """Let a course have so many more jobs than its share, without a request for each."""
    quiz_ids = school.add_quizzes(count, Size(students=1, questions=1))
    with database.transaction() as session:
        for quiz in session.scalars(select(Quiz).where(Quiz.id.in_(quiz_ids)).order_by(Quiz.id)):
            variant = Variant.of(quiz, ReportType.STUDENT_ANALYSIS, all_versions=False, sis_ids=True)
            session.add(QuizReport(**vars(variant), state=ReportState.QUEUED, progress=Progress(user_id=7)))


def fail(database: Database, message: JobMessage) -> int:
    """Take a job as a worker does, and end it; return its quiz's id."""
    claim = take(database, message)
    with database.transaction() as session:
        jobs.fail(session, claim, "ended")
    return claim.variant.quiz_id


def take(database: Database, message: JobMessage) -> Claim:
    with database.transaction() as session:
        claim = jobs.claim(session, message.report_id, message.progress_id, lease_seconds=60, max_tries=3)
        assert claim is not None
        return claim


def take_only(database: Database, school: School) -> Claim:
    """Take the one job that a course has."""
    hold_back(database, school, 1)
    return take(database, *hand_out(database))


def finish(database: Database, claim: Claim) -> Sequence[JobMessage] | None:
    """End a claimed job with a file, as a worker does; return what is handed out with it."""
    with database.single_statement() as session:
        return jobs.finish(
            session, claim, Snapshot(1, 1, "1"), size=3, sha256=b"x" * 32, most_of_course=SHARE
        )


def hand_out(database: Database) -> Sequence[JobMessage]:
    with database.transaction() as session:
        return jobs.hand_out(session, most_of_course=SHARE)


def test_after_a_thousand_jobs_of_one_course_ten_others_wait_for_a_few(database: Database) -> None:
    large = School(database.url, 101)
    broker = deque(request_all(database, large, SHARE + 1))
    assert len(broker) == SHARE
    hold_back(database, large, 995)
    others = [School(database.url, course_id) for course_id in range(102, 112)]
    for school in others:
        # Each is sent at once, since its course has nothing else.
        broker += request_all(database, school, 1)
    waiting = {school.last_quiz_id for school in others}

    done = 0
    while waiting:
        waiting.discard(fail(database, broker.popleft()))
        broker += hand_out(database)
        done += 1
        assert len(broker) <= SHARE + len(others)

    # Those of the large course that were sent before them, and the ten themselves.
    assert done == SHARE + len(others)


def test_a_job_that_ends_with_a_file_hands_out_as_many_as_one_that_fails(database: Database) -> None:
    school = School(database.url)
    first, *_ = request_all(database, school, SHARE)
    hold_back(database, school, 2)
    claim = take(database, first)
    assert hand_out(database) == []
    handed_out = finish(database, claim)
    assert handed_out is not None
    assert hand_out(database) == []
    assert take(database, *handed_out).variant.quiz_id == school.last_quiz_id - 1


def test_a_worker_that_has_lost_its_lease_hands_out_nothing_as_it_ends(database: Database) -> None:
    school = School(database.url)
    claim = take_only(database, school)
    hold_back(database, school, 1)
    with pytest.raises(LeaseLostError):
        finish(database, replace(claim, token=uuid.uuid4()))
    assert len(hand_out(database)) == 1


def test_a_job_does_not_wait_to_end_for_a_change_of_one_that_it_would_hand_out(database: Database) -> None:
    school = School(database.url)
    claim = take_only(database, school)
    hold_back(database, school, 2)
    with database.transaction() as session:
        next_id = session.scalar(select(func.min(QuizReport.id)).where(QuizReport.enqueued_at.is_(None)))
        session.execute(select(QuizReport.id).where(QuizReport.id == next_id).with_for_update())
        handed_out = finish(database, claim)
    assert handed_out is not None
    assert [message.report_id for message in handed_out] != [next_id]
    assert [message.report_id for message in hand_out(database)] == [next_id]


def test_what_a_job_could_not_hand_out_as_it_ended_is_left_to_the_next_statement(database: Database) -> None:
    school = School(database.url)
    claim = take_only(database, school)
    hold_back(database, school, 1)
    with database.transaction() as session:
        session.execute(select(QuizReport.id).where(QuizReport.enqueued_at.is_(None)).with_for_update())
        assert finish(database, claim) is None
    (left,) = hand_out(database)
    assert finish(database, take(database, left)) == []


def test_courses_take_turns(database: Database) -> None:
    schools = [School(database.url, course_id) for course_id in (101, 102, 103)]
    for school in schools:
        hold_back(database, school, SHARE + 2)
    with database.transaction() as session:
        rows = session.execute(select(QuizReport.id, Quiz.course_id).join(Quiz)).all()
    course_of = {row[0]: row[1] for row in rows}
    order = [course_of[message.report_id] for message in hand_out(database)]
    assert order == [101, 102, 103] * SHARE
    assert hand_out(database) == []


def test_a_claimed_job_is_sent_again_although_the_database_has_lost_that_it_was_sent(
    database: Database,
) -> None:
    hold_back(database, School(database.url), 1)
    with database.engine.connect() as connection, Session(connection) as session:
        (message,) = jobs.hand_out(session, most_of_course=SHARE)
        # As if the database were restored from a backup: the message is in the broker, its mark is lost.
        session.rollback()
    with database.transaction() as session:
        claim = jobs.claim(session, message.report_id, message.progress_id, lease_seconds=60, max_tries=3)
        assert claim is not None
    with database.transaction() as session:
        assert jobs.give_back(session, claim, max_tries=3)
    with database.transaction() as session:
        found = jobs.take_unclaimed_jobs(session, message.queue, older_than_seconds=0, most=1)
    assert [job.report_id for job in found] == [message.report_id]


def test_a_job_that_is_held_back_can_be_aborted_and_is_not_handed_out(database: Database) -> None:
    school = School(database.url)
    request_all(database, school, SHARE)
    held = school.add_quiz()
    assert request(database, held) is None
    with database.transaction() as session:
        report = session.scalars(select(QuizReport).where(QuizReport.quiz_id == held)).one()
        assert (report.state, report.message) == (ReportState.QUEUED, None)
        assert abort_report(session, held, report.id).message is None
    with database.transaction() as session:
        assert len(jobs.hand_out(session, most_of_course=SHARE + 1)) == 0


@pytest.fixture
def resources(settings: Settings, open_resources: Callable[[Settings], Resources]) -> Resources:
    return open_resources(replace(settings, course_jobs=SHARE))


def test_a_finished_job_sends_the_message_of_the_next(
    database: Database, resources: Resources, redis_url: str
) -> None:
    school = School(database.url)
    sent = request_all(database, school, SHARE + 1)
    with redis.Redis.from_url(redis_url) as broker:
        hand_out_next(resources)
        assert broker.llen(Queue.SMALL.value) == 0
        fail(database, sent[0])
        hand_out_next(resources)
        assert broker.llen(Queue.SMALL.value) == 1


def test_a_message_that_the_broker_refuses_is_one_that_was_lost(
    database: Database, settings: Settings, open_resources: Callable[[Settings], Resources]
) -> None:
    hold_back(database, School(database.url), 1)
    hand_out_next(open_resources(replace(settings, redis_url="redis://127.0.0.1:1/0")))
    with database.transaction() as session:
        lost = jobs.take_unclaimed_jobs(session, Queue.SMALL, older_than_seconds=0, most=10)
    assert len(lost) == 1
