"""An LMS that pushes through the API: two courses, each with a quiz, and one student in both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from flask import Flask
from sqlalchemy import text
from werkzeug.test import TestResponse

from api.app import create_app
from api.services import Services
from models.access.tokens import create_token
from models.db.session import Database
from models.settings import Settings

Json = dict[str, Any]
COURSES, QUIZZES = (101, 102), (201, 301)
STUDENT, OTHER_STUDENT = 7, 8
QUESTION = 4_000_001


def attempt(submission_id: int, number: int = 1, *, score: float = 1.0, **changes: Any) -> Json:
    """An attempt with one chosen answer."""
    return {
        "id": submission_id,
        "user_id": STUDENT,
        "attempt": number,
        "workflow_state": "complete",
        "score": score,
        "finished_at": "2026-09-10T09:12:31Z",
        "updated_at": "2026-09-10T09:12:31Z",
        "submission_data": [{"question_id": QUESTION, "correct": True, "points": score, "answer_id": 1}],
        **changes,
    }


def roster(section_id: int, *user_ids: int) -> Json:
    """The lists of a course with one section, in which these users are students."""
    return {
        "sections": [{"id": section_id, "name": f"Section {section_id}"}],
        "users": [{"id": user_id, "name": f"Student {user_id}"} for user_id in user_ids],
        "enrollments": [
            {"user_id": user_id, "section_id": section_id, "type": "StudentEnrollment"}
            for user_id in user_ids
        ],
    }


@dataclass(frozen=True)
class Lms:
    """A client that pushes as an administrator."""

    app: Flask
    database: Database
    token: str

    def put(self, path: str, body: Json, token: str | None = None) -> TestResponse:
        """Push a JSON document to a path below the courses."""
        return self.app.test_client().put(
            f"/api/v1/courses/{path}", json=body, headers={"Authorization": f"Bearer {token or self.token}"}
        )

    def put_course(self, which: int, token: str | None = None, **fields: Any) -> TestResponse:
        """Push fields of the first course (0) or the second (1)."""
        return self.put(f"{COURSES[which]}", {"course": {"name": f"Course {which}", **fields}}, token)

    def put_quiz(self, which: int, **fields: Any) -> TestResponse:
        """Push the quiz of the first course (0) or the second (1), with one question."""
        answers = [{"id": 1, "text": "Yes", "weight": 100}, {"id": 2, "text": "No", "weight": 0}]
        question = {
            "id": QUESTION,
            "question_type": "multiple_choice_question",
            "question_text": "Is it?",
            "points_possible": 1.0,
            "answers": answers,
        }
        quiz = {"title": "Cells", "quiz_type": "assignment", "questions": [question], **fields}
        return self.put(f"{COURSES[which]}/quizzes/{QUIZZES[which]}", {"quiz": quiz})

    def put_attempts(self, which: int, attempts: Sequence[Json]) -> TestResponse:
        """Push attempts at a quiz as one JSON document."""
        return self.put(self._submissions(which), {"quiz_submissions": attempts})

    def put_lines(self, which: int, attempts: Sequence[Json]) -> TestResponse:
        """Push attempts at a quiz as lines."""
        return self.app.test_client().put(
            f"/api/v1/courses/{self._submissions(which)}",
            data=b"".join(msgspec.json.encode(attempt) + b"\n" for attempt in attempts),
            content_type="application/x-ndjson",
            headers={"Authorization": f"Bearer {self.token}"},
        )

    def set_up(self) -> None:
        """Push both courses with their quizzes."""
        for which in (0, 1):
            section_id = 31 + which
            assert self.put_course(which, **roster(section_id, STUDENT, OTHER_STUDENT)).status_code == 200
            assert self.put_quiz(which).status_code == 200

    def rows(self, sql: str, **parameters: Any) -> list[Any]:
        """Return what a query finds."""
        with self.database.transaction() as session:
            return [tuple(row) for row in session.execute(text(sql), parameters)]

    def revisions(self) -> list[int]:
        """Return the revisions of both quizzes."""
        return [revision for (revision,) in self.rows("SELECT revision FROM quizzes ORDER BY id")]

    def roster_revisions(self) -> list[int]:
        """Return the roster revisions of both courses."""
        return [revision for (revision,) in self.rows("SELECT roster_revision FROM courses ORDER BY id")]

    def _submissions(self, which: int) -> str:
        return f"{COURSES[which]}/quizzes/{QUIZZES[which]}/submissions"


@contextmanager
def pushing_lms(settings: Settings) -> Iterator[Lms]:
    """Serve the API to an LMS that has pushed nothing yet."""
    app = create_app(settings)
    database = Services.of(app).database
    with database.transaction() as session:
        token = create_token(session, user_id=1, admin=True)
    yield Lms(app, database, token)
    Services.of(app).close()
