"""A quiz comes in: what it is like and which questions it has, all of a request or nothing."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models.content.questions import Question, read_questions
from models.db.bulk import lock, run
from models.errors import InvalidInputError, NotFoundError, ValidationIssue
from models.ingestion.attempts import lock_name
from models.ingestion.counts import Counts, Tally
from models.ingestion.question_sets import QuestionSets, WantedQuestionSet
from models.lms.quizzes import QuizType, ScoringPolicy
from models.payloads.json_values import Id, Timestamp, decode_document, is_valid_time

_COLUMNS: Final = (
    "title",
    "quiz_type",
    "anonymous_submissions",
    "published_at",
    "scoring_policy",
    "points_possible",
    "assignment_id",
)
_REQUIRED: Final = ("title", "quiz_type")
_DEFAULTS: Final[dict[str, Any]] = {
    "anonymous_submissions": False,
    "published_at": None,
    "scoring_policy": ScoringPolicy.HIGHEST.value,
    "points_possible": None,
    "assignment_id": None,
}
_ASSIGNMENT_CONSTRAINT: Final = "uq_quizzes_course_id_assignment_id"
_TAKEN: Final = ValidationIssue("quiz.assignment_id", "is that of another quiz of the course")


@dataclass(frozen=True)
class QuizPush:
    """What is given of a quiz: its columns, and its questions in their order; what is left out stays."""

    columns: dict[str, Any]
    questions: Sequence[Question] | None


class PushedQuiz(msgspec.Struct):
    """A quiz as it comes; what is left out stays as it is."""

    title: str | UnsetType = UNSET
    quiz_type: QuizType | UnsetType = UNSET
    anonymous_submissions: bool | UnsetType | None = UNSET
    published_at: Timestamp | UnsetType | None = UNSET
    scoring_policy: ScoringPolicy | UnsetType | None = UNSET
    points_possible: float | UnsetType | None = UNSET
    assignment_id: Id | UnsetType | None = UNSET
    questions: list[Any] | UnsetType = UNSET


class _Document(msgspec.Struct):
    quiz: PushedQuiz


def read_quiz(body: bytes) -> QuizPush:
    """Read `{"quiz": {...}}`; raise InvalidInputError with what is wrong."""
    quiz = decode_document(body, _Document).quiz
    issues = []
    if isinstance(quiz.published_at, datetime.datetime) and not is_valid_time(quiz.published_at):
        issues.append(ValidationIssue("quiz.published_at", "is a time at which no quiz was published"))
    questions = None
    if quiz.questions is not UNSET:
        questions, found = read_questions(quiz.questions, "quiz.questions")
        issues += found
    if issues:
        raise InvalidInputError(issues)
    columns = {name: _stored(name, getattr(quiz, name)) for name in _COLUMNS}
    return QuizPush({name: value for name, value in columns.items() if value is not UNSET}, questions)


def _stored(name: str, value: Any) -> Any:
    if value is None:
        return _DEFAULTS[name]
    if isinstance(value, (QuizType, ScoringPolicy)):
        return value.value
    return int(value) if isinstance(value, Id) else value


def push_quiz(session: Session, course_id: int, quiz_id: int, quiz: QuizPush) -> Counts:
    """Store a quiz, and its questions where they are given; what is left out stays as it is.

    The revision rises if anything changed, be it the order of questions or of their answers. Raises
    NotFoundError if there is no such course, and InvalidInputError; the transaction must then be rolled back.
    """
    # Whoever pushes many attempts holds it, too, so versions of questions are added by one at a time.
    lock(session, lock_name(quiz_id))
    if not run(session, "SELECT id FROM courses WHERE id = %(course_id)s", course_id=course_id):
        raise NotFoundError
    try:
        return _QuizPush(session, course_id, quiz_id).take(quiz)
    except IntegrityError as error:
        if _ASSIGNMENT_CONSTRAINT not in str(error.orig):
            raise
        # Somebody gave it to another quiz just now.
        raise InvalidInputError([_TAKEN]) from None


class _QuizPush:
    """One request."""

    def __init__(self, session: Session, course_id: int, quiz_id: int) -> None:
        self._session = session
        self._course_id = course_id
        self._id = quiz_id
        self._tally = Tally()

    def take(self, pushed: QuizPush) -> Counts:
        stored = self._find()
        before = {**_DEFAULTS, **stored}
        columns = {**before, **pushed.columns}
        self._require_valid(columns)
        if not stored:
            self._run(_ADD, **columns)
        if pushed.questions is not None or not stored:
            columns["question_set_id"] = self._put_questions(
                stored.get("question_set_id"), pushed.questions or ()
            )
        self._count_quiz(stored, columns)
        if not self._tally.is_change:
            return self._tally.at_revision(self._run(_REVISION)[0].revision)
        return self._tally.at_revision(self._run(_CHANGE, **columns)[0].revision)

    def _run(self, sql: str, **columns: Any) -> Sequence[Any]:
        return run(self._session, sql, quiz_id=self._id, course_id=self._course_id, **columns)

    def _find(self) -> dict[str, Any]:
        rows = self._run(_QUIZ)
        if rows and rows[0].of_course != self._course_id:
            raise InvalidInputError([ValidationIssue("quiz", f"{self._id} is a quiz of another course")])
        return {name: getattr(rows[0], name) for name in (*_COLUMNS, "question_set_id")} if rows else {}

    def _require_valid(self, columns: dict[str, Any]) -> None:
        issues = [ValidationIssue(f"quiz.{name}", "is missing") for name in _REQUIRED if name not in columns]
        if columns["assignment_id"] is not None and self._run(
            _OTHERS, assignment_id=columns["assignment_id"]
        ):
            issues.append(_TAKEN)
        if issues:
            raise InvalidInputError(issues)

    def _put_questions(self, old_question_set_id: int | None, questions: Sequence[Question]) -> int:
        question_sets = QuestionSets(self._session, self._id)
        old = dict(question_sets.version_ids(old_question_set_id))
        question_set_id, changed = question_sets.store_present(WantedQuestionSet.of(questions))
        new = dict(question_sets.version_ids(question_set_id))
        kept = new.keys() & old.keys()
        updated = sum(new[question] != old[question] or new[question] in changed for question in kept)
        self._tally.created += len(new.keys() - kept)
        self._tally.updated += updated
        self._tally.unchanged += len(kept) - updated
        self._tally.deleted += len(old.keys() - kept)
        return question_set_id

    def _count_quiz(self, stored: dict[str, Any], columns: dict[str, Any]) -> None:
        if not stored:
            self._tally.created += 1
            return
        is_edited = any(columns[name] != stored[name] for name in _COLUMNS)
        # No question changed, and still it is another question set: they stand in another order.
        is_reordered = columns["question_set_id"] != stored["question_set_id"] and not self._tally.is_change
        if is_edited or is_reordered:
            self._tally.updated += 1
        else:
            self._tally.unchanged += 1


_QUIZ: Final = """
    SELECT course_id AS of_course, title, quiz_type, anonymous_submissions, published_at, scoring_policy,
           points_possible, assignment_id, question_set_id
    FROM quizzes WHERE id = %(quiz_id)s"""

_OTHERS: Final = """
    SELECT id FROM quizzes
    WHERE course_id = %(course_id)s AND assignment_id = %(assignment_id)s AND id <> %(quiz_id)s"""

_ADD: Final = """
    INSERT INTO quizzes (id, course_id, title, quiz_type, anonymous_submissions, published_at, scoring_policy,
                         points_possible, assignment_id, revision, response_count)
    VALUES (%(quiz_id)s, %(course_id)s, %(title)s, %(quiz_type)s, %(anonymous_submissions)s,
            %(published_at)s, %(scoring_policy)s, %(points_possible)s, %(assignment_id)s, 0, 0)"""

_CHANGE: Final = """
    UPDATE quizzes SET
        title = %(title)s, quiz_type = %(quiz_type)s, anonymous_submissions = %(anonymous_submissions)s,
        published_at = %(published_at)s, scoring_policy = %(scoring_policy)s, points_possible =
        %(points_possible)s, assignment_id = %(assignment_id)s, question_set_id = %(question_set_id)s,
        revision = revision + 1
    WHERE id = %(quiz_id)s
    RETURNING revision"""

_REVISION: Final = "SELECT revision FROM quizzes WHERE id = %(quiz_id)s"
