"""Texts are derived again from what was pushed: what is as it was stays, and raises no revision."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from models.content.cell_text import TEXT_VERSION
from models.ingestion import rebuild
from models.ingestion.rebuild import RebuiltAttempts, count_attempts, list_attempts, rebuild_attempts
from models.payloads.attempts import compressed
from tests.lms import Lms
from tests.payloads import COURSE_ID, QUIZ_ID, Json, attempt, entry, essay, essay_entry, question

ESSAY, DRAWN = 9, 10
OTHER_COURSE_ID, OTHER_QUIZ_ID = 102, 202


@pytest.fixture
def essays(school: Lms) -> Lms:
    """A quiz with an essay and a drawn question, and three attempts at it."""
    school.put_quiz(questions=[essay(ESSAY), question(DRAWN, quiz_group_id=77)])
    school.put_attempts(
        attempt(501, submission_data=[essay_entry(ESSAY, "<ul><li>one</li><li>two</li></ul>")]),
        attempt(502, submission_data=[essay_entry(ESSAY, "<p>one</p>"), entry(DRAWN)]),
        attempt(503, quiz_data=[question(ESSAY)], submission_data=[entry(ESSAY)]),
    )
    return school


def rebuilt(lms: Lms, quiz_id: int = QUIZ_ID) -> RebuiltAttempts:
    with lms.database.transaction() as session:
        return rebuild_attempts(session, quiz_id, list_attempts(session, quiz_id))


def change(lms: Lms, sql: str) -> None:
    with lms.database.transaction() as session:
        session.execute(text(sql))


def revision(lms: Lms) -> Any:
    return lms.value(f"SELECT revision FROM quizzes WHERE id = {QUIZ_ID}")


RULE = ("9 Commands", "rebuild derives texts again, and raises revisions only where something changed")


@pytest.mark.contract(*RULE)
def test_attempts_as_the_present_rules_make_them_stay_as_they_are(essays: Lms) -> None:
    before = essays.stored()

    assert rebuilt(essays) == RebuiltAttempts(read=3)
    assert essays.stored() == before


@pytest.mark.contract(*RULE)
def test_texts_by_older_rules_are_made_again_and_raise_the_revision_once(essays: Lms) -> None:
    change(essays, "UPDATE attempts SET changed_in = 0")
    before = essays.stored()
    change(
        essays,
        "UPDATE attempts SET text_version = 0, texts[1] = '* one, * two', n_correct = 0"
        " WHERE submission_id = 501",
    )

    assert rebuilt(essays) == RebuiltAttempts(read=3, changed=1)
    assert revision(essays) == 4
    assert essays.rows("SELECT submission_id FROM attempts WHERE changed_in > 0") == [(501,)]
    change(essays, "UPDATE attempts SET changed_in = 0")
    after = essays.stored()
    assert {table for table in before if before[table] != after[table]} == {"quizzes"}
    assert rebuilt(essays) == RebuiltAttempts(read=3)
    assert essays.stored() == after


def test_attempts_whose_texts_are_the_same_learn_the_version_of_the_rules(essays: Lms) -> None:
    change(essays, "UPDATE attempts SET text_version = 0")

    assert rebuilt(essays).changed == 0
    assert essays.rows("SELECT DISTINCT text_version FROM attempts") == [(TEXT_VERSION,)]
    assert revision(essays) == 3


def test_questions_of_attempts_are_those_of_their_day(essays: Lms) -> None:
    essays.put_quiz(questions=[question(ESSAY)])
    # As an older release stored it: with all that may be drawn.
    change(essays, "UPDATE attempts SET question_set_id = quiz_question_set_id WHERE submission_id = 501")

    assert rebuilt(essays) == RebuiltAttempts(read=3, changed=1)
    assert essays.value("SELECT texts FROM attempts WHERE submission_id = 501") == ["* one\n\n* two"]
    assert essays.value("SELECT sum(cardinality(points)) FROM attempts") == essays.value(
        f"SELECT response_count FROM quizzes WHERE id = {QUIZ_ID}"
    )


def stored_as(payload: Json) -> str:
    (frame,) = compressed([msgspec.json.encode(payload)])
    size = len(msgspec.json.encode(payload))
    return rf"UPDATE attempt_payloads SET payload = '\x{frame.hex()}', payload_bytes = {size}"


@pytest.mark.parametrize(
    "broken",
    [
        "DELETE FROM attempt_payloads",
        "UPDATE attempt_payloads SET payload = '{}'",
        stored_as({}),
        stored_as(attempt(501, submission_data=[{}])),
        stored_as(attempt(502, submission_data=[essay_entry(ESSAY, "<p>of another</p>")])),
        stored_as(attempt(999, submission_data=[essay_entry(ESSAY, "<p>of nobody</p>")])),
    ],
)
def test_an_attempt_that_can_not_be_derived_stays_as_it_was_and_is_named(essays: Lms, broken: str) -> None:
    of_first = "WHERE attempt_id = (SELECT min(id) FROM attempts)"
    change(essays, f"UPDATE attempts SET text_version = 0; {broken} {of_first}")
    before = essays.rows("SELECT * FROM attempts ORDER BY id LIMIT 1")

    result = rebuilt(essays)

    assert (result.read, result.changed) == (3, 0)
    (issue,) = result.issues
    assert issue.path.startswith("submission 501, attempt 1")
    assert essays.rows("SELECT * FROM attempts ORDER BY id LIMIT 1") == before
    assert essays.value(f"SELECT count(*) FROM attempts WHERE text_version = {TEXT_VERSION}") == 2


def test_a_batch_is_bounded_by_the_bytes_of_its_payloads(
    essays: Lms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "MAX_BYTES", 1)

    assert rebuilt(essays).read == 1


def test_payloads_that_compress_well_count_as_what_they_take_in_memory(
    essays: Lms, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = [essay_entry(ESSAY, "a" * 10_000)]
    essays.put_attempts(attempt(601, submission_data=long), attempt(602, submission_data=long))
    # A long one takes some 30,000: its payload, its row as it is stored, and its row as it is derived.
    monkeypatch.setattr(rebuild, "MAX_BYTES", 45_000)

    assert essays.value("SELECT max(octet_length(payload)) FROM attempt_payloads") < 1_000
    # The last of five attempts would be too much.
    assert rebuilt(essays).read == 4


def test_a_batch_is_bounded_by_its_rows_however_short_the_payloads(
    school: Lms, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = {"id": 1, "left": "a" * 10_000, "match_id": 1}
    school.put_quiz(questions=[question(ESSAY, question_type="matching_question", answers=[label])])
    school.put_attempts(*(attempt(id_, submission_data=[{"question_id": ESSAY}]) for id_ in range(501, 505)))
    monkeypatch.setattr(rebuild, "MAX_BYTES", 50_000)

    assert school.value("SELECT max(payload_bytes) FROM attempt_payloads") < 1_000
    # Each row is in memory twice.
    assert rebuilt(school).read == 2


def test_attempts_are_counted_of_a_course_or_of_all(essays: Lms) -> None:
    essays.patch_course(OTHER_COURSE_ID, name="Other", users=[{"id": 7, "name": "Ann Lee"}])
    essays.put_quiz(OTHER_QUIZ_ID, OTHER_COURSE_ID)
    essays.put_attempts(attempt(601), quiz_id=OTHER_QUIZ_ID, course_id=OTHER_COURSE_ID)

    with essays.database.transaction() as session:
        assert count_attempts(session) == {QUIZ_ID: 3, OTHER_QUIZ_ID: 1}
        assert count_attempts(session, COURSE_ID) == {QUIZ_ID: 3}
