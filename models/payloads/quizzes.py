"""A quiz as the LMS pushes it: parsed, and checked as far as possible without the database."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from models.errors import InvalidInputError, ValidationIssue
from models.lms.quizzes import QuizType, ScoringPolicy
from models.payloads.json_values import Id, Name, Number, Timestamp, decode_document, find_invalid_time
from models.payloads.questions import PushedGroup, PushedQuestion, read_questions

# The values that null stands for; a new quiz has them for fields that are left out.
DEFAULTS: Final[Mapping[str, Any]] = {
    "anonymous_submissions": False,
    "published_at": None,
    "scoring_policy": ScoringPolicy.HIGHEST,
    "points_possible": None,
    "assignment_id": None,
}


class PushedQuiz(msgspec.Struct):
    """A quiz as JSON; what is left out stays as it is."""

    title: Name | UnsetType = UNSET
    quiz_type: QuizType | UnsetType = UNSET
    anonymous_submissions: bool | UnsetType | None = UNSET
    published_at: Timestamp | UnsetType | None = UNSET
    scoring_policy: ScoringPolicy | UnsetType | None = UNSET
    points_possible: Number | UnsetType | None = UNSET
    assignment_id: Id | UnsetType | None = UNSET
    questions: list[msgspec.Raw] | UnsetType = UNSET


# These fields are columns of the table, with the same names.
COLUMNS: Final = tuple(name for name in PushedQuiz.__struct_fields__ if name != "questions")


@dataclass(frozen=True)
class QuizChanges:
    """What a push changes of a quiz: values by column, and the questions in order, None if it sends none.

    `groups` are the groups that questions are drawn from; they are sent together with the questions.
    """

    columns: Mapping[str, Any]
    questions: Sequence[PushedQuestion] | None
    groups: Sequence[PushedGroup] = ()


class _Document(msgspec.Struct):
    quiz: PushedQuiz


def read_quiz(body: bytes) -> QuizChanges:
    """Read `{"quiz": {...}}`; raise InvalidInputError with every issue."""
    quiz = decode_document(body, _Document).quiz
    issues: list[ValidationIssue] = []
    if isinstance(quiz.published_at, datetime.datetime):
        issues += find_invalid_time(quiz.published_at, "quiz.published_at")
    questions: list[PushedQuestion] | None = None
    groups: list[PushedGroup] = []
    if quiz.questions is not UNSET:
        questions, groups, found = read_questions(quiz.questions, "quiz.questions")
        issues += found
    if issues:
        raise InvalidInputError(issues)
    given = {name: value for name in COLUMNS if (value := getattr(quiz, name)) is not UNSET}
    columns = {name: _column_value(name, value) for name, value in given.items()}
    return QuizChanges(columns, questions, groups)


def _column_value(name: str, value: Any) -> Any:
    if value is None:
        return DEFAULTS[name]
    return int(value) if isinstance(value, Id) else value
