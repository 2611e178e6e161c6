"""How many attempts are newer than the file of a report: those of transactions that its snapshot lacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text, update

from models.db.session import Database
from models.lms.quizzes import Quiz
from models.reports import newer_attempts
from models.reports.jobs import Snapshot
from models.reports.newer_attempts import count_newer
from models.reports.tables import QuizReport
from models.reports.variants import ReportType, Variant
from tests.factories import request_variant
from tests.lms import Lms
from tests.models.reports.report_life import claim, finish, must
from tests.payloads import QUIZ_ID, attempt, enrollment
from tests.statements import statements_of

ALL, KEPT, FIRST = "all", "kept", "first"


@pytest.fixture
def lms(database: Database) -> Lms:
    """An LMS that has pushed two attempts of one student and one of another."""
    lms = Lms(database)
    lms.set_up()
    lms.patch_course(
        users=[{"id": user_id, "name": f"User {user_id}"} for user_id in (7, 8, 9)],
        enrollments=[enrollment(7, 31), enrollment(8, 31), enrollment(9, 31, "TeacherEnrollment")],
    )
    lms.put_attempts(
        attempt(501, 1, score=2.0), attempt(501, 2, score=1.0), attempt(502, user_id=8, score=2.0)
    )
    return lms


Counted = Callable[[], dict[str, int]]


def snapshot_of(database: Database) -> str:
    with database.transaction() as session:
        return str(session.execute(text("SELECT pg_current_snapshot()::text")).scalar_one())


def make_reports(database: Database, transactions: str) -> Counted:
    """Make a report of each kind from a snapshot; return what counts the attempts that are newer."""
    with database.transaction() as session:
        quiz = session.get_one(Quiz, QUIZ_ID)
        variants = {
            Variant.of(quiz, ReportType.STUDENT_ANALYSIS, all_versions=True, sis_ids=False): ALL,
            Variant.of(quiz, ReportType.STUDENT_ANALYSIS, all_versions=False, sis_ids=False): KEPT,
            Variant.of(quiz, ReportType.ITEM_ANALYSIS, all_versions=True, sis_ids=False): FIRST,
        }
        messages = [must(request_variant(session, variant).message) for variant in variants]
    for message in messages:
        finish(database, must(claim(database, message)), Snapshot(1, 1, "1", 3, transactions))

    def counted() -> dict[str, int]:
        with database.transaction() as session:
            reports = session.scalars(select(QuizReport)).all()
            newer = count_newer(session, session.get_one(Quiz, QUIZ_ID), reports)
        return {variants[report.variant]: newer[report.id] for report in reports if report.id in newer}

    return counted


@pytest.fixture
def counted(lms: Lms, database: Database) -> Counted:
    """Counts what is newer than reports that were made when the test began."""
    return make_reports(database, snapshot_of(database))


def later(submission_id: int, number: int = 1, **changes: Any) -> dict[str, Any]:
    return attempt(submission_id, number, updated_at="2026-09-20T00:00:00Z", **changes)


def test_nothing_is_newer_than_a_file_of_all_that_was_pushed(counted: Counted) -> None:
    assert counted() == {ALL: 0, KEPT: 0, FIRST: 0}


@pytest.mark.parametrize(
    ("pushed", "newer"),
    [
        # The third attempt of a student, with the highest score and with another one.
        (later(501, 3, score=3.0), {ALL: 1, KEPT: 1, FIRST: 0}),
        (later(501, 3, score=0.5), {ALL: 1, KEPT: 0, FIRST: 0}),
        # A regrade of the first.
        (later(501, 1, score=2.5), {ALL: 1, KEPT: 1, FIRST: 1}),
        # By a regrade, the second counts instead of the first.
        (later(501, 2, score=5.0), {ALL: 1, KEPT: 1, FIRST: 0}),
        # A taker who was not logged in.
        (later(510, user_id=None, temporary_user_code="a"), {ALL: 1, KEPT: 1, FIRST: 0}),
        # Neither previews, nor attempts of teachers, nor what is not submitted.
        (later(511, user_id=8, was_preview=True), {ALL: 0, KEPT: 0, FIRST: 0}),
        (later(512, user_id=9), {ALL: 0, KEPT: 0, FIRST: 0}),
        (later(513, user_id=8, workflow_state="untaken"), {ALL: 0, KEPT: 0, FIRST: 0}),
        # A deletion makes a file stale, too, but brings nothing.
        (later(502, user_id=8, workflow_state="deleted"), {ALL: 0, KEPT: 0, FIRST: 0}),
        # The same data again, under a later time.
        (later(502, user_id=8, score=2.0), {ALL: 1, KEPT: 1, FIRST: 1}),
    ],
)
def test_newer_are_those_that_the_report_would_have(
    lms: Lms, counted: Counted, pushed: dict[str, Any], newer: dict[str, int]
) -> None:
    lms.put_attempts(pushed)
    assert counted() == newer


def test_what_was_pushed_again_as_it_was_is_not_newer(lms: Lms, counted: Counted) -> None:
    lms.put_attempts(attempt(502, user_id=8, score=2.0))
    assert counted() == {ALL: 0, KEPT: 0, FIRST: 0}


def test_a_push_that_is_committed_after_the_snapshot_is_newer_though_it_began_earlier(
    lms: Lms, database: Database
) -> None:
    with database.transaction() as slow:
        slow.execute(text("UPDATE attempts SET score = 9, changed_in = DEFAULT WHERE submission_id = 502"))
        lms.put_attempts(later(501, 1, score=9.0))
        transactions = snapshot_of(database)
    assert make_reports(database, transactions)() == {ALL: 1, KEPT: 1, FIRST: 1}


@pytest.mark.usefixtures("counted")
def test_one_statement_counts_all(database: Database) -> None:
    with database.transaction() as session:
        quiz, reports = session.get_one(Quiz, QUIZ_ID), session.scalars(select(QuizReport)).all()
        assert len(statements_of(lambda: count_newer(session, quiz, reports))) == 1
        assert statements_of(lambda: count_newer(session, quiz, [])) == []


def test_more_than_the_most_are_not_counted(
    lms: Lms, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    lms.put_attempts(later(501, 1, score=2.5), later(502, user_id=8, score=9.0))
    monkeypatch.setattr(newer_attempts, "MOST_CHANGED", 2)
    assert counted() == {ALL: 2, KEPT: 2, FIRST: 2}
    lms.put_attempts(later(501, 3, score=0.5))
    assert counted() == {}


@pytest.mark.parametrize("transactions", [None, "9000000000:9000000000:"])
def test_an_unknown_snapshot_and_one_of_another_database_have_no_count(
    counted: Counted, database: Database, transactions: str | None
) -> None:
    with database.transaction() as session:
        session.execute(update(QuizReport).values(transactions=transactions))
    assert counted() == {}
