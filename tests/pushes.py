"""What these tests push: a course of two students, a quiz of two questions, and their attempts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from models.db.session import Database
from models.ingestion.attempts import apply_attempts
from models.ingestion.counts import PushCounts
from models.ingestion.courses import apply_course
from models.ingestion.quizzes import apply_quiz
from models.payloads.attempts import read_document, read_lines
from models.payloads.courses import read_course
from models.payloads.quizzes import read_quiz

COURSE_ID, QUIZ_ID = 101, 201
FIRST_QUESTION, SECOND_QUESTION = 4000001, 4000002
MEGABYTE = 2**20


def course(**changes: Any) -> dict[str, Any]:
    """A course as the LMS sends it."""
    return {
        "name": "Biology 101",
        "course_code": "BIO101",
        "sis_course_id": "2026-BIO-101",
        "sections": [
            {"id": 31, "name": "Section A", "sis_section_id": "BIO-A"},
            {"id": 32, "name": "Section B"},
        ],
        "users": [{"id": 7, "name": "Ann Lee", "sis_user_id": "s0007"}, {"id": 8, "name": "Bo Ek"}],
        "enrollments": [
            {"user_id": 7, "section_id": 31, "type": "StudentEnrollment", "enrollment_state": "active"},
            {"user_id": 8, "section_id": 32, "type": "StudentEnrollment", "enrollment_state": "active"},
        ],
        **changes,
    }


def question(question_id: int, **changes: Any) -> dict[str, Any]:
    """A multiple choice question with three answers, whose ids begin with those of the question."""
    return {
        "id": question_id,
        "question_type": "multiple_choice_question",
        "question_text": f"<p>Question {question_id}</p>",
        "points_possible": 1.0,
        "answers": [
            {"id": question_id * 10 + n, "text": f"Answer {n}", "weight": 100 if n == 1 else 0}
            for n in (1, 2, 3)
        ],
        **changes,
    }


def quiz(**changes: Any) -> dict[str, Any]:
    """A quiz as the LMS sends it."""
    return {
        "title": "Cells",
        "quiz_type": "assignment",
        "assignment_id": 900,
        "questions": [question(FIRST_QUESTION), question(SECOND_QUESTION)],
        **changes,
    }


def entry(question_id: int, choice: int = 1, **changes: Any) -> dict[str, Any]:
    """A student's answer to a multiple choice question."""
    return {
        "question_id": question_id,
        "correct": choice == 1,
        "points": float(choice == 1),
        "answer_id": question_id * 10 + choice,
        "text": str(question_id * 10 + choice),
        **changes,
    }


def attempt(submission_id: int = 501, **changes: Any) -> dict[str, Any]:
    """An attempt at the quiz."""
    return {
        "id": submission_id,
        "user_id": 7,
        "attempt": 1,
        "workflow_state": "complete",
        "score": 1.0,
        "started_at": "2026-09-10T09:00:00Z",
        "finished_at": "2026-09-10T09:12:31Z",
        "updated_at": "2026-09-10T09:12:31Z",
        "submission_data": [entry(FIRST_QUESTION), entry(SECOND_QUESTION, 2)],
        **changes,
    }


class Lms:
    """Pushes as the API does, each request in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database

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

    def put_attempts(
        self, *attempts: dict[str, Any], quiz_id: int = QUIZ_ID, course_id: int = COURSE_ID
    ) -> PushCounts:
        """Push attempts as one JSON document."""
        body = msgspec.json.encode({"quiz_submissions": attempts})
        with self.database.transaction() as session:
            return apply_attempts(session, course_id, quiz_id, read_document(body))

    def put_lines(self, attempts: Iterable[dict[str, Any]]) -> PushCounts:
        """Push attempts as NDJSON."""
        lines = (msgspec.json.encode(attempt) + b"\n" for attempt in attempts)
        with self.database.transaction() as session:
            return apply_attempts(session, COURSE_ID, QUIZ_ID, read_lines(lines, MEGABYTE))

    def set_up(self) -> None:
        """Push the course and the quiz."""
        self.put_course()
        self.put_quiz()

    def rows(self, sql: str) -> list[Any]:
        """Return what a query finds."""
        with self.database.transaction() as session:
            return list(session.connection().exec_driver_sql(sql).fetchall())

    def value(self, sql: str) -> Any:
        """Return the one value that a query finds."""
        return self.rows(sql)[0][0]

    def stored(self) -> dict[str, list[Any]]:
        """Return all that is stored, to be compared with what is stored later."""
        tables = (
            "courses", "sections", "users", "course_users", "enrollments", "quizzes", "question_versions",
            "question_sets", "attempts", "attempt_payloads",
        )  # fmt: skip
        return {table: sorted(map(repr, self.rows(f"SELECT * FROM {table}"))) for table in tables}


def many(count: int, first: int = 1000) -> Iterator[dict[str, Any]]:
    """Give attempts with ids from `first` up, all Ann's."""
    for number in range(count):
        yield attempt(first + number)
