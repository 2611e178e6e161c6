"""Pushes at the same time: all of them count, none waits for ever, none fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from models.errors import InvalidInputError
from models.ingestion.attempts import apply_attempts
from models.ingestion.counts import PushCounts
from models.payloads.batches import read_lines
from tests.lms import MEGABYTE, Lms
from tests.payloads import (
    COURSE_ID,
    FIRST_QUESTION,
    QUIZ_ID,
    SECOND_QUESTION,
    attempt,
    many_attempts,
    question,
)

THREADS = 20
OTHER_COURSE_ID = 102


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Call all at once and return what they return, the first exception raised."""
    barrier = threading.Barrier(len(calls))

    def call(function: Callable[[], Any]) -> Any:
        barrier.wait(timeout=60)
        return function()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(timeout=180) for future in [pool.submit(call, function) for function in calls]]


def total(counts: Iterable[PushCounts]) -> tuple[int, int, int, int]:
    counts = list(counts)
    return (
        sum(c.created for c in counts),
        sum(c.updated for c in counts),
        sum(c.unchanged for c in counts),
        sum(c.deleted for c in counts),
    )


def test_attempts_of_many_students_at_once_are_all_stored(school: Lms) -> None:
    counts = together(*[lambda n=n: school.put_attempts(attempt(n)) for n in range(THREADS)])

    assert total(counts) == (THREADS, 0, 0, 0)
    assert sorted(c.revision for c in counts) == list(range(2, THREADS + 2))
    assert school.rows("SELECT count(*), (SELECT response_count FROM quizzes) FROM attempts") == [
        (THREADS, 2 * THREADS)
    ]


def test_attempts_that_bring_their_questions_are_all_stored(school: Lms) -> None:
    asked = [question(FIRST_QUESTION), question(SECOND_QUESTION)]

    def push(number: int) -> PushCounts:
        new = question(5_000_000 + number // 4)
        return school.put_attempts(attempt(number, quiz_data=[*asked, new][:: number % 2 * 2 - 1]))

    assert total(together(*[lambda n=n: push(n) for n in range(THREADS)])) == (THREADS, 0, 0, 0)


def test_the_same_attempt_at_once_is_stored_once(school: Lms) -> None:
    counts = together(*[lambda: school.put_attempts(attempt())] * THREADS)

    assert total(counts) == (1, 0, THREADS - 1, 0)
    assert {c.revision for c in counts} == {2}
    assert school.value("SELECT response_count FROM quizzes") == 2


def test_the_newest_of_many_regrades_at_once_stands(school: Lms) -> None:
    def push(number: int) -> PushCounts:
        return school.put_attempts(attempt(score=number, updated_at=f"2026-09-10T10:00:{number:02}Z"))

    together(*[lambda n=n: push(n) for n in range(THREADS)])

    assert school.value("SELECT score FROM attempts") == THREADS - 1


def test_streams_and_single_attempts_of_one_quiz_never_wait_in_a_ring(
    school: Lms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.payloads.batches.MAX_ATTEMPTS", 5)
    attempts = list(many_attempts(30))
    asked = [question(FIRST_QUESTION, question_text="as seen"), question(SECOND_QUESTION)]
    singles = [lambda n=n: school.put_attempts(attempt(1000 + n, score=n)) for n in range(6)]
    with_questions = [
        lambda n=n: school.put_attempts(attempt(1010 + n, quiz_data=[*asked, question(n + 1)]))
        for n in range(6)
    ]

    for _ in range(5):
        together(
            lambda: school.put_lines(attempts),
            lambda: school.put_lines(attempts[::-1]),
            lambda: school.put_attempts(*attempts[::3]),
            lambda: school.put_quiz(title="Cells"),
            *singles,
            *with_questions,
        )

    assert school.value("SELECT count(*) FROM attempts") == 30
    assert school.value("SELECT response_count FROM quizzes") == school.value(
        "SELECT sum(cardinality(points)) FROM attempts"
    )


def test_an_attempt_waits_for_no_other_but_at_the_quizs_row(school: Lms) -> None:
    """While one transaction has stored an attempt and not ended, another gets to its last statement."""
    with school.database.transaction() as slow:
        apply_attempts(slow, COURSE_ID, QUIZ_ID, read_lines([_line(1)], MEGABYTE))
        with school.database.transaction() as quick:
            quick.execute(text("SET LOCAL lock_timeout = '200ms'"))
            quick.execute(text("SAVEPOINT before"))
            with pytest.raises(Exception, match="lock timeout") as caught:
                apply_attempts(quick, COURSE_ID, QUIZ_ID, read_lines([_line(2)], MEGABYTE))
            quick.execute(text("ROLLBACK TO before"))

    assert "UPDATE quizzes SET revision" in str(caught.value)


def test_courses_that_share_users_are_pushed_crosswise(lms: Lms) -> None:
    users = [{"id": n, "name": f"User {n}"} for n in range(1, 31)]

    def push(course_id: int, round_: int) -> PushCounts:
        order = users if course_id == COURSE_ID else users[::-1]
        renamed = [{**user, "name": f"{user['name']} {round_} {course_id}"} for user in order]
        sections = [{"id": course_id * 10, "name": f"Section {round_}"}]
        return lms.patch_course(course_id, name="Biology", users=renamed, sections=sections)

    for round_ in range(50):
        together(*[partial(push, course_id, round_) for course_id in (COURSE_ID, OTHER_COURSE_ID)])

    # Each push renamed everybody, so it raised both revisions, but for the very first.
    assert all(revision >= 99 for (revision,) in lms.rows("SELECT roster_revision FROM courses"))


def test_one_course_pushed_at_once_is_stored_once(lms: Lms) -> None:
    counts = together(*[lms.put_course] * 8)

    assert total(counts) == (7, 0, 49, 0)


def test_one_quiz_pushed_at_once_is_stored_once(lms: Lms) -> None:
    lms.put_course()

    assert total(together(*[lms.put_quiz] * 8)) == (3, 0, 21, 0)


def test_of_two_courses_with_one_sis_id_one_is_refused(lms: Lms) -> None:
    def push(course_id: int) -> bool:
        try:
            lms.patch_course(course_id, name="Biology", sis_course_id="BIO")
        except InvalidInputError as error:
            return error.issues[0].path != "course.sis_course_id"
        return True

    assert sorted(together(lambda: push(COURSE_ID), lambda: push(OTHER_COURSE_ID))) == [False, True]


def _line(submission_id: int) -> bytes:
    return msgspec.json.encode(attempt(submission_id))


def test_a_change_of_the_assignment_waits_for_no_attempt_that_was_just_inserted(school: Lms) -> None:
    # If it waited, two pushes of attempts that raise the revision next would deadlock with it.
    with ThreadPoolExecutor(1) as pool, school.database.transaction() as session:
        # As the foreign key of an inserted attempt does.
        session.execute(text("SELECT FROM quizzes FOR KEY SHARE"))
        assert pool.submit(school.patch_quiz, assignment_id=5).result(timeout=60).updated == 1
