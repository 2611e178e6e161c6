"""`check=true` and `on_error=skip` on the three PUTs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from tests.factories import Api, ApiResponse
from tests.payloads import (
    COURSE_ID,
    FIRST_QUESTION,
    QUIZ_ID,
    SECOND_QUESTION,
    attempt,
    course,
    enrollment,
    entry,
    question,
    quiz,
)

COURSE = f"/api/v1/courses/{COURSE_ID}"
QUIZ = f"{COURSE}/quizzes/{QUIZ_ID}"
ATTEMPTS = f"{QUIZ}/submissions"
NEW_COURSE = "/api/v1/courses/777"
SKIP, CHECK = {"on_error": "skip"}, {"check": "true"}
USERS = [{"id": 7, "name": "Ann"}, {"id": 8, "name": "Bo"}, {"id": 9, "name": "Cy"}]
TABLES = (
    "courses", "sections", "users", "course_users", "enrollments", "quizzes", "question_versions",
    "question_sets", "submissions", "attempts", "attempt_payloads", "deleted_attempts",
)  # fmt: skip


def put(api: Api, path: str, body: Any, how: dict[str, str] | None = None) -> ApiResponse:
    return api.call("PUT", path, "admin", json=body, query_string=how)


def put_lines(api: Api, lines: Sequence[bytes], how: dict[str, str]) -> ApiResponse:
    return api.call(
        "PUT",
        ATTEMPTS,
        "admin",
        data=b"\n".join(lines),
        content_type="application/x-ndjson",
        query_string=how,
    )


def line(*values: Any, **changes: Any) -> bytes:
    return msgspec.json.encode(attempt(*values, **changes))


def checked_then_skipped(api: Api, path: str, body: Any) -> Any:
    """Check a body, which stores nothing, then skip what is invalid of it; both count the same."""
    before = stored(api)
    checked = put(api, path, body, CHECK)
    assert checked.status_code == 200, checked.text
    assert stored(api) == before
    skipped = put(api, path, body, SKIP)
    assert skipped.json == checked.json
    assert skipped.json["complete"]
    return skipped.json


def stored(api: Api) -> dict[str, list[str]]:
    with api.database.transaction() as session:
        connection = session.connection()
        return {
            table: sorted(map(repr, connection.exec_driver_sql(f"SELECT * FROM {table}").all()))
            for table in TABLES
        }


def values(api: Api, sql: str) -> list[Any]:
    with api.database.transaction() as session:
        return list(session.connection().exec_driver_sql(sql).scalars())


def kinds(body: Any) -> dict[str, list[str]]:
    assert all(issue["count"] >= len(issue["examples"]) for issue in body["issues"])
    return {issue["kind"]: issue["examples"] for issue in body["issues"]}


def counts(body: Any) -> dict[str, int]:
    return {name: body[name] for name in ("created", "updated", "unchanged", "deleted", "skipped")}


@pytest.fixture
def pushed(api: Api) -> Api:
    """A course of three students and a quiz of two questions."""
    body = course(users=USERS, enrollments=[enrollment(7, 31), enrollment(8, 31), enrollment(9, 32)])
    assert put(api, COURSE, {"course": body}).status_code == 200
    assert put(api, QUIZ, {"quiz": quiz()}).status_code == 200
    return api


@pytest.mark.contract("6 Data in", "a check stores nothing and counts as a skip does")
@pytest.mark.contract("6 Data in", "what is skipped stays as it is stored, with what depends on it")
def test_a_skipped_user_stays_with_the_enrollments(pushed: Api) -> None:
    users = [{"id": 7, "name": "Ann Lee"}, {"id": 8, "name": 5}]
    enrollments = [enrollment(7, 32), enrollment(8, 32)]

    body = checked_then_skipped(pushed, COURSE, {"course": {"users": users, "enrollments": enrollments}})

    assert kinds(body) == {
        "invalid_value": ["course.users[1].name"],
        "depends_on_skipped": ["course.enrollments[1].user_id"],
    }
    assert counts(body) == {"created": 1, "updated": 1, "unchanged": 1, "deleted": 3, "skipped": 2}
    assert values(pushed, "SELECT name FROM users WHERE id IN (7, 8) ORDER BY id") == ["Ann Lee", "Bo"]
    assert values(pushed, "SELECT user_id FROM course_users WHERE course_id = 101 ORDER BY 1") == [7, 8]
    assert values(pushed, "SELECT section_id FROM enrollments WHERE course_id = 101 ORDER BY user_id, 1") == [
        32,
        31,
    ]


def test_an_entry_whose_key_cannot_be_read_may_be_any_so_nothing_is_deleted(pushed: Api) -> None:
    body = checked_then_skipped(pushed, COURSE, {"course": {"users": [USERS[0], {"id": "x", "name": "a"}]}})

    assert kinds(body) == {"invalid_value": ["course.users[1].id"]}
    assert counts(body) == {"created": 0, "updated": 0, "unchanged": 2, "deleted": 0, "skipped": 1}


@pytest.mark.contract("6 Data in", "of a repeated key the first counts")
def test_of_a_repeated_key_the_first_counts(pushed: Api) -> None:
    users = [{"id": 7, "name": "First"}, {"id": 7, "name": "Second"}, *USERS[1:]]

    body = checked_then_skipped(pushed, COURSE, {"course": {"users": users}})

    assert kinds(body) == {"repeated": ["course.users[1].id"]}
    assert values(pushed, "SELECT name FROM users WHERE id = 7") == ["First"]


@pytest.mark.contract("6 Data in", "of a repeated key the first counts")
def test_what_depends_on_a_valid_entry_is_stored_though_it_is_repeated_as_an_invalid_one(pushed: Api) -> None:
    users = [{"id": 7, "name": "First"}, *USERS[1:], {"id": 7, "name": 5}]

    body = checked_then_skipped(
        pushed, COURSE, {"course": {"users": users, "enrollments": [enrollment(7, 32)]}}
    )

    assert kinds(body) == {"invalid_value": ["course.users[3].name"]}
    assert values(pushed, "SELECT name FROM users WHERE id = 7") == ["First"]
    assert values(pushed, "SELECT section_id FROM enrollments WHERE user_id = 7") == [32]


def test_unknown_users_and_sections_of_enrollments_are_skipped(pushed: Api) -> None:
    enrollments = [enrollment(7, 31), enrollment(99, 31), enrollment(8, 98), enrollment(8, 31, "Guest")]

    body = checked_then_skipped(pushed, COURSE, {"course": {"enrollments": enrollments}})

    assert kinds(body) == {
        "unknown_user": ["course.enrollments[1].user_id"],
        "unknown_section": ["course.enrollments[2].section_id"],
        "invalid_value": ["course.enrollments[3].type"],
    }
    # The enrollment of the unknown type may be the stored one of this user in this section.
    assert values(pushed, "SELECT user_id FROM enrollments WHERE course_id = 101 ORDER BY 1") == [7, 8]


@pytest.mark.contract("6 Data in", "what is skipped stays as it is stored, with what depends on it")
@pytest.mark.parametrize(
    ("of_skipped", "state", "is_skipped"),
    [
        ({"role_id": "x"}, "deleted", True),
        ({"type": "Guest"}, "deleted", True),
        ({"type": "TaEnrollment", "role_id": "x"}, "deleted", False),
        # It counts, whatever the other one says.
        ({"role_id": "x"}, "active", False),
    ],
    ids=["of the same row", "of an unknown type", "of another type", "the most active"],
)
@pytest.mark.parametrize("order", [1, -1])
def test_an_enrollment_that_shares_its_row_with_a_skipped_one_is_skipped(
    pushed: Api, of_skipped: dict[str, str], state: str, is_skipped: bool, order: int
) -> None:
    put(pushed, COURSE, {"course": {"enrollments": [{**enrollment(7, 31), "enrollment_state": "invited"}]}})
    valid = {**enrollment(7, 31), "role_id": 3, "enrollment_state": state}
    enrollments = [valid, {**enrollment(7, 31), **of_skipped}][::order]

    body = checked_then_skipped(pushed, COURSE, {"course": {"enrollments": enrollments}})

    place = f"course.enrollments[{enrollments.index(valid)}]"
    assert kinds(body).get("depends_on_skipped") == ([place] if is_skipped else None)
    assert counts(body)["skipped"] == 1 + is_skipped
    assert values(pushed, "SELECT enrollment_state FROM enrollments WHERE course_id = 101") == [
        "invited" if is_skipped else state
    ]


def test_an_invalid_section_is_skipped_with_its_enrollments(pushed: Api) -> None:
    sections = [{"id": 31, "name": "A"}, {"id": 32, "name": None}]

    body = checked_then_skipped(
        pushed, COURSE, {"course": {"sections": sections, "enrollments": [enrollment(9, 32)]}}
    )

    assert body["skipped"] == 2
    assert values(pushed, "SELECT name FROM sections WHERE course_id = 101 ORDER BY id") == ["A", "Section B"]
    assert values(pushed, "SELECT user_id FROM enrollments WHERE course_id = 101") == [9]


def test_a_new_course_that_is_invalid_takes_its_lists_with_it(api: Api) -> None:
    users = [{"id": 70, "name": "Ann"}]

    body = checked_then_skipped(api, NEW_COURSE, {"course": {"name": 5, "users": users}})

    assert kinds(body) == {
        "invalid_value": ["course.name"],
        "depends_on_skipped": ["course.users[0]"],
    }
    assert counts(body) == {"created": 0, "updated": 0, "unchanged": 0, "deleted": 0, "skipped": 2}


def test_invalid_columns_of_a_stored_course_do_not_keep_its_lists(pushed: Api) -> None:
    body = checked_then_skipped(
        pushed, COURSE, {"course": {"name": 5, "users": [*USERS, {"id": 6, "name": "D"}]}}
    )

    assert counts(body) == {"created": 1, "updated": 0, "unchanged": 3, "deleted": 0, "skipped": 1}
    assert values(pushed, "SELECT name FROM courses WHERE id = 101") == ["Biology 101"]


@pytest.mark.contract("6 Data in", "what is skipped stays as it is stored, with what depends on it")
def test_a_skipped_question_stays_where_it_stands_in_the_list(pushed: Api) -> None:
    questions = [question(3), question(FIRST_QUESTION, points_possible="one"), {"id": 4}]

    body = checked_then_skipped(pushed, QUIZ, {"quiz": {"title": "Other", "questions": questions}})

    assert kinds(body) == {
        "missing": ["quiz.questions[2].question_type"],
        "invalid_value": ["quiz.questions[1].points_possible"],
    }
    assert counts(body) == {"created": 1, "updated": 1, "unchanged": 1, "deleted": 1, "skipped": 2}
    assert values(
        pushed,
        "SELECT question_id FROM quizzes JOIN question_sets ON question_sets.id = question_set_id,"
        " unnest(question_version_ids) WITH ORDINALITY AS element (id, number)"
        " JOIN question_versions AS version ON version.id = element.id"
        " WHERE quizzes.id = 201 ORDER BY number",
    ) == [3, FIRST_QUESTION]


def test_a_new_quiz_that_is_invalid_takes_its_questions_with_it(pushed: Api) -> None:
    body = checked_then_skipped(pushed, f"{COURSE}/quizzes/999", {"quiz": quiz(quiz_type="exam")})

    assert kinds(body) == {
        "invalid_value": ["quiz.quiz_type"],
        "depends_on_skipped": ["quiz.questions[0]", "quiz.questions[1]"],
    }
    assert (body["skipped"], body["revision"]) == (3, 0)


@pytest.mark.contract("6 Data in", "a check names every kind of issue, with counts and examples")
def test_attempts_are_skipped_one_by_one(pushed: Api) -> None:
    attempts = [
        attempt(501),
        attempt(502, score="high"),
        attempt(503, user_id=99, submission_data=[entry(5)]),
        attempt(
            504, submission_data=[entry(FIRST_QUESTION, 9), entry(SECOND_QUESTION, correct="?!", points=[])]
        ),
        attempt(501, updated_at="2027-01-01T00:00:00Z"),
        attempt(502),
    ]

    body = checked_then_skipped(pushed, ATTEMPTS, {"quiz_submissions": attempts})

    found = kinds(body)
    assert found["invalid_value"][0] == "quiz_submissions[1].score"
    assert found["unknown_user"] == ["quiz_submissions[2].user_id"]
    assert found["unknown_question"] == ["quiz_submissions[2].submission_data[0].question_id"]
    assert found["unknown_answer"] == ["quiz_submissions[3].submission_data[0].answer_id"]
    assert found["repeated"] == ["quiz_submissions[4]", "quiz_submissions[5]"]
    assert counts(body) == {"created": 1, "updated": 0, "unchanged": 0, "deleted": 0, "skipped": 5}
    assert values(pushed, "SELECT submission_id FROM attempts") == [501]


def test_a_word_that_is_not_known_is_taken_and_named(pushed: Api) -> None:
    odd = attempt(501, submission_data=[entry(FIRST_QUESTION, correct="perhaps")])

    body = checked_then_skipped(pushed, ATTEMPTS, {"quiz_submissions": [odd]})

    assert kinds(body) == {"unknown_word": ["quiz_submissions[0].submission_data[0].correct"]}
    assert counts(body) == {"created": 1, "updated": 0, "unchanged": 0, "deleted": 0, "skipped": 0}


def test_of_a_repeated_group_the_first_counts_and_its_questions_are_stored(pushed: Api) -> None:
    group = {"entry_type": "quiz_group", "id": 77}
    questions = [
        question(3, quiz_group_id=77),
        *({**group, "question_points": n} for n in (5.0, 6.0, "seven")),
    ]

    body = checked_then_skipped(pushed, QUIZ, {"quiz": {"questions": questions}})

    assert kinds(body) == {
        "repeated": ["quiz.questions[2].id"],
        "invalid_value": ["quiz.questions[3].question_points"],
    }
    assert values(pushed, "SELECT question_groups FROM quizzes WHERE id = 201") == [{"77": 5.0}]
    assert counts(body) == {"created": 1, "updated": 1, "unchanged": 0, "deleted": 2, "skipped": 2}


@pytest.mark.parametrize(
    ("values", "fields", "is_assumed"),
    [((4, 9), {}, True), ((4, 9), {"answer_id": 72}, False), ((4, 4), {}, False), ((4,), {}, False)],
)
def test_a_set_of_variables_that_an_attempt_does_not_name_is_assumed_and_named(
    pushed: Api, values: Sequence[int], fields: dict[str, int], is_assumed: bool
) -> None:
    sets = [
        {"id": 71 + number, "variables": [{"name": "x", "value": value}], "weight": 100}
        for number, value in enumerate(values)
    ]
    calculated = question(3, question_type="calculated_question", answers=sets)
    assert put(pushed, QUIZ, {"quiz": {"questions": [calculated]}}).status_code == 200
    entries = [{"question_id": 3, "correct": False, "points": 0, "text": "", **fields}]

    body = checked_then_skipped(
        pushed, ATTEMPTS, {"quiz_submissions": [attempt(501, submission_data=entries)]}
    )

    place = "quiz_submissions[0].submission_data[0].answer_id"
    assert kinds(body) == ({"assumed": [place]} if is_assumed else {})
    assert counts(body) == {"created": 1, "updated": 0, "unchanged": 0, "deleted": 0, "skipped": 0}


def test_a_question_of_a_skipped_group_is_skipped_and_its_stored_points_stay(pushed: Api) -> None:
    group = {"entry_type": "quiz_group", "id": 77, "question_points": 5.0}
    drawn = question(3, quiz_group_id=77)
    assert put(pushed, QUIZ, {"quiz": {"questions": [drawn, group]}}).status_code == 200

    changed = {**drawn, "question_text": "Other"}
    body = checked_then_skipped(
        pushed, QUIZ, {"quiz": {"questions": [changed, {**group, "question_points": "five"}]}}
    )

    assert kinds(body) == {
        "invalid_value": ["quiz.questions[1].question_points"],
        "depends_on_skipped": ["quiz.questions[0].quiz_group_id"],
    }
    assert values(pushed, "SELECT question_groups FROM quizzes WHERE id = 201") == [{"77": 5.0}]
    assert counts(body)["skipped"] == 2
    assert not counts(body)["updated"]


def test_a_skipped_attempt_does_not_claim_its_submission(pushed: Api) -> None:
    put(pushed, ATTEMPTS, {"quiz_submissions": [attempt(501), attempt(502, user_id=99)]}, SKIP)

    assert values(pushed, "SELECT id FROM submissions") == [501]


@pytest.mark.contract("6 Data in", "a broken line is skipped, a broken document never is")
def test_a_broken_line_is_skipped_and_a_broken_document_never_is(pushed: Api) -> None:
    lines = [
        line(501),
        b'{"id": 502, ',
        b"\xff",
        line(503, note="a\0b"),
        b"[]",
        line(504),
    ]

    body = put_lines(pushed, lines, SKIP).json

    assert body["created"] == 2
    assert kinds(body) == {
        "invalid_json": [f"quiz_submissions[{n}]{field}" for n, field in ((1, ""), (2, ""), (3, ".note"))],
        "invalid_value": ["quiz_submissions[4]"],
    }
    for path in (COURSE, QUIZ, ATTEMPTS):
        for how in (SKIP, CHECK):
            broken = pushed.call(
                "PUT", path, "admin", data=b'{"course": {', content_type="application/json", query_string=how
            )
            assert broken.status_code == 422


def test_a_line_that_is_too_long_is_skipped_too(pushed: Api) -> None:
    long = line(502, submission_data=[]) + b" " * pushed.settings.max_json_bytes

    body = put_lines(pushed, [line(501), long, line(503)], SKIP).json

    assert (body["created"], kinds(body)) == (2, {"too_long": ["quiz_submissions[1]"]})


@pytest.mark.contract("6 Data in", "a check brings along what will be pushed before it")
@pytest.mark.parametrize("as_lines", [False, True])
def test_a_first_import_is_checked_before_anything_is_stored(api: Api, as_lines: bool) -> None:
    before = stored(api)
    known = {"course": course(sis_course_id=None), "quiz": quiz()}
    new_quiz = f"{NEW_COURSE}/quizzes/888"

    assert put(api, new_quiz, known, CHECK).json["created"] == 3
    attempts = [attempt(501), attempt(502, user_id=99)]
    if as_lines:
        data = b"\n".join(map(msgspec.json.encode, [known, *attempts]))
        content_type = "application/x-ndjson"
    else:
        data = msgspec.json.encode({**known, "quiz_submissions": attempts})
        content_type = "application/json"
    body = api.call(
        "PUT", f"{new_quiz}/submissions", "admin", data=data, content_type=content_type, query_string=CHECK
    ).json

    assert (body["created"], kinds(body)) == (1, {"unknown_user": ["quiz_submissions[1].user_id"]})
    assert stored(api) == before
    assert put(api, new_quiz, {"quiz": quiz()}, CHECK).status_code == 404
    assert put(api, new_quiz, known, SKIP).status_code == 404


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
@pytest.mark.parametrize(
    "body",
    [
        b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"[" * 100_000,
        b'{"course": ' * 100_000,
        b'{"\xff": 1}',
        b'{"x": "\xff"}',
        b'\xef\xbb\xbf{"course": {}}',
    ],
    ids=["deep", "open lists", "open objects", "a key", "a text", "a byte order mark"],
)
def test_what_comes_first_in_a_check_and_cannot_be_read_is_named(
    pushed: Api, body: bytes, content_type: str
) -> None:
    how: dict[str, Any] = {"data": body, "content_type": content_type, "query_string": CHECK}

    response = pushed.call("PUT", ATTEMPTS, "admin", **how)

    if content_type == "application/json":
        assert response.status_code == 422
    else:
        assert kinds(response.json) == {"invalid_json": ["quiz_submissions[0]"]}


def test_other_values_of_the_parameters_are_a_400(api: Api) -> None:
    assert put(api, COURSE, {"course": {}}, {"check": "maybe"}).status_code == 400
    assert put(api, COURSE, {"course": {}}, {"on_error": "stop"}).status_code == 400
    assert "issues" not in put(api, COURSE, {"course": {}}, {"check": "0", "on_error": ""}).json
