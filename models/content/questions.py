"""Questions as the LMS pushes them: read, checked, normalised, told apart by content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Final

import msgspec

from models.content.html_text import plain_text
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


class Variable(msgspec.Struct, frozen=True):
    """A variable of a calculated question and its value as it is shown."""

    name: str
    value: str


class Match(msgspec.Struct, frozen=True):
    """What can be put beside the left side of a matching question; its text is HTML."""

    match_id: int
    text: str


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One possible answer; its texts are HTML. The id is 0 where a question is not answered by ids."""

    id: int = 0
    text: str = ""
    html: str = ""
    weight: float = 0.0
    blank_id: str = ""
    match_id: int | None = None
    left: str = ""
    right: str = ""
    variables: tuple[Variable, ...] = ()

    @property
    def label(self) -> str:
        """What a reader calls this answer: its text as plain text, its html where that is blank."""
        return plain_text(self.text if self.text.strip() else self.html)


class Question(msgspec.Struct, frozen=True, omit_defaults=True):
    """One question as a quiz or an attempt has it; answers and matches stand in the order they are shown."""

    id: int
    question_type: QuestionType
    question_text: str = ""
    points_possible: float = 0.0
    position: int | None = None
    answers: tuple[Answer, ...] = ()
    matches: tuple[Match, ...] = ()

    @property
    def blanks(self) -> list[str]:
        """Name the blanks in the order in which they first appear in the answers."""
        return list(dict.fromkeys(answer.blank_id for answer in self.answers))


def digest(question: Question) -> bytes:
    """Return 32 bytes that are the same for the same wording, however its answers are shuffled.

    Where the question stands in a quiz is not part of it. The first answer of a calculated question holds the
    variables that were shown, so there the order counts.
    """
    if question.question_type is not QuestionType.CALCULATED:
        question = msgspec.structs.replace(
            question,
            answers=tuple(sorted(question.answers, key=lambda answer: answer.id)),
            matches=tuple(sorted(question.matches, key=lambda match: match.match_id)),
        )
    return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(question, position=None))).digest()


def read_questions(entries: Sequence[Any], path: str) -> tuple[list[Question], list[ValidationIssue]]:
    """Read the decoded list of a quiz's questions; groups are skipped.

    Returns the questions that are right, and the problems of the list.
    """
    read = [read_question(entry, at(path, index)) for index, entry in enumerate(entries)]
    issues = [issue for _, found in read for issue in found]
    issues += find_repeated((at(path, i), question) for i, (question, _) in enumerate(read) if question)
    return [question for question, _ in read if question], issues


def read_question(entry: Any, path: str) -> tuple[Question | None, list[ValidationIssue]]:
    """Read one decoded entry of a quiz's list; a group is no question and no problem."""
    if isinstance(entry, dict) and entry.get("entry_type") == _GROUP:
        return None, []
    try:
        pushed = msgspec.convert(entry, PushedQuestion, dec_hook=convert_leaf)
    except msgspec.ValidationError:
        return None, list(find_issues(entry, PushedQuestion, path))
    return _normalise(pushed), list(_check(pushed, path))


def find_repeated(questions: Iterable[tuple[str, Question]]) -> Iterator[ValidationIssue]:
    """Find the places of questions whose id is that of an earlier one."""
    seen: set[int] = set()
    for path, question in questions:
        if question.id in seen:
            yield ValidationIssue(at(path, "id"), "is the id of an earlier question, too")
        seen.add(question.id)


class PushedVariable(msgspec.Struct):
    """A variable of a calculated question, as it comes."""

    name: Text
    value: Text = Text()


class PushedMatch(msgspec.Struct):
    """The right side of a matching question, as it comes."""

    match_id: Id
    text: Text = Text()


class PushedAnswer(msgspec.Struct):
    """A possible answer, as it comes."""

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
    """A question of a quiz, as it comes."""

    id: Id
    question_type: QuestionType
    question_text: Text = Text()
    points_possible: float | None = None
    position: Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)] | None = None
    answers: list[PushedAnswer] | None = None
    matches: list[PushedMatch] | None = None


def _check(question: PushedQuestion, path: str) -> Iterator[ValidationIssue]:
    seen: set[int] = set()
    for index, answer in enumerate(question.answers or ()):
        here = at(at(path, "answers"), index)
        if question.question_type in _WITH_BLANKS and not answer.blank_id:
            yield ValidationIssue(at(here, "blank_id"), "is missing")
        if question.question_type not in _ANSWERED_BY_ID:
            continue
        if answer.id is None:
            yield ValidationIssue(at(here, "id"), "is missing")
        elif answer.id in seen:
            yield ValidationIssue(at(here, "id"), "is the id of an earlier answer, too")
        else:
            seen.add(answer.id)


def _normalise(pushed: PushedQuestion) -> Question:
    return Question(
        id=int(pushed.id),
        question_type=pushed.question_type,
        question_text=str(pushed.question_text),
        points_possible=pushed.points_possible or 0.0,
        position=pushed.position,
        answers=tuple(_normalise_answer(answer) for answer in pushed.answers or ()),
        matches=tuple(Match(int(match.match_id), str(match.text)) for match in pushed.matches or ()),
    )


def _normalise_answer(pushed: PushedAnswer) -> Answer:
    return Answer(
        id=int(pushed.id or 0),
        text=str(pushed.text),
        html=str(pushed.html),
        weight=pushed.weight or 0.0,
        blank_id=str(pushed.blank_id),
        match_id=None if pushed.match_id is None else int(pushed.match_id),
        left=str(pushed.left),
        right=str(pushed.right),
        variables=tuple(Variable(str(v.name), str(v.value)) for v in pushed.variables or ()),
    )
