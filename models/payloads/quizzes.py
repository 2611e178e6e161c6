"""A quiz as the LMS pushes it: parsed, and checked as far as possible without the database."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from models.errors import InvalidInputError
from models.issues import Issues, RefusedWhole
from models.lms.quizzes import QuizType, ScoringPolicy
from models.payloads.json_values import (
    Id,
    Name,
    Number,
    Timestamp,
    decode,
    decode_document,
    find_invalid_time,
)
from models.payloads.lists import PushedList, read_sources
from models.payloads.questions import PushedGroup, PushedQuestion, read_questions

_LEFT_OUT: Final = msgspec.Raw()

# The values that null stands for; a new quiz has them for fields that are left out.
DEFAULTS: Final[Mapping[str, Any]] = {
    "anonymous_submissions": False,
    "published_at": None,
    "scoring_policy": ScoringPolicy.HIGHEST,
    "points_possible": None,
    "assignment_id": None,
}


class _Lists(msgspec.Struct, kw_only=True):
    questions: msgspec.Raw = _LEFT_OUT


class PushedQuiz(_Lists, kw_only=True):
    """A quiz as JSON; what is left out stays as it is."""

    title: Name | UnsetType = UNSET
    quiz_type: QuizType | UnsetType = UNSET
    anonymous_submissions: bool | UnsetType | None = UNSET
    published_at: Timestamp | UnsetType | None = UNSET
    scoring_policy: ScoringPolicy | UnsetType | None = UNSET
    points_possible: Number | UnsetType | None = UNSET
    assignment_id: Id | UnsetType | None = UNSET


# These fields are columns of the table, with the same names.
COLUMNS: Final = tuple(name for name in PushedQuiz.__struct_fields__ if name != "questions")


@dataclass(frozen=True)
class QuizChanges:
    """What a push changes of a quiz: values by column, None if they are skipped, and its questions.

    `groups` are the groups that questions are drawn from; they are sent together with the questions.
    """

    columns: Mapping[str, Any] | None
    questions: PushedList[PushedQuestion] | None
    groups: Sequence[PushedGroup]
    issues: Issues


class _Document(msgspec.Struct):
    quiz: msgspec.Raw


def read_quiz(body: bytes, issues: Issues | None = None) -> QuizChanges:
    """Read `{"quiz": {...}}`; raise InvalidInputError if the policy of `issues` refuses it."""
    issues = issues or RefusedWhole()
    source = decode_document(body, _Document).quiz
    lists = decode(source, _Lists, "quiz")
    columns: Mapping[str, Any] | None = None
    try:
        columns = _read_columns(source)
    except InvalidInputError as error:
        issues.skip(error.issues)
    sources = read_sources(lists.questions, "quiz.questions", issues)
    questions, groups = (None, []) if sources is None else read_questions(sources, "quiz.questions", issues)
    issues.finish()
    return QuizChanges(columns, questions, groups, issues)


def _read_columns(source: msgspec.Raw) -> Mapping[str, Any]:
    quiz = decode(source, PushedQuiz, "quiz")
    if isinstance(quiz.published_at, datetime.datetime) and (
        found := list(find_invalid_time(quiz.published_at, "quiz.published_at"))
    ):
        raise InvalidInputError(found)
    given = {name: value for name in COLUMNS if (value := getattr(quiz, name)) is not UNSET}
    return {name: _column_value(name, value) for name, value in given.items()}


def _column_value(name: str, value: Any) -> Any:
    if value is None:
        return DEFAULTS[name]
    return int(value) if isinstance(value, Id) else value
