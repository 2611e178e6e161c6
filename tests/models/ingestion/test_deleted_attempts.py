"""Contract, section 6: a late push does not bring a deleted attempt back, of which no person's data stay."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.lms import STUDENT, ApiLms
from tests.payloads import FIRST_QUESTION, SECOND_QUESTION, attempt, question
from tests.races import ROUNDS, together

EARLIER, LATER, LATEST = (f"2026-09-{day}T09:00:00Z" for day in ("09", "11", "12"))
DELETION: dict[str, Any] = {"workflow_state": "deleted", "updated_at": LATER}


def _counts(response: Any) -> tuple[int, int, int, int]:
    assert response.status_code == 200, response.text
    counts = response.get_json()
    return counts["created"], counts["updated"], counts["unchanged"], counts["deleted"]


@pytest.mark.parametrize("updated_at", [EARLIER, "2026-09-10T09:12:31Z", LATER])
@pytest.mark.contract("6 Data in", "a late retry does not bring back what was deleted")
def test_a_late_retry_brings_no_deleted_attempt_back(api_lms: ApiLms, updated_at: str) -> None:
    api_lms.put_attempts(0, [attempt(501)])
    assert _counts(api_lms.put_attempts(0, [attempt(501, **DELETION)])) == (0, 0, 0, 1)
    before = api_lms.revisions()

    for push in (api_lms.put_attempts, api_lms.put_lines):
        assert _counts(push(0, [attempt(501, updated_at=updated_at)])) == (0, 0, 1, 0)
    assert api_lms.rows("SELECT FROM attempts") == []
    assert api_lms.revisions() == before


def test_what_stays_is_its_key_its_quiz_and_when(api_lms: ApiLms) -> None:
    taker: dict[str, Any] = {"user_id": None, "temporary_user_code": "a code of the taker"}
    api_lms.put_attempts(0, [attempt(501, **taker)])
    api_lms.put_attempts(0, [attempt(501, **taker, **DELETION)])

    assert api_lms.rows("SELECT id, quiz_id FROM submissions") == [(501, 201)]
    [(submission_id, number, updated_at)] = api_lms.rows("SELECT * FROM deleted_attempts")
    assert (submission_id, number, f"{updated_at:%Y-%m-%dT%H:%M:%SZ}") == (501, 1, LATER)
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    for (table,) in api_lms.rows(tables):
        assert "a code of the taker" not in str(api_lms.rows(f"SELECT * FROM {table}"))


@pytest.mark.contract("6 Data in", "a submission belongs to one quiz for good")
def test_the_quiz_of_a_deleted_attempt_stays(api_lms: ApiLms) -> None:
    api_lms.put_attempts(0, [attempt(501)])
    api_lms.put_attempts(0, [attempt(501, **DELETION)])

    assert api_lms.put_attempts(1, [attempt(501, updated_at=LATEST)]).status_code == 422


def test_a_newer_push_makes_it_anew_with_the_questions_of_the_quiz(api_lms: ApiLms) -> None:
    api_lms.put_attempts(0, [attempt(501)])
    api_lms.put_attempts(0, [attempt(501, **DELETION)])
    reworded = question(FIRST_QUESTION, question_text="Was it?")
    api_lms.put_quiz(0, questions=[reworded, question(SECOND_QUESTION)])

    assert _counts(api_lms.put_attempts(0, [attempt(501, updated_at=LATEST)])) == (1, 0, 0, 0)
    assert api_lms.rows(
        "SELECT attempts.user_id, attempts.question_set_id = quizzes.question_set_id"
        " FROM attempts JOIN quizzes ON quizzes.id = quiz_id"
    ) == [(STUDENT, True)]
    assert api_lms.rows("SELECT FROM deleted_attempts") == []
    assert api_lms.rows("SELECT response_count FROM quizzes WHERE id = 201") == [(2,)]


def test_a_deletion_that_comes_before_its_attempt_holds_too(api_lms: ApiLms) -> None:
    assert _counts(api_lms.put_attempts(0, [attempt(501, **DELETION)])) == (0, 0, 1, 0)
    assert _counts(api_lms.put_attempts(0, [attempt(501)])) == (0, 0, 1, 0)
    assert _counts(api_lms.put_attempts(0, [attempt(501, updated_at=LATEST)])) == (1, 0, 0, 0)


def test_the_newest_deletion_counts(api_lms: ApiLms) -> None:
    api_lms.put_attempts(0, [attempt(501)])
    for updated_at in (LATEST, LATER):
        api_lms.put_attempts(0, [attempt(501, workflow_state="deleted", updated_at=updated_at)])

    assert _counts(api_lms.put_attempts(0, [attempt(501, updated_at=LATER)])) == (0, 0, 1, 0)


@pytest.mark.parametrize(("pushed_at", "stays"), [(EARLIER, False), (LATEST, True)])
def test_of_a_deletion_and_a_push_at_once_the_newer_counts(
    api_lms: ApiLms, pushed_at: str, stays: bool
) -> None:
    for id_ in range(ROUNDS):
        if id_ % 2:
            api_lms.put_attempts(0, [attempt(id_, updated_at=EARLIER)])
        for response in together(
            partial(api_lms.put_attempts, 0, [attempt(id_, **DELETION)]),
            partial(api_lms.put_lines, 0, [attempt(id_, score=0.5, updated_at=pushed_at)]),
        ):
            assert response.status_code == 200, response.text
        assert len(api_lms.rows("SELECT FROM attempts WHERE submission_id = :id", id=id_)) == stays
        assert len(api_lms.rows("SELECT FROM deleted_attempts WHERE submission_id = :id", id=id_)) == (
            not stays
        )
