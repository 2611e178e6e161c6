"""What the tables of attempts themselves refuse, whatever writes to them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from models.lms.attempts import SUBMITTED_STATES, AttemptState
from tests.lms import Lms
from tests.payloads import attempt


def test_reports_read_what_was_handed_in() -> None:
    assert set(SUBMITTED_STATES) == {AttemptState.COMPLETE, AttemptState.PENDING_REVIEW}


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ("temporary_user_code = 'a'", "one_taker"),
        ("user_id = NULL", "one_taker"),
        ("workflow_state = 'graded'", "attemptstate"),
        ("user_id = 999", "user_id"),
        ("question_set_id = 999", "question_set_id"),
    ],
)
def test_a_row_that_cannot_be_is_refused(lms: Lms, changes: str, constraint: str) -> None:
    lms.set_up()
    lms.put_attempts(attempt())

    with pytest.raises(IntegrityError, match=constraint), lms.database.transaction() as session:
        session.execute(text(f"UPDATE attempts SET {changes}"))


def test_a_submission_has_each_attempt_once(lms: Lms) -> None:
    lms.set_up()
    lms.put_attempts(attempt(1), attempt(2, number=2))
    same: dict[str, Any] = {"submission": 1, "attempt": 1}

    with pytest.raises(IntegrityError, match="submission_id"), lms.database.transaction() as session:
        session.execute(text("UPDATE attempts SET submission_id = :submission, attempt = :attempt"), same)


def test_a_payload_goes_with_its_attempt(lms: Lms) -> None:
    lms.set_up()
    lms.put_attempts(attempt())

    with lms.database.transaction() as session:
        session.execute(text("DELETE FROM attempts"))
        assert session.execute(text("SELECT count(*) FROM attempt_payloads")).scalar_one() == 0
