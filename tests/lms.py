"""An LMS that pushes: through the models, each request in a transaction of its own, or through the API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from flask import Flask
from sqlalchemy import text
from werkzeug.test import TestResponse

from api.services import Services
from models.access.tokens import create_token
from models.db.session import Database
from models.ingestion.attempts import apply_attempts
from models.ingestion.counts import PushCounts
from models.ingestion.courses import apply_course
from models.ingestion.quizzes import apply_quiz
from models.issues import Issues
from models.payloads.attempts import decompressed
from models.payloads.batches import read_document, read_lines
from models.payloads.courses import read_course
from models.payloads.quizzes import read_quiz
from tests.payloads import COURSE_ID, QUIZ_ID, Json, attempt, course, enrollment, quiz, roster

COURSES, QUIZZES = (COURSE_ID, 102), (QUIZ_ID, 301)
STUDENT, OTHER_STUDENT = 7, 8
MEGABYTE = 2**20


def ndjson_lines(attempts: Iterable[Json]) -> Iterator[bytes]:
    """Encode each attempt as a line."""
    for pushed in attempts:
        yield msgspec.json.encode(pushed) + b"\n"


@dataclass(frozen=True)
class _Pushing:
    database: Database

    def rows(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        with self.database.transaction() as session:
            return [tuple(row) for row in session.execute(text(sql), parameters)]

    def value(self, sql: str) -> Any:
        """Return the one value that a query finds."""
        return self.rows(sql)[0][0]


class Lms(_Pushing):
    """An LMS with one course and one quiz, which pushes through the models."""

    def put_course(self, course_id: int = COURSE_ID, **changes: Any) -> PushCounts:
        """Push a course with all its lists."""
        return self.patch_course(course_id, **course(**changes))

    def patch_course(self, course_id: int = COURSE_ID, **fields: Any) -> PushCounts:
        """Push only what is given of a course."""
        pushed = read_course(msgspec.json.encode({"course": fields}))
        with self.database.transaction() as session:
            return apply_course(session, course_id, pushed)

    def put_quiz(self, quiz_id: int = QUIZ_ID, course_id: int = COURSE_ID, **changes: Any) -> PushCounts:
        """Push a quiz with all its questions."""
        return self.patch_quiz(quiz_id, course_id, **quiz(**changes))

    def patch_quiz(self, quiz_id: int = QUIZ_ID, course_id: int = COURSE_ID, **fields: Any) -> PushCounts:
        """Push only what is given of a quiz."""
        pushed = read_quiz(msgspec.json.encode({"quiz": fields}))
        with self.database.transaction() as session:
            return apply_quiz(session, course_id, quiz_id, pushed).counts

    def put_attempts(self, *attempts: Json, quiz_id: int = QUIZ_ID, course_id: int = COURSE_ID) -> PushCounts:
        """Push attempts as one JSON document."""
        body = msgspec.json.encode({"quiz_submissions": attempts})
        with self.database.transaction() as session:
            return apply_attempts(session, course_id, quiz_id, read_document(body))

    def put_lines(self, attempts: Iterable[Json], issues: Issues | None = None) -> PushCounts:
        """Push attempts as NDJSON."""
        with self.database.transaction() as session:
            batches = read_lines(ndjson_lines(attempts), MEGABYTE, issues)
            return apply_attempts(session, COURSE_ID, QUIZ_ID, batches)

    def set_up(self) -> None:
        """Push the course and the quiz."""
        self.put_course()
        self.put_quiz()

    def put_attempts_of_every_kind(self) -> None:
        """Push attempts in every state: of two students, a teacher, a former student, a logged-out taker."""
        self.patch_course(
            users=[{"id": user_id, "name": f"User {user_id}"} for user_id in (7, 8, 9, 10)],
            enrollments=[
                enrollment(7, 31),
                enrollment(8, 32),
                enrollment(9, 31, "TeacherEnrollment"),
                {**enrollment(10, 31), "enrollment_state": "deleted"},
            ],
        )

        def on(day: int, submission_id: int, number: int = 1, **changes: Any) -> Json:
            return attempt(submission_id, number, updated_at=f"2026-09-{day:02}T00:00:00Z", **changes)

        self.put_attempts(
            on(1, 501, 1),
            on(4, 501, 2),
            on(9, 501, 3, workflow_state="untaken"),
            on(3, 502, user_id=8, workflow_state="pending_review"),
            on(9, 503, user_id=8, was_preview=True),
            on(9, 504, user_id=8, workflow_state="preview"),
            on(9, 505, user_id=9),
            on(9, 506, user_id=10),
            on(8, 507, user_id=None, temporary_user_code="a code"),
            on(9, 508, user_id=None, temporary_user_code="a code"),
        )

    def payload(self) -> Json:
        """Read the payload of the only stored attempt."""
        pushed: Json = msgspec.json.decode(
            decompressed(*self.rows("SELECT payload, payload_bytes FROM attempt_payloads")[0])
        )
        return pushed

    def stored(self) -> dict[str, list[str]]:
        """Return all that is stored, to be compared with what is stored later."""
        tables = (
            "courses", "sections", "users", "course_users", "enrollments", "quizzes", "question_versions",
            "question_sets", "attempts", "attempt_payloads",
        )  # fmt: skip
        return {table: sorted(map(repr, self.rows(f"SELECT * FROM {table}"))) for table in tables}


@dataclass(frozen=True)
class ApiLms(_Pushing):
    """An LMS with two courses of the same students, each with a quiz; it pushes as an administrator."""

    app: Flask
    token: str

    def put(self, path: str, body: Json, token: str | None = None) -> TestResponse:
        """Push a JSON document to a path below the courses."""
        return self.app.test_client().put(
            f"/api/v1/courses/{path}", json=body, headers={"Authorization": f"Bearer {token or self.token}"}
        )

    def put_course(self, which: int, token: str | None = None, **fields: Any) -> TestResponse:
        """Push fields of the first course (0) or the second (1)."""
        return self.put(f"{COURSES[which]}", {"course": {"name": f"Course {which}", **fields}}, token)

    def put_quiz(self, which: int, **changes: Any) -> TestResponse:
        """Push the quiz of the first course (0) or the second (1)."""
        return self.put(f"{COURSES[which]}/quizzes/{QUIZZES[which]}", {"quiz": quiz(**changes)})

    def put_attempts(self, which: int, attempts: Sequence[Json]) -> TestResponse:
        """Push attempts at a quiz as one JSON document."""
        return self.put(self._submissions(which), {"quiz_submissions": attempts})

    def put_lines(self, which: int, attempts: Sequence[Json]) -> TestResponse:
        """Push attempts at a quiz as lines."""
        return self.app.test_client().put(
            f"/api/v1/courses/{self._submissions(which)}",
            data=b"".join(ndjson_lines(attempts)),
            content_type="application/x-ndjson",
            headers={"Authorization": f"Bearer {self.token}"},
        )

    def set_up(self) -> None:
        """Push both courses with their quizzes."""
        for which in (0, 1):
            section_id = 31 + which
            assert self.put_course(which, **roster(section_id, STUDENT, OTHER_STUDENT)).status_code == 200
            assert self.put_quiz(which).status_code == 200

    def revisions(self) -> list[int]:
        """Return the revisions of both quizzes."""
        return [revision for (revision,) in self.rows("SELECT revision FROM quizzes ORDER BY id")]

    def roster_revisions(self) -> list[int]:
        """Return the roster revisions of both courses."""
        return [revision for (revision,) in self.rows("SELECT roster_revision FROM courses ORDER BY id")]

    def _submissions(self, which: int) -> str:
        return f"{COURSES[which]}/quizzes/{QUIZZES[which]}/submissions"


def make_api_lms(app: Flask) -> ApiLms:
    """Serve the API to an LMS that has pushed nothing yet."""
    database = Services.of(app).database
    with database.transaction() as session:
        return ApiLms(database, app, create_token(session, user_id=1, admin=True))
