"""Data in: the LMS pushes courses, quizzes and attempts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from flask import Blueprint, request
from werkzeug import Response
from werkzeug.exceptions import ClientDisconnected

from api import bodies, schemas
from api.answers import answer
from api.auth import Visit, scope, visit
from api.description import JSON, NDJSON, Answer, Content, describe
from api.errors import BodyTooLargeError, UnsupportedContentError
from api.params import course_key, object_id
from api.services import services
from models.courses import find_course
from models.ingestion import (
    Batch,
    Counts,
    push_course,
    push_quiz,
    push_submissions,
    read_course,
    read_document,
    read_lines,
    read_quiz,
)

ingestion = Blueprint("ingestion", __name__, url_prefix="/api/v1/courses/<course_id>")

_CHUNK_BYTES = 2**18

_COUNTED = {
    200: Answer("How many of the things that came were new to the service.", {JSON: Content(schemas.Counts)})
}
_REFUSED = {
    422: "Something in the body is not valid: `errors` names each place, up to twenty. Nothing was stored.",
}
_COURSE = {
    "course": {
        "name": "Biology 101",
        "sections": [{"id": 31, "name": "Section A"}],
        "users": [{"id": 7, "name": "Ann Lee", "sis_user_id": "s0007"}],
        "enrollments": [{"user_id": 7, "section_id": 31, "type": "StudentEnrollment"}],
    }
}
_QUESTION = {
    "id": 4000001,
    "position": 1,
    "question_type": "multiple_choice_question",
    "question_text": "<p>Which one makes ATP?</p>",
    "points_possible": 1.0,
    "answers": [
        {"id": 8001, "text": "Mitochondrion", "weight": 100},
        {"id": 8002, "text": "Ribosome", "weight": 0},
    ],
}
_QUIZ = {"quiz": {"title": "Cells", "quiz_type": "assignment", "questions": [_QUESTION]}}
_ATTEMPT = {
    "id": 501,
    "user_id": 7,
    "attempt": 1,
    "workflow_state": "complete",
    "score": 1.0,
    "finished_at": "2026-09-10T09:12:31Z",
    "updated_at": "2026-09-10T09:12:31Z",
    "submission_data": [{"question_id": 4000001, "correct": True, "points": 1.0, "answer_id": 8001}],
}


@ingestion.put("")
@scope("url:PUT|/api/v1/courses/:id")
@describe(
    _COUNTED,
    body={JSON: Content(bodies.CourseBody, _COURSE)},
    refusals=_REFUSED,
    notes="Lists that are given replace the course's lists; lists left out stay.",
    asks_roles=False,
)
def put_course(course_id: str) -> Response:
    """Store a course with its sections, users and enrollments."""
    with visit() as visitor:
        key = course_key(course_id)
        number = key if isinstance(key, int) else find_course(visitor.session, key).id
        counts = push_course(visitor.session, number, read_course(_json_body()))
    return _answer(counts)


@ingestion.put("/quizzes/<quiz_id>")
@scope("url:PUT|/api/v1/courses/:course_id/quizzes/:id")
@describe(
    _COUNTED,
    body={JSON: Content(bodies.QuizBody, _QUIZ)},
    refusals=_REFUSED,
    notes='An entry of `questions` with `"entry_type": "quiz_group"` is a group and is skipped.',
    asks_roles=False,
)
def put_quiz(course_id: str, quiz_id: str) -> Response:
    """Store a quiz with its questions."""
    with visit() as visitor:
        course, quiz = _find_ids(visitor, course_id, quiz_id)
        counts = push_quiz(visitor.session, course, quiz, read_quiz(_json_body()))
    return _answer(counts)


@ingestion.put("/quizzes/<quiz_id>/submissions")
@scope("url:PUT|/api/v1/courses/:course_id/quizzes/:quiz_id/submissions")
@describe(
    _COUNTED,
    body={
        JSON: Content(bodies.SubmissionsBody, {"quiz_submissions": [_ATTEMPT]}),
        NDJSON: Content({"type": "string", "description": "An attempt a line."}),
    },
    refusals=_REFUSED,
    notes="Beside what is named here, an answer has keys that depend on the question: `answer_<answer id>`,"
    " `answer_for_<blank>`, `answer_id_for_<blank>`, `attachment_ids`.",
    asks_roles=False,
)
def put_submissions(course_id: str, quiz_id: str) -> Response:
    """Store attempts at a quiz, as one document or as a stream of lines."""
    with visit() as visitor:
        course, quiz = _find_ids(visitor, course_id, quiz_id)
        counts = push_submissions(visitor.session, course, quiz, _batches())
    return _answer(counts)


def _find_ids(visitor: Visit, course_id: str, quiz_id: str) -> tuple[int, int]:
    # Who may push into one course may push into all, so all that is asked of this one is that it is there.
    return find_course(visitor.session, course_key(course_id)).id, object_id(quiz_id)


def _answer(counts: Counts) -> Response:
    return answer(dataclasses.asdict(counts))


def _batches() -> Iterable[Batch]:
    if request.mimetype == NDJSON:
        settings = services().settings
        return read_lines(_body(settings.max_ndjson_bytes), settings.max_json_bytes)
    return read_document(_json_body())


def _json_body() -> bytes:
    if request.mimetype != "application/json" and not request.mimetype.endswith("+json"):
        raise UnsupportedContentError("The body must be JSON.")
    return b"".join(_body(services().settings.max_json_bytes))


def _body(most_bytes: int) -> Iterator[bytes]:
    """Read the body as it comes in; one that is announced as too large is not read at all."""
    announced = request.content_length
    if announced is not None and announced > most_bytes:
        raise BodyTooLargeError(f"The body is larger than {most_bytes} bytes.")
    # Werkzeug cuts a body of unknown length at its limit, without a word: a byte more tells that it did.
    request.max_content_length = most_bytes + 1
    received = 0
    while chunk := request.stream.read(_CHUNK_BYTES):
        received += len(chunk)
        if received > most_bytes:
            raise BodyTooLargeError(f"The body is larger than {most_bytes} bytes.")
        yield chunk
    if announced is not None and received < announced:
        # What came of it may well end with a whole line, and must not be stored for the whole.
        raise ClientDisconnected
