"""Contract, section 6: a submission belongs to one quiz for good, also where two pushes race for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import msgspec
import pytest
from werkzeug.test import TestResponse

from models.errors import InvalidInputError
from models.ingestion.attempts import apply_attempts
from models.payloads.batches import read_document
from tests.lms import COURSES, OTHER_STUDENT, QUIZZES, STUDENT, ApiLms
from tests.payloads import Json, attempt, quiz, roster
from tests.races import ROUNDS, together
from tests.waiting import wait_for

Push = Callable[[ApiLms, int, Sequence[Json]], TestResponse]
DELETED: Json = {"workflow_state": "deleted", "updated_at": "2026-09-11T09:00:00Z"}


def _single(id_: int, which: int) -> list[Json]:
    return [attempt(id_, score=float(which))]


def _other_attempt(id_: int, which: int) -> list[Json]:
    return [attempt(id_, 1 + which, score=float(which))]


def _several(id_: int, which: int) -> list[Json]:
    own = 1_000_000 + 10 * id_ + 4 * which
    attempts = [attempt(own + n, score=float(which)) for n in range(3)]
    return [*attempts, attempt(id_, 1 + which, score=float(which))]


def _deletion_of_one(id_: int, which: int) -> list[Json]:
    return [attempt(id_, score=1.0, **DELETED)] if which == 0 else _single(id_, which)


def test_ids_of_any_size_are_found_again(api_lms: ApiLms) -> None:
    attempts = [attempt(id_) for id_ in (1_000_004, 1_000_005, 70_000, 5_000_000_000, 5)]

    assert api_lms.put_attempts(0, attempts).get_json()["created"] == 5
    assert api_lms.put_attempts(0, attempts).get_json()["unchanged"] == 5
    assert api_lms.put_attempts(1, attempts).status_code == 422


@pytest.mark.parametrize("attempts", [_single, _other_attempt, _several, _deletion_of_one])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ApiLms.put_attempts, ApiLms.put_attempts),
        (ApiLms.put_attempts, ApiLms.put_lines),
        (ApiLms.put_lines, ApiLms.put_lines),
    ],
    ids=["json-json", "json-lines", "lines-lines"],
)
@pytest.mark.contract("6 Data in", "a submission belongs to one quiz for good")
def test_of_two_quizzes_that_are_pushed_one_submission_at_once_one_has_it(
    api_lms: ApiLms, attempts: Callable[[int, int], list[Json]], first: Push, second: Push
) -> None:
    for id_ in range(ROUNDS):
        before = api_lms.revisions()
        responses = together(
            partial(first, api_lms, 0, attempts(id_, 0)), partial(second, api_lms, 1, attempts(id_, 1))
        )
        _require_one_owner(api_lms, id_, responses, before, attempts)


def _require_one_owner(
    api_lms: ApiLms,
    id_: int,
    responses: list[TestResponse],
    before: list[int],
    attempts: Callable[[int, int], list[Json]],
) -> None:
    assert sorted(response.status_code for response in responses) == [200, 422]
    winner = [response.status_code for response in responses].index(200)
    refused = responses[1 - winner].get_json()["errors"]
    place = f"quiz_submissions[{len(attempts(id_, 1 - winner)) - 1}].id"
    assert [(error["place"], error["message"]) for error in refused] == [
        (place, f"{place}: {id_} is a submission of another quiz")
    ]
    stored = api_lms.rows("SELECT DISTINCT quiz_id FROM submissions WHERE id = :id", id=id_)
    assert stored == [(QUIZZES[winner],)]
    assert (
        api_lms.rows(
            "SELECT attempts.quiz_id, score FROM attempts JOIN submissions ON submissions.id = submission_id"
            " WHERE attempts.quiz_id <> submissions.quiz_id OR score <> CASE attempts.quiz_id WHEN :first"
            " THEN 0 ELSE 1 END",
            first=QUIZZES[0],
        )
        == []
    )
    after = api_lms.revisions()
    assert after[1 - winner] == before[1 - winner]
    # Neither quiz has become one that every later push is refused in.
    assert api_lms.put_attempts(winner, attempts(id_, winner)).status_code == 200
    assert api_lms.put_attempts(1 - winner, [attempt(5_000_000 + id_, score=1.0 - winner)]).status_code == 200


@pytest.mark.parametrize("commits", [True, False])
def test_a_push_in_between_waits_for_the_one_that_streams(api_lms: ApiLms, commits: bool) -> None:
    def push(session: Any, which: int) -> Any:
        body = msgspec.json.encode({"quiz_submissions": [attempt(501, 1 + which)]})
        return apply_attempts(session, COURSES[which], QUIZZES[which], read_document(body))

    def push_in_between() -> Any:
        with api_lms.database.transaction() as session:
            return push(session, 1)

    with ThreadPoolExecutor(1) as pool:
        with api_lms.database.engine.connect() as connection, api_lms.database.transaction() as session:
            nested = session.begin_nested()
            push(session, 0)
            waiting = pool.submit(push_in_between)
            wait_for(lambda: _is_waiting(connection))
            if not commits:
                nested.rollback()
        if commits:
            with pytest.raises(InvalidInputError, match="another quiz"):
                waiting.result(timeout=30)
        else:
            assert waiting.result(timeout=30).created == 1
    assert api_lms.rows("SELECT quiz_id FROM attempts") == [(QUIZZES[0 if commits else 1],)]


def _is_waiting(connection: Any) -> bool:
    found = connection.exec_driver_sql(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    ).scalar_one()
    connection.rollback()
    return bool(found)


def test_streams_that_meet_each_others_submissions_in_another_order(
    api_lms: ApiLms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.payloads.batches.MAX_ATTEMPTS", 2)
    for round_ in range(max(2, ROUNDS // 10)):
        ids = range(100 * round_, 100 * round_ + 40)
        responses = together(
            partial(api_lms.put_lines, 0, [attempt(id_) for id_ in ids]),
            partial(api_lms.put_lines, 1, [attempt(id_) for id_ in reversed(ids)]),
        )
        assert sorted(response.status_code for response in responses) == [200, 422]
        winner = [response.status_code for response in responses].index(200)
        owners = "SELECT DISTINCT quiz_id FROM attempts WHERE submission_id >= :first"
        assert api_lms.rows(owners, first=ids[0]) == [(QUIZZES[winner],)]


def test_one_quiz_id_in_two_courses_belongs_to_one(api_lms: ApiLms) -> None:
    for quiz_id in range(1000, 1000 + ROUNDS):
        body = {"quiz": quiz(assignment_id=quiz_id, questions=[])}
        responses = together(
            *[partial(api_lms.put, f"{course}/quizzes/{quiz_id}", body) for course in COURSES]
        )

        assert sorted(response.status_code for response in responses) == [200, 422]
        winner = [response.status_code for response in responses].index(200)
        refused = responses[1 - winner].get_json()["errors"]
        assert refused[0]["message"] == f"quiz: {quiz_id} is a quiz of another course"
        assert api_lms.rows("SELECT course_id FROM quizzes WHERE id = :id", id=quiz_id) == [
            (COURSES[winner],)
        ]


@pytest.mark.contract("6 Data in", "a section moves to the course that pushes it last")
def test_a_section_moves_with_its_enrollments(api_lms: ApiLms) -> None:
    before = api_lms.roster_revisions()
    enrollment = {"user_id": 9, "section_id": 40, "type": "StudentEnrollment"}
    api_lms.put_course(
        0,
        users=[{"id": 9, "name": "Cy"}],
        sections=[{"id": 40, "name": "Evening"}],
        enrollments=[enrollment],
    )

    response = api_lms.put_course(
        1, sections=[{"id": 32, "name": "Section 32"}, {"id": 40, "name": "Evening"}]
    )

    assert response.status_code == 200, response.text
    assert api_lms.rows("SELECT course_id FROM sections WHERE id = 40") == [(COURSES[1],)]
    assert api_lms.rows("SELECT course_id, user_id FROM enrollments WHERE section_id = 40") == [
        (COURSES[1], 9)
    ]
    assert api_lms.rows("SELECT course_id FROM course_users WHERE user_id = 9 ORDER BY 1") == [(101,), (102,)]
    assert api_lms.roster_revisions() == [before[0] + 2, before[1] + 1]


def test_a_list_of_enrollments_replaces_those_that_came_along(api_lms: ApiLms) -> None:
    api_lms.put_course(1, **roster(31, OTHER_STUDENT))

    assert api_lms.rows("SELECT course_id, user_id FROM enrollments") == [(COURSES[1], OTHER_STUDENT)]


def test_users_that_are_left_out_lose_the_enrollments_that_came_along(api_lms: ApiLms) -> None:
    api_lms.put_course(1, users=[{"id": STUDENT, "name": "Ann"}], sections=[{"id": 31, "name": "Section 31"}])

    assert api_lms.rows("SELECT course_id, user_id FROM enrollments") == [(COURSES[1], STUDENT)]


@pytest.mark.parametrize("lists", [("sections",), ("sections", "users", "enrollments")])
@pytest.mark.contract("6 Data in", "a section moves to the course that pushes it last")
def test_of_two_courses_that_push_one_section_at_once_the_later_has_it(
    api_lms: ApiLms, lists: Sequence[str]
) -> None:
    for section_id in range(100, 100 + ROUNDS):
        before = api_lms.roster_revisions()
        pushed = {key: roster(section_id, STUDENT, OTHER_STUDENT)[key] for key in lists}
        responses = together(*[partial(api_lms.put_course, which, **pushed) for which in (0, 1)])

        assert [response.status_code for response in responses] == [200, 200], [
            response.text for response in responses
        ]
        [(owner,)] = api_lms.rows("SELECT course_id FROM sections WHERE id = :id", id=section_id)
        later = COURSES.index(owner)
        after = api_lms.roster_revisions()
        # The course that had it first has risen for its own push and for the loss.
        assert (after[later], after[1 - later]) == (before[later] + 1, before[1 - later] + 2)
        of_others = (
            "SELECT FROM enrollments JOIN sections ON sections.id = section_id"
            " WHERE sections.course_id <> enrollments.course_id"
        )
        assert api_lms.rows(of_others) == []


def test_courses_that_swap_their_sections_never_wait_in_a_ring(api_lms: ApiLms) -> None:
    for round_ in range(ROUNDS):
        ids = (31, 32) if round_ % 2 else (32, 31)
        responses = together(
            *[partial(api_lms.put_course, which, **roster(ids[which], STUDENT, 9)) for which in (0, 1)]
        )
        assert [response.status_code for response in responses] == [200, 200], [
            response.text for response in responses
        ]
