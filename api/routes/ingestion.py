"""Ingestion: the LMS pushes courses, quizzes and attempts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from flask import Blueprint, request
from psycopg.errors import DeadlockDetected, SerializationFailure
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from werkzeug import Response

from api.auth import RequestContext, authorized, scope
from api.errors import UnsupportedContentError
from api.media_types import JSON, NDJSON
from api.openapi.decorators import describe
from api.openapi.operations import ingestion as operations
from api.params import PushParams, course_key, object_id, push_params
from api.responses import serialized_response
from api.services import services
from api.uploads import Body, chunks_of, first_line
from models.access.permissions import find_course
from models.errors import NotFoundError
from models.ingestion.attempts import apply_attempts, lock_quiz
from models.ingestion.counts import PushCounts
from models.ingestion.courses import apply_course
from models.ingestion.quizzes import apply_quiz
from models.issues import Issues, Skipped
from models.payloads.batches import Batches, read_document, read_lines
from models.payloads.courses import CourseChanges, read_course
from models.payloads.preceding import Preceding, find_preceding
from models.payloads.quizzes import read_quiz

_TRIES: Final = 3

ingestion = Blueprint("ingestion", __name__, url_prefix="/api/v1/courses/<course_id>")


@ingestion.put("")
@scope("url:PUT|/api/v1/courses/:id")
@describe(operations.PUT_COURSE)
def put_course(course_id: str) -> Response:
    """Store a course with its sections, users and enrollments."""
    with _received_push(partial(_course, course_id)) as push:
        return _stored(push, partial(_store_course, course_id))


@ingestion.put("/quizzes/<quiz_id>")
@scope("url:PUT|/api/v1/courses/:course_id/quizzes/:id")
@describe(operations.PUT_QUIZ)
def put_quiz(course_id: str, quiz_id: str) -> Response:
    """Store a quiz with its questions."""
    with _received_push(partial(_quiz, course_id, quiz_id)) as push:
        return _stored(push, partial(_store_quiz, course_id, quiz_id))


@ingestion.put("/quizzes/<quiz_id>/submissions")
@scope("url:PUT|/api/v1/courses/:course_id/quizzes/:quiz_id/submissions")
@describe(operations.PUT_SUBMISSIONS)
def put_submissions(course_id: str, quiz_id: str) -> Response:
    """Store attempts at a quiz, as one document or as lines."""
    with _received_push(partial(_quiz, course_id, quiz_id), NDJSON) as push:
        return _stored(push, partial(_store_attempts, course_id, quiz_id))


@dataclass(frozen=True)
class _Push:
    """A body that was received, and what becomes of its invalid parts.

    Where pushes may end in a deadlock, one with `alone` waits for the others.
    """

    body: Body
    params: PushParams
    alone: bool = False

    def read(self) -> bytes:
        """Read the whole body."""
        self.body.seek(0)
        return self.body.read()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open the transaction of the change, which a check rolls back."""
        with services().database.transaction() as session:
            yield session
            if self.params.is_check:
                session.rollback()

    def read_preceding(self) -> Preceding:
        """Read the course and the quiz that a check sends along: what is checked is checked as if after them.

        They stand beside the list in a document, or alone in the first of several lines. Their own issues are
        not reported, since each has a check of its own.
        """
        self.body.seek(0)
        if not self.params.is_check:
            return Preceding()
        if request.mimetype == NDJSON:
            source = first_line(self.body, services().settings.max_json_bytes)
        else:
            source = self.body.read()
        found = find_preceding(source)
        if not (found.has_course or found.has_quiz):
            self.body.seek(0)
        return found

    def read_attempts(self, issues: Issues) -> Batches:
        """Read the attempts."""
        settings = services().settings
        if request.mimetype == NDJSON:
            lines = chunks_of(self.body)
            return read_lines(lines, settings.max_json_bytes, issues, settings.upload_folder)
        return read_document(self.read(), issues, settings.upload_folder)


def _stored(push: _Push, store: Callable[[_Push], Response]) -> Response:
    """Store a push; start again if the database ended its transaction because of another one."""
    for _ in range(_TRIES - 1):
        try:
            return store(push)
        except OperationalError as error:
            if not isinstance(error.orig, (DeadlockDetected, SerializationFailure)):
                raise
        push = dataclasses.replace(push, alone=True)
    return store(push)


def _store_course(course_id: str, push: _Push) -> Response:
    issues = push.params.new_issues()
    course = read_course(push.read(), issues)
    with push.transaction() as session:
        counts = _apply_course(authorized(session), course_id, course)
    return _counted(counts, issues)


def _store_quiz(course_id: str, quiz_id: str, push: _Push) -> Response:
    issues = push.params.new_issues()
    quiz = read_quiz(push.read(), issues)
    preceding = push.read_preceding()
    with push.transaction() as session:
        context = authorized(session)
        if preceding.has_course:
            lock_quiz(session, object_id(quiz_id), alone=push.alone)
            _apply_course(context, course_id, read_course(preceding.source, Skipped()))
        applied = apply_quiz(session, *_quiz(course_id, quiz_id, context), quiz)
    if not push.params.is_check:
        for storage_key in applied.withdrawn_keys:
            services().discard(storage_key)
    return _counted(applied.counts, issues)


def _store_attempts(course_id: str, quiz_id: str, push: _Push) -> Response:
    issues = push.params.new_issues()
    preceding = push.read_preceding()
    with push.transaction() as session:
        context = authorized(session)
        if preceding.has_course or preceding.has_quiz:
            # A push of attempts takes these locks before those of rows, such as the course's.
            lock_quiz(session, object_id(quiz_id), alone=push.alone)
        if preceding.has_course:
            _apply_course(context, course_id, read_course(preceding.source, Skipped()))
        if preceding.has_quiz:
            preceding_quiz = read_quiz(preceding.source, Skipped())
            apply_quiz(session, *_quiz(course_id, quiz_id, context), preceding_quiz)
        course, quiz = _quiz(course_id, quiz_id, context)
        counts = apply_attempts(session, course, quiz, push.read_attempts(issues), alone=push.alone)
    return _counted(counts, issues)


@contextmanager
def _received_push(check: Callable[[RequestContext], object], *media_types: str) -> Iterator[_Push]:
    """Check the request, then receive its body.

    The check refuses callers before they send a large body. While a body is being received, the request holds
    neither a connection nor a lock, and its token may be revoked. The transaction of the change therefore
    checks again.
    """
    with services().database.reading() as session:
        context = authorized(session)
        try:
            check(context)
        except NotFoundError:
            # A check may send along the course that is not stored yet.
            if not push_params().is_check:
                raise
    params = push_params()
    with _received(*media_types) as body:
        yield _Push(body, params)


def _apply_course(context: RequestContext, course_id: str, course: CourseChanges) -> PushCounts:
    found = _course(course_id, context)
    return apply_course(context.session, found, course, may_take_sections_of=context.caller.may_access)


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


def _counted(counts: PushCounts, issues: Issues) -> Response:
    body = dataclasses.asdict(counts)
    if isinstance(issues, Skipped):
        body["issues"] = [dataclasses.asdict(counted) for counted in issues.counts]
        body["complete"] = issues.is_complete
        body["skipped"] = issues.n_skipped
    return serialized_response(body)


def _received(*media_types: str) -> AbstractContextManager[Body]:
    """Receive the body of the request, which is JSON or has one of these media types."""
    settings = services().settings
    if request.mimetype in media_types:
        return services().uploads.receive(settings.max_ndjson_bytes)
    if request.mimetype != JSON and not request.mimetype.endswith("+json"):
        types = " or ".join((JSON, *media_types))
        raise UnsupportedContentError(f"The body must be JSON, sent with Content-Type: {types}.")
    return services().uploads.receive(settings.max_json_bytes)
