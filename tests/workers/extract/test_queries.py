"""Which attempts a report reads: the rules of scoring policies, each with attempts worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from models.db.session import Database
from tests.lms import Lms
from tests.payloads import COURSE_ID, QUIZ_ID, attempt, enrollment
from workers.extract import queries

HIGHEST, LATEST, AVERAGE = "keep_highest", "keep_latest", "keep_average"


@pytest.fixture
def lms(database: Database) -> Lms:
    """An LMS that has pushed a course and a quiz."""
    lms = Lms(database)
    lms.set_up()
    return lms


def selected(lms: Lms, query: str) -> list[tuple[int, int]]:
    """Return the submission and the number of each attempt that a query selects."""
    keys = {id_: key for id_, *key in lms.rows("SELECT id, submission_id, attempt FROM attempts")}
    return [(keys[id_][0], keys[id_][1]) for id_, *_ in lms.rows(query)]


@pytest.mark.parametrize(
    ("policy", "scores", "kept"),
    [
        (HIGHEST, [2.0, 3.0, 1.0], 2),
        # Of two that have the kept score, the latest attempt, else the first.
        (HIGHEST, [3.0, 1.0, 3.0], 3),
        (HIGHEST, [3.0, 3.0, 1.0], 1),
        (HIGHEST, [None, 1.0, None], 2),
        (HIGHEST, [None, None], 2),
        (LATEST, [3.0, 1.0], 2),
        (LATEST, [3.0, None], 2),
        (AVERAGE, [1.0, 2.0, 3.0], 2),
        # No attempt has the average of 1.5.
        (AVERAGE, [1.0, 2.0], 2),
        (AVERAGE, [2.0, 1.0, 1.5], 3),
    ],
)
def test_one_attempt_counts_by_the_policy(
    lms: Lms, policy: str, scores: list[float | None], kept: int
) -> None:
    lms.put_attempts(*(attempt(501, number, score=score) for number, score in enumerate(scores, 1)))

    assert selected(lms, queries.kept_attempts(COURSE_ID, QUIZ_ID, policy)) == [(501, kept)]


@pytest.mark.parametrize("policy", [HIGHEST, LATEST, AVERAGE])
@pytest.mark.parametrize(
    ("kept_scores", "kept"),
    [([1.0, 1.0], 1), ([None, 1.0], 1), ([1.0, None], 1), ([1.0, 2.0], 2), ([1.0, 7.0], 2)],
)
def test_the_newest_pushed_kept_score_goes_before_the_policy(
    lms: Lms, policy: str, kept_scores: list[float | None], kept: int
) -> None:
    # The scores are 1 and 2; no attempt has 7.
    lms.put_attempts(
        *(
            attempt(501, number, score=float(number), kept_score=kept_score)
            for number, kept_score in enumerate(kept_scores, 1)
        )
    )

    assert selected(lms, queries.kept_attempts(COURSE_ID, QUIZ_ID, policy)) == [(501, kept)]


@pytest.fixture
def mixed(lms: Lms) -> Lms:
    """Two students, a teacher, a former student and a logged-out taker, with attempts in every state."""
    lms.patch_course(
        users=[{"id": user_id, "name": f"User {user_id}"} for user_id in (7, 8, 9, 10)],
        enrollments=[
            enrollment(7, 31),
            enrollment(8, 32),
            enrollment(9, 31, "TeacherEnrollment"),
            {**enrollment(10, 31), "enrollment_state": "deleted"},
        ],
    )

    def on(day: int, submission_id: int, number: int = 1, **changes: Any) -> dict[str, Any]:
        return attempt(submission_id, number, updated_at=f"2026-09-{day:02}T00:00:00Z", **changes)

    lms.put_attempts(
        on(1, 501, 1),
        on(4, 501, 2),
        on(9, 501, 3, workflow_state="untaken"),
        on(3, 502, user_id=8, workflow_state="pending_review"),
        on(9, 503, user_id=8, was_preview=True),
        on(9, 504, user_id=8, workflow_state="preview"),
        on(9, 505, user_id=9),
        on(9, 506, user_id=10),
        on(8, 507, user_id=None, temporary_user_code="a code"),
        on(9, 508, user_id=None, temporary_user_code="a code"),
    )
    return lms


def test_all_are_the_submitted_ones_of_students_newest_first_and_logged_out_takers_last(mixed: Lms) -> None:
    assert selected(mixed, queries.all_attempts(COURSE_ID, QUIZ_ID)) == [
        (501, 2),
        (502, 1),
        (501, 1),
        (508, 1),
        (507, 1),
    ]


def test_each_submission_of_a_logged_out_taker_counts_on_its_own(mixed: Lms) -> None:
    assert selected(mixed, queries.kept_attempts(COURSE_ID, QUIZ_ID, LATEST)) == [
        (501, 2),
        (502, 1),
        (508, 1),
        (507, 1),
    ]


def test_an_item_analysis_reads_the_first_attempts_of_students(mixed: Lms) -> None:
    assert selected(mixed, queries.first_attempts(COURSE_ID, QUIZ_ID)) == [(501, 1), (502, 1)]


@pytest.mark.contract(
    "2 Parameters", "section_ids limits a report to students of the sections, without logged-out takers"
)
def test_sections_limit_a_report_to_their_students(mixed: Lms) -> None:
    # User 9 teaches in section 31, and user 10 has left it.
    first, second = (queries.all_attempts(COURSE_ID, QUIZ_ID, [id_]) for id_ in (31, 32))

    assert selected(mixed, first) == [(501, 2), (501, 1)]
    assert selected(mixed, second) == [(502, 1)]
    assert selected(mixed, queries.kept_attempts(COURSE_ID, QUIZ_ID, LATEST, [31, 32])) == [
        (501, 2),
        (502, 1),
    ]
    assert selected(mixed, queries.first_attempts(COURSE_ID, QUIZ_ID, [31])) == [(501, 1)]


@pytest.mark.parametrize(
    ("section_ids", "kinds"),
    [
        ([], {"student": 3, "logged_out": 2, "preview": 2, "unsubmitted": 1, "other_user": 2}),
        ([32], {"student": 1, "logged_out": 2, "preview": 2, "unsubmitted": 1, "other_user": 4}),
    ],
)
def test_every_attempt_is_of_one_kind(mixed: Lms, section_ids: list[int], kinds: dict[str, int]) -> None:
    assert dict(mixed.rows(queries.attempts_by_kind(COURSE_ID, QUIZ_ID, section_ids))) == kinds


def test_attempts_are_read_in_the_order_in_which_they_are_asked_for(mixed: Lms) -> None:
    ids = {
        (submission_id, number): id_
        for id_, submission_id, number in mixed.rows("SELECT id, submission_id, attempt FROM attempts")
    }
    wanted = [ids[501, 2], ids[507, 1], ids[502, 1], ids[501, 1]]

    rows = mixed.rows(f"SELECT name, attempt, logged_out FROM ({queries.student_attempts(wanted)}) AS read")

    assert rows == [("User 7", 2, False), (None, 1, True), ("User 8", 1, False), ("User 7", 1, False)]
