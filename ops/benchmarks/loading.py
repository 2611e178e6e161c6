"""The loader that writes synthetic courses and attempts into the tables by COPY, as if they were pushed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from adbc_driver_postgresql import dbapi
from sqlalchemy import insert, text

from models.content.cell_text import TEXT_VERSION
from models.content.questions import Question
from models.content.responses import ResponseParser
from models.db.session import Database
from models.lms import courses
from models.lms.attempts import Attempt, AttemptState
from models.lms.courses import CourseUser, Enrollment, EnrollmentState, EnrollmentType, Section, User
from models.lms.quizzes import QuestionSet, QuestionVersion, Quiz, QuizType, ScoringPolicy
from models.payloads.entries import PushedEntry
from models.payloads.questions import PushedQuestion, read_entry
from ops.benchmarks.population import BLOCK, Block, Course, Population

# Only a push compares digests; it then takes the row for changed.
_NO_DIGEST = b""


class Loader:
    """Loads courses and quizzes into one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, population: Population) -> None:
        """Load a quiz with its attempts into a course that was loaded before."""
        question_set_id = self.load_quiz(population)
        responses = Responses(population)
        with self._copying() as connection:
            for block in population.blocks():
                _copy(connection, Attempt, responses.rows(block, question_set_id))

    def load_course(self, course: Course) -> None:
        """Load a course, its sections and its students."""
        with self._database.transaction() as session:
            session.add(
                courses.Course(id=course.id, name=f"Biology {course.id}", sis_course_id=f"BIO-{course.id}")
            )
            session.flush()
            sections = [course.section(number) for number in range(course.sections)]
            session.execute(insert(Section), [{**section, "course_id": course.id} for section in sections])
        with self._copying() as connection:
            for start in range(0, course.students, BLOCK):
                students = range(start, min(start + BLOCK, course.students))
                for table, rows in _roster(course, students):
                    _copy(connection, table, rows)

    def settle(self) -> None:
        """Vacuum and analyze now, which PostgreSQL would otherwise do during a measurement."""
        with self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("VACUUM (ANALYZE)"))
            connection.execute(text("RESET statement_timeout"))

    def load_quiz(self, population: Population) -> int:
        """Load a quiz without attempts; return its question set's id."""
        definition = population.definition()
        quiz = Quiz(
            id=population.quiz_id,
            course_id=population.course.id,
            title=definition["title"],
            quiz_type=QuizType.ASSIGNMENT,
            scoring_policy=ScoringPolicy.HIGHEST,
            revision=1,
            response_count=population.attempts * len(population.items),
        )
        versions = [
            QuestionVersion(quiz_id=quiz.id, question_id=question["id"], digest=_NO_DIGEST, content=question)
            for question in definition["questions"]
        ]
        with self._database.transaction() as session:
            session.add(quiz)
            session.flush()
            session.add_all(versions)
            session.flush()
            question_set = QuestionSet(
                quiz_id=quiz.id, digest=_NO_DIGEST, question_version_ids=[v.id for v in versions]
            )
            session.add(question_set)
            session.flush()
            quiz.question_set_id = question_set.id
        return question_set.id

    @contextlib.contextmanager
    def _copying(self) -> Iterator[Any]:
        with dbapi.connect(self._database.url) as connection:
            yield connection
            connection.commit()


class Responses:
    """The response columns of a population's attempts, gathered from one value per distinct response."""

    def __init__(self, population: Population) -> None:
        responses = [response for item in population.items for response in item.responses]
        sizes = np.array([len(item.responses) for item in population.items])
        self._population = population
        self._offsets = np.cumsum(sizes) - sizes
        self._answer_ids = pa.array([response.answer_id for response in responses], pa.int64())
        self._texts = pa.array([response.text for response in responses], pa.string())
        self._points = pa.array([response.points for response in responses], pa.float64())
        self._sizes = np.array([16 + len((response.text or "").encode()) for response in responses])
        self._selections, self._outcomes = _selected(population)
        self._correct = np.array([response.counts_as_correct for response in responses])

    def rows(self, block: Block, question_set_id: int) -> pa.Table:
        """Return a block of attempts as rows of the table."""
        population, size = self._population, len(block.number)
        chosen = block.codes + self._offsets
        n_correct = self._correct[chosen].sum(axis=1)
        finished_at = block.updated_at - np.timedelta64(1, "s")
        return pa.table(
            {
                "quiz_id": _repeated(population.quiz_id, size),
                "submission_id": population.first_submission_id + block.student,
                "attempt": pa.array(block.attempt, pa.int32()),
                "user_id": population.course.user_id(0) + block.student,
                "workflow_state": pa.repeat(AttemptState.COMPLETE.value, size),
                "was_preview": pa.repeat(False, size),
                "score": block.scores,
                "started_at": _times(finished_at - np.timedelta64(30, "m")),
                "finished_at": _times(finished_at),
                "updated_at": _times(block.updated_at),
                "has_data": pa.repeat(True, size),
                "n_correct": pa.array(n_correct, pa.int32()),
                "n_incorrect": pa.array(chosen.shape[1] - n_correct, pa.int32()),
                "question_set_id": _repeated(question_set_id, size),
                "quiz_question_set_id": _repeated(question_set_id, size),
                "answer_ids": _lists(self._answer_ids, chosen),
                "texts": _lists(self._texts, chosen),
                "points": _lists(self._points, chosen),
                "outcomes": pa.array(_joined(self._outcomes[chosen]), pa.string()),
                "selections": _lists(self._selections, chosen),
                "response_bytes": pa.array(self._sizes[chosen].sum(axis=1), pa.int32()),
                "text_version": pa.repeat(pa.scalar(TEXT_VERSION, pa.int32()), size),
                "digest": pa.repeat(_NO_DIGEST, size),
            }
        )


def _selected(population: Population) -> tuple[pa.Array, npt.NDArray[np.bytes_]]:
    """Return the selection and the outcome of each distinct response."""
    selections: list[str | None] = []
    outcomes: list[str] = []
    for item in population.items:
        question, refused = read_entry(msgspec.json.encode(item.question), "")
        if not isinstance(question, PushedQuestion):
            raise ValueError(f"an invalid question: {refused}")
        parser = ResponseParser([Question.of(question)])
        for response in item.responses:
            read, issues = parser.read([PushedEntry(response.entry)], {}, "")
            if issues:
                raise ValueError(f"an invalid response: {issues[0]}")
            selections += read.selections
            outcomes += read.outcomes
    return pa.array(selections, pa.string()), np.array(outcomes, dtype="S1")


def _joined(letters: npt.NDArray[np.bytes_]) -> list[str]:
    """Return the letters of each row as one text."""
    return [row.tobytes().decode() for row in letters]


def _roster(course: Course, students: range) -> Iterator[tuple[Any, pa.Table]]:
    users = [course.user(student) for student in students]
    yield (
        User,
        pa.Table.from_pylist(
            users, pa.schema({"id": pa.int64(), "name": pa.string(), "sis_user_id": pa.string()})
        ),
    )
    ids = pa.array([user["id"] for user in users], pa.int64())
    yield CourseUser, pa.table({"course_id": _repeated(course.id, len(ids)), "user_id": ids})
    enrolled = [
        (course.section(number)["id"], course.user_id(s))
        for s in students
        for number in course.sections_of(s)
    ]
    yield (
        Enrollment,
        pa.table(
            {
                "section_id": pa.array([section_id for section_id, _ in enrolled], pa.int64()),
                "user_id": pa.array([user_id for _, user_id in enrolled], pa.int64()),
                "type": pa.repeat(EnrollmentType.STUDENT.value, len(enrolled)),
                "enrollment_state": pa.repeat(EnrollmentState.ACTIVE.value, len(enrolled)),
                "course_id": _repeated(course.id, len(enrolled)),
            }
        ),
    )


def _copy(connection: Any, table: Any, rows: pa.Table) -> None:
    with connection.cursor() as cursor:
        cursor.adbc_ingest(table.__tablename__, rows, mode="append")


def _repeated(number: int, size: int) -> pa.Array:
    return pa.repeat(pa.scalar(number, pa.int64()), size)


def _times(moments: Any) -> pa.Array:
    return pa.array(moments).cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))


def _lists(responses: pa.Array, chosen: Any) -> pa.Array:
    """Return the list of responses for each row of indices."""
    rows, width = chosen.shape
    starts = pa.array(np.arange(rows + 1) * width, pa.int32())
    return pa.ListArray.from_arrays(starts, responses.take(pa.array(chosen.ravel())))
