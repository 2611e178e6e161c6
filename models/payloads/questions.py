"""Questions as the LMS pushes them, in a quiz or with an attempt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Final

import msgspec

from models.errors import ValidationIssue
from models.lms.quizzes import QuestionType
from models.payloads.json_values import Id, Text, at, convert_leaf, find_issues

_GROUP: Final = "quiz_group"
_ANSWERED_BY_ID: Final = frozenset(
    {
        QuestionType.MULTIPLE_CHOICE,
        QuestionType.TRUE_FALSE,
        QuestionType.MULTIPLE_ANSWERS,
        QuestionType.DROPDOWNS,
        QuestionType.MATCHING,
    }
)
_WITH_BLANKS: Final = frozenset({QuestionType.FILL_IN_BLANKS, QuestionType.DROPDOWNS})


class PushedVariable(msgspec.Struct):
    """A variable of a calculated question."""

    name: Text
    value: Text = Text()


class PushedMatch(msgspec.Struct):
    """The right side of a matching question."""

    match_id: Id
    text: Text = Text()


class PushedAnswer(msgspec.Struct):
    """A possible answer to a question."""

    id: Id | None = None
    text: Text = Text()
    html: Text = Text()
    weight: float | None = None
    blank_id: Text = Text()
    match_id: Id | None = None
    left: Text = Text()
    right: Text = Text()
    variables: list[PushedVariable] | None = None


class PushedQuestion(msgspec.Struct):
    """A question of a quiz."""

    id: Id
    question_type: QuestionType
    question_text: Text = Text()
    points_possible: float | None = None
    position: Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)] | None = None
    answers: list[PushedAnswer] | None = None
    matches: list[PushedMatch] | None = None


def read_questions(entries: Sequence[Any], path: str) -> tuple[list[PushedQuestion], list[ValidationIssue]]:
    """Read the decoded list of a quiz's questions, without its groups; return the issues as well."""
    read = [read_question(entry, at(path, index)) for index, entry in enumerate(entries)]
    issues = [issue for _, found in read for issue in found]
    issues += find_repeated(
        (at(path, index), question.id) for index, (question, _) in enumerate(read) if question
    )
    return [question for question, _ in read if question], issues


def read_question(entry: Any, path: str) -> tuple[PushedQuestion | None, list[ValidationIssue]]:
    """Read one decoded entry of a quiz's list; a question group gives neither a question nor an issue."""
    if isinstance(entry, dict) and entry.get("entry_type") == _GROUP:
        return None, []
    try:
        question = msgspec.convert(entry, PushedQuestion, dec_hook=convert_leaf)
    except msgspec.ValidationError:
        return None, list(find_issues(entry, PushedQuestion, path))
    return question, list(_check(question, path))


def find_repeated(questions: Iterable[tuple[str, int]]) -> Iterator[ValidationIssue]:
    """Find questions, given as path and id, that have the id of an earlier one."""
    seen: set[int] = set()
    for path, question_id in questions:
        if question_id in seen:
            yield ValidationIssue(at(path, "id"), "is also the id of an earlier question")
        seen.add(question_id)


def _check(question: PushedQuestion, path: str) -> Iterator[ValidationIssue]:
    seen: set[int] = set()
    for index, answer in enumerate(question.answers or ()):
        answer_path = at(at(path, "answers"), index)
        if question.question_type in _WITH_BLANKS and not answer.blank_id:
            yield ValidationIssue(at(answer_path, "blank_id"), "is missing")
        if question.question_type not in _ANSWERED_BY_ID:
            continue
        if answer.id is None:
            yield ValidationIssue(at(answer_path, "id"), "is missing")
        elif answer.id in seen:
            yield ValidationIssue(at(answer_path, "id"), "is also the id of an earlier answer")
        else:
            seen.add(answer.id)
