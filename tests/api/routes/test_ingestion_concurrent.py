"""Pushes that the database ends because of others are applied again; those that meet never wait in a ring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import text
from werkzeug.test import TestResponse

from models.db.session import Database
from tests.lms import COURSES, QUIZZES, STUDENT, ApiLms, make_api_lms
from tests.payloads import attempt, many_attempts, quiz
from tests.races import ROUNDS, together
from tests.statements import statements_of

FIRST_QUIZ = f"{COURSES[0]}/quizzes/{QUIZZES[0]}"

# A sequence counts also what is rolled back.
BREAKING = """
    CREATE SEQUENCE failures;
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('failures') <= {failures} THEN
            RAISE EXCEPTION 'ended by a test' USING ERRCODE = '{code}';
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER fail AFTER INSERT OR UPDATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION fail()"""
MENDED = "DROP FUNCTION IF EXISTS fail CASCADE; DROP SEQUENCE IF EXISTS failures"
DEADLOCK, SERIALIZATION_FAILURE, DISK_FULL = "40P01", "40001", "53100"

Push = Callable[[ApiLms], TestResponse]
PUSHES: dict[str, Push] = {
    "sections": lambda lms: lms.put_course(0, sections=[{"id": 31, "name": "New"}]),
    "quizzes": lambda lms: lms.put_quiz(0, title="New"),
    "attempts": lambda lms: lms.put_lines(0, list(many_attempts(3))),
}


@pytest.fixture
def lms(app: Flask) -> ApiLms:
    lms = make_api_lms(app)
    lms.set_up()
    return lms


@pytest.fixture
def break_statements(database: Database) -> Iterator[Callable[..., None]]:
    """Let statements on a table fail some times, as in a deadlock."""

    def execute(sql: str) -> None:
        with database.transaction() as session:
            session.execute(text(sql))

    yield lambda **parts: execute(BREAKING.format(**parts))
    execute(MENDED)


@pytest.mark.parametrize("table", PUSHES)
@pytest.mark.parametrize("code", [DEADLOCK, SERIALIZATION_FAILURE])
def test_a_push_that_the_database_ends_is_applied_again(
    lms: ApiLms, break_statements: Callable[..., None], table: str, code: str
) -> None:
    before = lms.revisions(), lms.roster_revisions()
    break_statements(table=table, code=code, failures=2)

    response = PUSHES[table](lms)

    assert response.status_code == 200, response.text
    changed = response.get_json()
    assert changed["created"] + changed["updated"] >= 1
    after = lms.revisions(), lms.roster_revisions()
    assert sum(map(sum, after)) == sum(map(sum, before)) + 1


def test_what_is_skipped_is_counted_once_if_a_push_is_applied_again(
    lms: ApiLms, break_statements: Callable[..., None]
) -> None:
    break_statements(table="users", code=DEADLOCK, failures=1)
    path = f"{COURSES[0]}?on_error=skip"

    body = lms.put(path, {"course": {"users": [{"id": STUDENT, "name": "New"}, {"id": "x"}]}}).get_json()

    assert (body["updated"], body["skipped"]) == (1, 1)


@pytest.mark.parametrize("table", PUSHES)
def test_a_push_that_is_ended_again_and_again_is_a_503(
    lms: ApiLms, break_statements: Callable[..., None], table: str
) -> None:
    before = lms.revisions(), lms.roster_revisions()
    break_statements(table=table, code=DEADLOCK, failures=3)

    response = PUSHES[table](lms)

    assert (response.status_code, "Retry-After" in response.headers) == (503, True)
    assert (lms.revisions(), lms.roster_revisions()) == before


def test_another_failure_is_not_tried_again(lms: ApiLms, break_statements: Callable[..., None]) -> None:
    break_statements(table="quizzes", code=DISK_FULL, failures=1)

    assert lms.put_quiz(0, title="New").status_code == 503
    assert lms.put_quiz(0, title="New").status_code == 200


CHECKED = {
    "course": {"name": "Course 0", "sis_course_id": "BIO", "users": [{"id": STUDENT, "name": "Ann"}]},
    "quiz": quiz(title="Checked", assignment_id=None),
    "quiz_submissions": [attempt(1), attempt(2)],
}


@pytest.mark.parametrize("part", ["", "/submissions"])
def test_a_check_that_brings_a_course_first_takes_the_locks_of_a_push(lms: ApiLms, part: str) -> None:
    sent = statements_of(lambda: lms.put(f"{FIRST_QUIZ}{part}?check=true", CHECKED))

    begun = next(number for number, statement in enumerate(sent) if "pg_advisory" in statement)
    assert "pg_advisory_xact_lock_shared" in sent[begun]
    assert "pg_advisory_xact_lock(" in sent[begun + 1]
    assert not any(statement.startswith(("INSERT", "UPDATE", "DELETE")) for statement in sent[:begun])


def test_checks_that_bring_a_course_and_a_quiz_wait_in_no_ring_with_pushes(
    lms: ApiLms, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A deadlock would be mended by another try.
    monkeypatch.setattr("api.routes.ingestion._TRIES", 1)
    for round_ in range(ROUNDS):
        name, new_quiz = f"Round {round_}", f"{COURSES[0]}/quizzes/{1000 + round_}"
        responses = together(
            partial(lms.put, f"{new_quiz}/submissions?check=true", CHECKED),
            partial(lms.put, f"{new_quiz}?check=true", CHECKED),
            partial(lms.put, new_quiz, {"quiz": quiz(assignment_id=None)}),
            partial(lms.put_lines, 0, list(many_attempts(3, first=10 * round_))),
            partial(lms.put_quiz, 0, title=name),
            partial(lms.put_course, 0, sis_course_id=name, users=[{"id": STUDENT, "name": name}]),
        )

        assert [response.status_code for response in responses] == [200] * 6, [
            response.text for response in responses
        ]
