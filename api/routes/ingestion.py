"""Data in: the LMS pushes courses, quizzes and attempts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeVar, TypeVarTuple

from flask import Blueprint, request
from sqlalchemy.orm import Session
from werkzeug import Response

from api.auth import authorized, scope
from api.errors import UnsupportedContentError
from api.media_types import JSON, NDJSON
from api.openapi.decorators import describe
from api.openapi.operations import ingestion as operations
from api.params import course_key, object_id
from api.responses import serialized_response
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

Payload = TypeVar("Payload")
Ids = TypeVarTuple("Ids")

ingestion = Blueprint("ingestion", __name__, url_prefix="/api/v1/courses/<course_id>")


@ingestion.put("")
@scope("url:PUT|/api/v1/courses/:id")
@describe(operations.PUT_COURSE)
def put_course(course_id: str) -> Response:
    """Store a course with its sections, users and enrollments."""
    return _push(partial(_course, course_id), lambda body: read_course(body.read()), apply_course)


@ingestion.put("/quizzes/<quiz_id>")
@scope("url:PUT|/api/v1/courses/:course_id/quizzes/:id")
@describe(operations.PUT_QUIZ)
def put_quiz(course_id: str, quiz_id: str) -> Response:
    """Store a quiz with its questions."""
    return _push(partial(_quiz, course_id, quiz_id), lambda body: read_quiz(body.read()), apply_quiz)


@ingestion.put("/quizzes/<quiz_id>/submissions")
@scope("url:PUT|/api/v1/courses/:course_id/quizzes/:quiz_id/submissions")
@describe(operations.PUT_SUBMISSIONS)
def put_submissions(course_id: str, quiz_id: str) -> Response:
    """Store attempts at a quiz, as one document or as lines."""
    return _push(partial(_quiz, course_id, quiz_id), _read_attempts, apply_attempts, NDJSON)


def _push(
    find: Callable[[Session], tuple[*Ids]],
    read: Callable[[Body], Payload],
    apply: Callable[[Session, *Ids, Payload], PushCounts],
    *media_types: str,
) -> Response:
    """Check the request, receive its body, then check it again and apply the payload in one transaction.

    The first check refuses callers before they send a large body. While a body is being received, the request
    holds neither a connection nor a lock, so its token may be revoked meanwhile.
    """
    with services().database.reading() as session:
        authorized(session)
        find(session)
    with _received(*media_types) as body:
        payload = read(body)
        with services().database.transaction() as session:
            authorized(session)
            counts = apply(session, *find(session), payload)
    return serialized_response(dataclasses.asdict(counts))


def _course(course_id: str, session: Session) -> tuple[int]:
    # A push may create the course, so an id need not exist. A SIS id must.
    key = course_key(course_id)
    return (key if isinstance(key, int) else find_course(session, key).id,)


def _quiz(course_id: str, quiz_id: str, session: Session) -> tuple[int, int]:
    # The right to push is not tied to a course, so the course must only exist.
    return find_course(session, course_key(course_id)).id, object_id(quiz_id)


def _received(*media_types: str) -> AbstractContextManager[Body]:
    """Receive the body of the request, which is JSON or has one of these media types."""
    settings = services().settings
    if request.mimetype in media_types:
        return services().uploads.receive(settings.max_ndjson_bytes)
    if request.mimetype != JSON and not request.mimetype.endswith("+json"):
        raise UnsupportedContentError("The body must be JSON.")
    return services().uploads.receive(settings.max_json_bytes)


def _read_attempts(body: Body) -> Iterable[Batch]:
    if request.mimetype == NDJSON:
        return read_lines(chunks_of(body), services().settings.max_json_bytes)
    return read_document(body.read())
