"""What the statements of the reports select beside the attempts: sections, kinds, and rows by their keys."""

from __future__ import annotations

import pytest

from models.db.session import Database
from tests.lms import Lms
from tests.payloads import COURSE_ID, QUIZ_ID, enrollment
from workers.extract import queries


@pytest.fixture
def lms(database: Database) -> Lms:
    """An LMS that has pushed a course and a quiz."""
    lms = Lms(database)
    lms.set_up()
    return lms


def test_an_active_and_an_invited_student_have_sections(lms: Lms) -> None:
    states = ["active", "invited", "creation_pending", "completed", "inactive", "rejected", "deleted"]
    lms.patch_course(
        users=[{"id": user_id, "name": "a"} for user_id, _ in enumerate(states, 1)],
        enrollments=[
            {**enrollment(user_id, 31), "enrollment_state": state} for user_id, state in enumerate(states, 1)
        ],
    )

    def of(*user_ids: int) -> list[tuple[int, str]]:
        return lms.rows(queries.section_ids(COURSE_ID, user_ids).replace(":", "\\:"))

    assert of(3, 99, 2, *range(4, 8)) == [(2, "31"), (3, "31")]
    assert of(1) == [(1, "31")]
    assert of() == []


@pytest.fixture
def mixed(lms: Lms) -> Lms:
    """An LMS that has pushed attempts of every kind of taker, in every state."""
    lms.put_attempts_of_every_kind()
    return lms


@pytest.mark.parametrize("most", [1, 3, 100])
def test_the_attempts_of_a_quiz_are_counted_up_to_a_limit(mixed: Lms, most: int) -> None:
    quiz = queries.quiz(QUIZ_ID, most).replace(":", "\\:")

    counted = mixed.value(f"SELECT counted_attempts FROM ({quiz}) AS read")

    assert counted == min(most, mixed.value("SELECT count(*) FROM attempts"))


@pytest.mark.parametrize(
    ("section_ids", "kinds"),
    [
        ([], {"student": 3, "logged_out": 2, "preview": 2, "other_user": 2}),
        ([32], {"student": 1, "logged_out": 2, "preview": 2, "other_user": 4}),
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
