"""The three PUTs over HTTP: who may, what is read, how much of it, and how it is answered."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import msgspec
import pytest

from models.settings import Settings
from tests.factories import SIS_COURSE_ID, Api, ApiResponse
from tests.payloads import (
    COURSE_ID,
    FIRST_QUESTION,
    QUIZ_ID,
    attempt,
    course,
    entry,
    question,
    quiz,
)

COURSE = f"/api/v1/courses/{COURSE_ID}"
QUIZ = f"{COURSE}/quizzes/{QUIZ_ID}"
ATTEMPTS = f"{QUIZ}/submissions"
NDJSON = "application/x-ndjson"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
LIMIT = 4_000
SCOPES = {
    COURSE: "url:PUT|/api/v1/courses/:id",
    QUIZ: "url:PUT|/api/v1/courses/:course_id/quizzes/:id",
    ATTEMPTS: "url:PUT|/api/v1/courses/:course_id/quizzes/:quiz_id/submissions",
}
BODIES: dict[str, Any] = {
    COURSE: {"course": course(users=[{"id": 7, "name": "Ann"}], sections=[], enrollments=[])},
    QUIZ: {"quiz": quiz()},
    ATTEMPTS: {"quiz_submissions": [attempt(submission_data=[])]},
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return dataclasses.replace(settings, max_json_bytes=LIMIT, max_ndjson_bytes=2 * LIMIT)


def put(api: Api, path: str, caller: str | None = "admin", **options: Any) -> ApiResponse:
    return api.call("PUT", path, caller, **options)


def put_lines(api: Api, *attempts: dict[str, Any], **options: Any) -> ApiResponse:
    body = b"\n".join(msgspec.json.encode(line) for line in attempts)
    return put(api, ATTEMPTS, data=body, content_type=NDJSON, **options)


@pytest.mark.contract("6 Data in", "counts and the revision")
def test_what_is_pushed_is_answered_with_counts_and_the_revision(api: Api) -> None:
    response = put(api, QUIZ, json=BODIES[QUIZ])

    assert response.status_code == 200
    assert response.json == {"created": 2, "updated": 0, "unchanged": 1, "deleted": 0, "revision": 2}
    assert put(api, QUIZ, json=BODIES[QUIZ]).json["unchanged"] == 3


@pytest.mark.contract("6 Data in", "attempts as a document or as lines")
def test_attempts_come_as_a_document_or_as_lines(api: Api) -> None:
    put(api, QUIZ, json={"quiz": quiz(questions=[question(FIRST_QUESTION)])})
    both = [attempt(n, submission_data=[entry(FIRST_QUESTION)]) for n in (1, 2)]

    assert put(api, ATTEMPTS, json={"quiz_submissions": both}).json["created"] == 2
    assert put_lines(api, *both).json["unchanged"] == 2


@pytest.mark.parametrize("path", list(SCOPES))
@pytest.mark.contract("5 Permission", "a PUT needs an administrator's token or the named scope")
def test_a_push_needs_an_administrator_or_the_named_scope(api: Api, path: str) -> None:
    named = {"Authorization": f"Bearer {api.token(99, scopes=[SCOPES[path]])}"}
    others = sorted({*SCOPES.values()} - {SCOPES[path]})
    unnamed = {"Authorization": f"Bearer {api.token(99, admin=True, scopes=others)}"}

    assert put(api, path, json=BODIES[path]).status_code == 200
    assert put(api, path, None, json=BODIES[path], headers=named).status_code == 200
    assert put(api, path, None, json=BODIES[path], headers=unnamed).status_code == 401
    assert put(api, path, "teacher", json=BODIES[path]).status_code == 401
    assert put(api, path, None, json=BODIES[path]).status_code == 401


def test_a_course_is_made_by_its_id_and_found_by_its_sis_id(api: Api) -> None:
    assert put(api, "/api/v1/courses/777", json={"course": {"name": "New"}}).json["created"] == 1
    assert (
        put(api, f"/api/v1/courses/sis_course_id:{SIS_COURSE_ID}", json={"course": {}}).json["unchanged"] == 1
    )
    assert put(api, "/api/v1/courses/sis_course_id:none", json={"course": {"name": "New"}}).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/courses/abc",
        "/api/v1/courses/999/quizzes/201",
        f"{COURSE}/quizzes/abc",
        f"{COURSE}/quizzes/301/submissions",
        f"{COURSE}/quizzes/999/submissions",
    ],
)
def test_what_is_not_there_is_a_404(api: Api, path: str) -> None:
    body = {"course": {"name": "a"}, "quiz": quiz(), "quiz_submissions": []}
    response = put(api, path, json=body)

    assert response.status_code == 404
    assert response.json == {"errors": [{"message": "The specified resource does not exist."}]}


@pytest.mark.contract("6 Data in", "a 422 names each place, up to twenty")
def test_invalid_input_is_a_422_that_names_each_place(api: Api) -> None:
    response = put(api, QUIZ, json={"quiz": {"title": 5, "quiz_type": "exam"}})

    assert response.status_code == 422
    assert response.json["status"] == "unprocessable_entity"
    assert [error["message"].split(":")[0] for error in response.json["errors"]] == [
        "quiz.title",
        "quiz.quiz_type",
    ]


@pytest.mark.parametrize("path", list(SCOPES))
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"course": NaN}',
        b"\xff",
        b"[" * 3_000,
        b'{"quiz": {"title": "\\u0000"}}',
        b"\0",
    ],
)
@pytest.mark.contract("6 Data in", "unsound JSON is invalid, never a crash")
def test_a_broken_body_is_a_422_and_never_a_crash(api: Api, path: str, body: bytes) -> None:
    assert put(api, path, data=body, content_type="application/json").status_code == 422


@pytest.mark.parametrize("key", ["submission_data", "quiz_data"])
@pytest.mark.contract("6 Data in", "unsound JSON is invalid, never a crash")
def test_data_that_begin_like_another_value_of_that_name_are_never_a_crash(api: Api, key: str) -> None:
    put(api, QUIZ, json={"quiz": quiz(questions=[])})
    valid, other = attempt(1, submission_data=[]), attempt(2, submission_data=[])
    other.pop(key, None)
    invalid = f'{msgspec.json.encode(other).decode()[:-1]},"odd":{{"{key}":12}},"{key}":1}}'
    body = msgspec.json.encode(valid) + b"\n" + invalid.encode()

    refused, checked, skipped = (
        put(api, ATTEMPTS, data=body, content_type=NDJSON, query_string=how)
        for how in ({}, {"check": "true"}, {"on_error": "skip"})
    )

    assert refused.status_code == 422
    assert (checked.json["created"], checked.json["skipped"]) == (1, 1)
    assert (skipped.json["created"], skipped.json["skipped"]) == (1, 1)


@pytest.mark.parametrize(
    "content_type", ["text/csv", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
@pytest.mark.parametrize("path", list(SCOPES))
def test_a_body_of_another_type_is_a_415(api: Api, path: str, content_type: str | None) -> None:
    response = put(api, path, data=b"a=b", content_type=content_type)

    assert response.status_code == 415
    assert "Content-Type: application/json" in response.json["message"]
    assert (NDJSON in response.json["message"]) == (path == ATTEMPTS)


@pytest.mark.parametrize("path", [COURSE, QUIZ])
def test_lines_are_read_for_attempts_only(api: Api, path: str) -> None:
    assert put(api, path, data=b"{}", content_type=NDJSON).status_code == 415


@pytest.mark.parametrize("path", list(SCOPES))
@pytest.mark.contract("6 Data in", "bodies that are too large are a 413; lines are read as a stream")
def test_a_document_that_is_too_large_is_a_413(api: Api, path: str) -> None:
    assert put(api, path, data=b" " * (LIMIT + 1), content_type="application/json").status_code == 413


@pytest.mark.contract("6 Data in", "bodies that are too large are a 413; lines are read as a stream")
def test_a_stream_that_is_too_large_is_a_413_and_leaves_nothing(api: Api) -> None:
    put(api, QUIZ, json={"quiz": quiz(questions=[])})
    lines = [attempt(n, submission_data=[]) for n in range(60)]

    assert put_lines(api, *lines).status_code == 413
    assert put_lines(api, *lines[:10]).json["created"] == 10


@pytest.mark.parametrize(("content_type", "most"), [("application/json", LIMIT), (NDJSON, 2 * LIMIT)])
def test_a_body_of_unknown_length_that_is_too_large_is_a_413(api: Api, content_type: str, most: int) -> None:
    endless = {
        "wsgi.input": io.BytesIO(b"\n" * (most + 1)),
        "wsgi.input_terminated": True,
        "CONTENT_LENGTH": "",
    }

    assert put(api, ATTEMPTS, content_type=content_type, environ_overrides=endless).status_code == 413


def test_a_body_that_breaks_off_at_the_end_of_a_line_is_not_stored(api: Api) -> None:
    put(api, QUIZ, json={"quiz": quiz(questions=[])})
    line = msgspec.json.encode(attempt(1, submission_data=[])) + b"\n"
    cut = {
        "wsgi.input": io.BytesIO(line),
        "wsgi.input_terminated": True,
        "CONTENT_LENGTH": str(2 * len(line)),
    }

    assert put(api, ATTEMPTS, content_type=NDJSON, environ_overrides=cut).status_code == 400
    assert put_lines(api, attempt(1, submission_data=[])).json["created"] == 1


def test_a_new_attempt_raises_the_revision_and_the_same_again_does_not(api: Api) -> None:
    put(api, QUIZ, json={"quiz": quiz(questions=[])})
    lines = [attempt(1, submission_data=[])]

    revisions = [
        put_lines(api, *pushed).json["revision"]
        for pushed in (lines, lines, [attempt(2, submission_data=[])])
    ]

    assert revisions == [3, 3, 4]
