"""Data in: the LMS pushes courses, quizzes and attempts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from contextlib import AbstractContextManager

from flask import Blueprint, request
from psycopg.errors import DeadlockDetected
from sqlalchemy.exc import OperationalError
from werkzeug import Response

from api.auth import Visit, reading_visit, scope, visit
from api.errors import UnsupportedContentError
from api.openapi import request_bodies, schemas
from api.openapi.decorators import JSON, NDJSON, Answer, Content, describe
from api.params import course_key, object_id
from api.responses import answer
from api.services import services
from api.uploads import Body, chunks_of
from models.ingestion.attempts import apply_attempts
from models.ingestion.counts import PushCounts
from models.ingestion.courses import apply_course
from models.ingestion.quizzes import apply_quiz
from models.lms.courses import find_course
from models.payloads.attempts import Batch, read_document, read_lines
from models.payloads.courses import read_course
from models.payloads.quizzes import read_quiz

ingestion = Blueprint("ingestion", __name__, url_prefix="/api/v1/courses/<course_id>")

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
    body={JSON: Content(request_bodies.CourseBody, _COURSE)},
    refusals=_REFUSED,
    notes="Lists that are given replace the course's lists; lists left out stay.",
)
def put_course(course_id: str) -> Response:
    """Store a course with its sections, users and enrollments."""
    with reading_visit() as visitor:
        _find_course_id(visitor, course_id)
    with _received() as body:
        course = read_course(body.read())
        with visit() as visitor:
            counts = apply_course(
                visitor.session,
                _find_course_id(visitor, course_id),
                course,
                may_take_sections_of=visitor.caller.may_enter,
            )
    return _answer(counts)


@ingestion.put("/quizzes/<quiz_id>")
@scope("url:PUT|/api/v1/courses/:course_id/quizzes/:id")
@describe(
    _COUNTED,
    body={JSON: Content(request_bodies.QuizBody, _QUIZ)},
    refusals=_REFUSED,
    notes='An entry of `questions` with `"entry_type": "quiz_group"` is a group and is skipped.',
)
def put_quiz(course_id: str, quiz_id: str) -> Response:
    """Store a quiz with its questions."""
    with reading_visit() as visitor:
        _find_ids(visitor, course_id, quiz_id)
    with _received() as body:
        pushed = read_quiz(body.read())
        with visit() as visitor:
            course, quiz = _find_ids(visitor, course_id, quiz_id)
            applied = apply_quiz(visitor.session, course, quiz, pushed)
    for storage_key in applied.withdrawn_keys:
        services().discard(storage_key)
    return _answer(applied.counts)


@ingestion.put("/quizzes/<quiz_id>/submissions")
@scope("url:PUT|/api/v1/courses/:course_id/quizzes/:quiz_id/submissions")
@describe(
    _COUNTED,
    body={
        JSON: Content(request_bodies.SubmissionsBody, {"quiz_submissions": [_ATTEMPT]}),
        NDJSON: Content({"type": "string", "description": "An attempt a line."}),
    },
    refusals=_REFUSED,
    notes="Beside what is named here, an answer has keys that depend on the question: `answer_<answer id>`,"
    " `answer_for_<blank>`, `answer_id_for_<blank>`, `attachment_ids`.",
)
def put_submissions(course_id: str, quiz_id: str) -> Response:
    """Store attempts at a quiz, as one document or as lines."""
    with reading_visit() as visitor:
        _find_ids(visitor, course_id, quiz_id)
    with _received(NDJSON) as body:
        counts = _store_attempts(course_id, quiz_id, body)
    return _answer(counts)


def _store_attempts(course_id: str, quiz_id: str, body: Body, *, alone: bool = False) -> PushCounts:
    try:
        with visit() as visitor:
            course, quiz = _find_ids(visitor, course_id, quiz_id)
            return apply_attempts(visitor.session, course, quiz, _read_batches(body), alone=alone)
    except OperationalError as error:
        if alone or not isinstance(error.orig, DeadlockDetected):
            raise
    body.seek(0)
    return _store_attempts(course_id, quiz_id, body, alone=True)


def _find_course_id(visitor: Visit, course_id: str) -> int:
    # A course that has no row yet is made, so a number need not be one of a course.
    key = course_key(course_id)
    found = key if isinstance(key, int) else find_course(visitor.session, key).id
    visitor.require_course(found)
    return found


def _find_ids(visitor: Visit, course_id: str, quiz_id: str) -> tuple[int, int]:
    found = find_course(visitor.session, course_key(course_id)).id
    visitor.require_course(found)
    return found, object_id(quiz_id)


def _answer(counts: PushCounts) -> Response:
    return answer(dataclasses.asdict(counts))


def _received(*types: str) -> AbstractContextManager[Body]:
    """Receive the body of the request, which is JSON or of one of these types."""
    settings = services().settings
    if request.mimetype in types:
        return services().uploads.receive(settings.max_ndjson_bytes)
    if request.mimetype != JSON and not request.mimetype.endswith("+json"):
        raise UnsupportedContentError("The body must be JSON.")
    return services().uploads.receive(settings.max_json_bytes)


def _read_batches(body: Body) -> Iterable[Batch]:
    if request.mimetype == NDJSON:
        return read_lines(chunks_of(body), services().settings.max_json_bytes)
    return read_document(body.read())
