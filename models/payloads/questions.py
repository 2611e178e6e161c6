"""Questions as the LMS pushes them, in a quiz or with an attempt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Final

import msgspec

from models.errors import InvalidInputError, ValidationIssue
from models.lms.quizzes import QuestionType
from models.payloads.json_values import UNREADABLE, Id, Number, Text, at, decoder, refusal

MOST_QUESTIONS: Final = 10_000
MOST_ANSWERS: Final = 5_000

_GROUP: Final = b'"quiz_group"'
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
    weight: Number | None = None
    blank_id: Text = Text()
    match_id: Id | None = None
    left: Text = Text()
    right: Text = Text()
    variables: list[PushedVariable] | None = None
    exact: Number | None = None
    margin: Number | None = None
    start: Number | None = None
    end: Number | None = None


class PushedQuestion(msgspec.Struct):
    """A question of a quiz."""

    id: Id
    question_type: QuestionType
    question_text: Text = Text()
    points_possible: Number | None = None
    position: Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)] | None = None
    answers: Annotated[list[PushedAnswer], msgspec.Meta(max_length=MOST_ANSWERS)] | None = None
    matches: list[PushedMatch] | None = None


class _Entry(msgspec.Struct):
    entry_type: msgspec.Raw = msgspec.Raw()


def read_questions(
    entries: Sequence[msgspec.Raw], path: str
) -> tuple[list[PushedQuestion], list[ValidationIssue]]:
    """Read the list of a quiz's questions, without its groups; return the issues as well.

    Reading stops at the twentieth issue.
    """
    if len(entries) > MOST_QUESTIONS:
        return [], [ValidationIssue(path, f"has more than {MOST_QUESTIONS} entries")]
    read: list[tuple[str, PushedQuestion]] = []
    issues: list[ValidationIssue] = []
    for index, entry in enumerate(entries):
        question, found = read_question(entry, at(path, index))
        issues += found
        if question:
            read.append((at(path, index), question))
        if len(issues) >= InvalidInputError.MOST_ISSUES:
            break
    issues += find_repeated((question_path, question.id) for question_path, question in read)
    return [question for _, question in read], issues


def read_question(
    entry: bytes | msgspec.Raw, path: str
) -> tuple[PushedQuestion | None, list[ValidationIssue]]:
    """Read one entry of a quiz's list, which is JSON; a group gives neither a question nor an issue."""
    try:
        if bytes(entry).startswith(b"{") and bytes(_decode_entry(entry).entry_type) == _GROUP:
            return None, []
        question = _decode(entry)
    except UNREADABLE as error:
        return None, list(refusal(bytes(entry), PushedQuestion, path, error).issues)
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


_decode_entry: Final = decoder(_Entry).decode
_decode: Final = decoder(PushedQuestion).decode
