"""A pushed quiz as values of columns: what is left out stays, and null stands for the default."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from models.errors import InvalidInputError
from models.lms.quizzes import QuizType, ScoringPolicy
from models.payloads.quizzes import DEFAULTS, QuizChanges, read_quiz


def read(**fields: Any) -> QuizChanges:
    return read_quiz(msgspec.json.encode({"quiz": fields}))


def test_only_what_is_given_changes() -> None:
    changes = read(title="Cells", quiz_type="survey", assignment_id="900")

    assert changes.columns == {"title": "Cells", "quiz_type": QuizType.SURVEY, "assignment_id": 900}
    assert type(changes.columns["assignment_id"]) is int
    assert changes.questions is None
    questions = read(questions=[]).questions
    assert questions is not None
    assert questions.entries == {}


def test_null_stands_for_the_default() -> None:
    assert read(**dict.fromkeys(DEFAULTS)).columns == DEFAULTS
    assert DEFAULTS["scoring_policy"] is ScoringPolicy.HIGHEST


def test_every_issue_of_the_quiz_and_its_questions_is_named() -> None:
    with pytest.raises(InvalidInputError) as caught:
        read(published_at="0001-01-01T00:00:00Z", questions=[{"id": 1}, {"question_type": "essay_question"}])

    assert [issue.path for issue in caught.value.issues] == [
        "quiz.published_at",
        "quiz.questions[0].question_type",
        "quiz.questions[1].id",
    ]


@pytest.mark.parametrize("field", ["title", "quiz_type"])
def test_what_a_quiz_must_have_cannot_be_null(field: str) -> None:
    with pytest.raises(InvalidInputError, match=f"quiz.{field}"):
        read(**{field: None})
