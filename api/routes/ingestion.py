"""Ingestion: the LMS pushes courses, quizzes and attempts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from flask import Blueprint, request
from psycopg.errors import DeadlockDetected
from sqlalchemy.exc import OperationalError
from werkzeug import Response

from api.auth import RequestContext, authorized, scope
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

ingestion = Blueprint("ingestion", __name__, url_prefix="/api/v1/courses/<course_id>")


@ingestion.put("")
@scope("url:PUT|/api/v1/courses/:id")
@describe(operations.PUT_COURSE)
def put_course(course_id: str) -> Response:
    """Store a course with its sections, users and enrollments."""
    with _body_after_check(partial(_course, course_id)) as body:
        course = read_course(body.read())
        with services().database.transaction() as session:
            context = authorized(session)
            counts = apply_course(
                session,
                _course(course_id, context),
                course,
                may_take_sections_of=context.caller.may_access,
            )
    return _counted(counts)


@ingestion.put("/quizzes/<quiz_id>")
@scope("url:PUT|/api/v1/courses/:course_id/quizzes/:id")
@describe(operations.PUT_QUIZ)
def put_quiz(course_id: str, quiz_id: str) -> Response:
    """Store a quiz with its questions."""
    with _body_after_check(partial(_quiz, course_id, quiz_id)) as body:
        quiz = read_quiz(body.read())
        with services().database.transaction() as session:
            applied = apply_quiz(session, *_quiz(course_id, quiz_id, authorized(session)), quiz)
    for storage_key in applied.withdrawn_keys:
        services().discard(storage_key)
    return _counted(applied.counts)


@ingestion.put("/quizzes/<quiz_id>/submissions")
@scope("url:PUT|/api/v1/courses/:course_id/quizzes/:quiz_id/submissions")
@describe(operations.PUT_SUBMISSIONS)
def put_submissions(course_id: str, quiz_id: str) -> Response:
    """Store attempts at a quiz, as one document or as lines."""
    with _body_after_check(partial(_quiz, course_id, quiz_id), NDJSON) as body:
        return _counted(_store_attempts(course_id, quiz_id, body))


def _store_attempts(course_id: str, quiz_id: str, body: Body, *, alone: bool = False) -> PushCounts:
    """Store the attempts of a body; start again once if the database ended the transaction in a deadlock."""
    try:
        with services().database.transaction() as session:
            course, quiz = _quiz(course_id, quiz_id, authorized(session))
            return apply_attempts(session, course, quiz, _read_attempts(body), alone=alone)
    except OperationalError as error:
        if alone or not isinstance(error.orig, DeadlockDetected):
            raise
    body.seek(0)
    return _store_attempts(course_id, quiz_id, body, alone=True)


@contextmanager
def _body_after_check(check: Callable[[RequestContext], object], *media_types: str) -> Iterator[Body]:
    """Check the request, then receive its body.

    The check refuses callers before they send a large body. While a body is being received, the request holds
    neither a connection nor a lock, and its token may be revoked. The transaction of the change therefore
    checks again.
    """
    with services().database.reading() as session:
        check(authorized(session))
    with _received(*media_types) as body:
        yield body


def _course(course_id: str, context: RequestContext) -> int:
    # A push may create the course, so its id need not exist yet. A SIS id must.
    key = course_key(course_id)
    found = key if isinstance(key, int) else find_course(context.session, key).id
    context.require_course(found)
    return found


def _quiz(course_id: str, quiz_id: str, context: RequestContext) -> tuple[int, int]:
    found = find_course(context.session, course_key(course_id)).id
    context.require_course(found)
    return found, object_id(quiz_id)


def _counted(counts: PushCounts) -> Response:
    return serialized_response(dataclasses.asdict(counts))


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
