"""A course with quizzes of any size, put into the tables by SQL so that large ones come quickly."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import psycopg

from models.content.cell_text import TEXT_VERSION
from tests import payloads

COURSE_ID = 101


@dataclass(frozen=True)
class Size:
    """How much there is in a quiz."""

    students: int = 20
    questions: int = 4
    essay_characters: int = 40

    @property
    def responses(self) -> int:
        return self.students * (self.questions + 1)


SMALL = Size()


class School:
    """One course whose quizzes are made as tests need them; ids are never used twice."""

    def __init__(self, database_url: str, course_id: int = COURSE_ID) -> None:
        self.course_id = course_id
        self.first_student = course_id * 1_000_000
        self._url = database_url
        self._section_id = course_id
        self._students = 0
        # Ids of several courses in one database stay apart.
        self._last_quiz_id = course_id * 1_000
        with self.connect() as connection:
            connection.execute(
                "INSERT INTO courses (id, name, include_root_accounts, roster_revision)"
                " VALUES (%s, %s, false, 1)",
                [course_id, "Biology"],
            )
            connection.execute(
                "INSERT INTO sections (id, course_id, name) VALUES (%s, %s, 'A')", [course_id, course_id]
            )
            self._add_user(connection, self.first_student - 1, "TeacherEnrollment")

    @property
    def last_quiz_id(self) -> int:
        return self._last_quiz_id

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._url, connect_timeout=10)

    def add_quiz(self, size: Size = SMALL) -> int:
        """Add a quiz with one submitted attempt a student; return its id."""
        return self.add_quizzes(1, size)[0]

    def add_quizzes(self, count: int, size: Size = SMALL) -> list[int]:
        """Add quizzes that are all alike; return their ids."""
        ids = [self._last_quiz_id + 1 + number for number in range(count)]
        self._last_quiz_id = ids[-1]
        with self.connect() as connection:
            self._enroll_students(connection, size.students)
            for quiz_id in ids:
                self._insert_quiz(connection, quiz_id, size)
        return ids

    def submit(self, quiz_id: int, *, count: int = 1) -> int:
        """Let the first students submit once more each, all in one transaction; return the new revision."""
        with self.connect() as connection:
            question_set_id, questions = self._question_set(connection, quiz_id)
            attempt = _one(
                connection, "SELECT coalesce(max(attempt), 0) + 1 FROM attempts WHERE quiz_id = %s", quiz_id
            )
            self._insert_attempts(
                connection, quiz_id, question_set_id, Size(count, questions - 1), attempt=attempt
            )
            return self._raise_revision(connection, quiz_id)

    def pushed_attempt(self, quiz_id: int, student: int, questions: int, *, attempt: int) -> dict[str, Any]:
        """Return a further attempt of a student as the LMS pushes it, with the first option everywhere."""
        return payloads.attempt(
            quiz_id * 10_000_000 + student,
            attempt,
            user_id=self.first_student + student,
            score=float(questions),
            submission_data=[
                payloads.entry(quiz_id * 1000 + number, 0, correct=True, points=1.0)
                for number in range(1, questions + 1)
            ],
        )

    def make_stale(self, quiz_id: int) -> int:
        """Raise a quiz's revision, as a regrade that changes nothing visible would."""
        with self.connect() as connection:
            return self._raise_revision(connection, quiz_id)

    def _add_user(self, connection: psycopg.Connection[Any], user_id: int, kind: str) -> None:
        connection.execute("INSERT INTO users (id, name) VALUES (%s, 'Ann Lee')", [user_id])
        connection.execute(
            "INSERT INTO course_users (course_id, user_id) VALUES (%s, %s)", [self.course_id, user_id]
        )
        connection.execute(
            "INSERT INTO enrollments (section_id, user_id, type, enrollment_state, course_id)"
            " VALUES (%s, %s, %s, 'active', %s)",
            [self._section_id, user_id, kind, self.course_id],
        )

    def _enroll_students(self, connection: psycopg.Connection[Any], count: int) -> None:
        if count <= self._students:
            return
        connection.execute(
            """
            WITH newcomers AS (
                INSERT INTO users (id, name) SELECT id, 'Student ' || id
                FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS id RETURNING id
            ), known AS (
                INSERT INTO course_users (course_id, user_id) SELECT %(course)s, id FROM newcomers
            )
            INSERT INTO enrollments (section_id, user_id, type, enrollment_state, course_id)
            SELECT %(section)s, id, 'StudentEnrollment', 'active', %(course)s FROM newcomers
            """,
            {
                "first": self.first_student + self._students,
                "last": self.first_student + count - 1,
                "course": self.course_id,
                "section": self._section_id,
            },
        )
        # The roster has changed, so every older report is stale: as it is with a real push.
        connection.execute("UPDATE courses SET roster_revision = roster_revision + 1")
        self._students = count

    def _insert_quiz(self, connection: psycopg.Connection[Any], quiz_id: int, size: Size) -> None:
        connection.execute(
            "INSERT INTO quizzes (id, course_id, title, quiz_type, anonymous_submissions, scoring_policy,"
            " question_groups, revision, response_count)"
            " VALUES (%s, %s, %s, 'assignment', false, 'keep_highest', '{}', 1, %s)",
            [quiz_id, self.course_id, f"Quiz {quiz_id}", size.responses],
        )
        versions = [
            _one(
                connection,
                "INSERT INTO question_versions (quiz_id, question_id, digest, content)"
                " VALUES (%s, %s, sha256(%s), %s) RETURNING id",
                quiz_id,
                question["id"],
                json.dumps(question).encode(),
                json.dumps(question),
            )
            for question in _questions(quiz_id, size.questions)
        ]
        question_set_id = _one(
            connection,
            "INSERT INTO question_sets (quiz_id, digest, question_version_ids)"
            " VALUES (%s, 'set', %s) RETURNING id",
            quiz_id,
            versions,
        )
        connection.execute(
            "UPDATE quizzes SET question_set_id = %s WHERE id = %s", [question_set_id, quiz_id]
        )
        self._insert_attempts(connection, quiz_id, question_set_id, size, attempt=1)

    def _insert_attempts(
        self,
        connection: psycopg.Connection[Any],
        quiz_id: int,
        question_set_id: int,
        size: Size,
        *,
        attempt: int,
    ) -> None:
        connection.execute(
            """
            INSERT INTO attempts (quiz_id, submission_id, attempt, user_id, workflow_state, was_preview,
                score, started_at, finished_at, updated_at, has_data, n_correct, n_incorrect, question_set_id,
                answer_ids, texts, points, outcomes, selections, response_bytes, text_version, digest)
            SELECT %(quiz)s, %(quiz)s::bigint * 10000000 + n, %(attempt)s, %(first)s::bigint + n, 'complete',
                false, n %% (%(questions)s + 1), now(), now(), now(), true, 1, %(questions)s - 1,
                %(question_set)s,
                (SELECT array_agg(%(quiz)s::bigint * 10000 + q * 10 + (n + q) %% 4 ORDER BY q)
                 FROM generate_series(1, %(questions)s) AS q) || NULL::bigint,
                array_fill(NULL::text, ARRAY[%(questions)s]) || repeat(chr(97 + n %% 26), %(characters)s),
                array_fill(1.0::float8, ARRAY[%(questions)s + 1]), repeat('I', %(questions)s + 1),
                array_fill(NULL::text, ARRAY[%(questions)s + 1]), 16 * (%(questions)s + 1) + %(characters)s,
                %(text_version)s, sha256(%(attempt)s::text::bytea)
            FROM generate_series(0, %(students)s - 1) AS n
            """,
            {
                "quiz": quiz_id,
                "attempt": attempt,
                "first": self.first_student,
                "questions": size.questions,
                "question_set": question_set_id,
                "characters": size.essay_characters,
                "text_version": TEXT_VERSION,
                "students": size.students,
            },
        )

    def _question_set(self, connection: psycopg.Connection[Any], quiz_id: int) -> tuple[int, int]:
        row = connection.execute(
            "SELECT id, cardinality(question_version_ids) FROM question_sets WHERE quiz_id = %s", [quiz_id]
        ).fetchone()
        assert row is not None
        return row[0], row[1]

    def _raise_revision(self, connection: psycopg.Connection[Any], quiz_id: int) -> int:
        return _one(
            connection, "UPDATE quizzes SET revision = revision + 1 WHERE id = %s RETURNING revision", quiz_id
        )


def _questions(quiz_id: int, count: int) -> list[dict[str, Any]]:
    """Make choice questions, and an essay at the end; an answer's id tells its question."""
    first = quiz_id * 1000
    choice = [
        payloads.question(
            first + number,
            position=number,
            question_name=f"Question {number}",
            question_text=f"<p>Which one is number {number}?</p>",
            answers=[
                {
                    "id": quiz_id * 10_000 + number * 10 + option,
                    "text": f"Option {option}",
                    "weight": 100 if option == 0 else 0,
                }
                for option in range(4)
            ],
        )
        for number in range(1, count + 1)
    ]
    essay = payloads.essay(first + count + 1, position=count + 1, question_name="Essay", question_text="Why?")
    return [*choice, essay]


def _one(connection: psycopg.Connection[Any], statement: str, *values: object) -> int:
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return int(row[0])
