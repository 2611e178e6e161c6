"""Questions as they are stored: normalised, and distinguished by content."""

from __future__ import annotations

import hashlib

import msgspec

from models.content.html_text import plain_text
from models.lms.quizzes import QuestionType
from models.payloads.questions import PushedAnswer, PushedQuestion


class Variable(msgspec.Struct, frozen=True):
    """A variable of a calculated question and its value as it is shown."""

    name: str
    value: str


class Match(msgspec.Struct, frozen=True):
    """A right side of a matching question; its text is HTML."""

    match_id: int
    text: str


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One possible answer; its texts are HTML. The id is 0 if the question is not answered by ids.

    A number is right within a margin of `exact`, or from `start` to `end`.
    """

    id: int = 0
    text: str = ""
    html: str = ""
    weight: float = 0.0
    blank_id: str = ""
    match_id: int | None = None
    left: str = ""
    right: str = ""
    variables: tuple[Variable, ...] = ()
    exact: float | None = None
    margin: float | None = None
    start: float | None = None
    end: float | None = None

    @classmethod
    def of(cls, pushed: PushedAnswer) -> Answer:
        """Normalise a pushed answer."""
        return cls(
            id=int(pushed.id or 0),
            text=str(pushed.text),
            html=str(pushed.html),
            weight=pushed.weight or 0.0,
            blank_id=str(pushed.blank_id),
            match_id=None if pushed.match_id is None else int(pushed.match_id),
            left=str(pushed.left),
            right=str(pushed.right),
            variables=tuple(Variable(str(v.name), str(v.value)) for v in pushed.variables or ()),
            exact=pushed.exact,
            margin=pushed.margin,
            start=pushed.start,
            end=pushed.end,
        )

    @property
    def label(self) -> str:
        """The answer in plain text: its text, or its html if the text is blank."""
        return plain_text(self.text if self.text.strip() else self.html)


class Question(msgspec.Struct, frozen=True, omit_defaults=True):
    """A question of a quiz or of an attempt; answers and matches are in the order in which they are shown."""

    id: int
    question_type: QuestionType
    question_text: str = ""
    points_possible: float = 0.0
    position: int | None = None
    answers: tuple[Answer, ...] = ()
    matches: tuple[Match, ...] = ()

    @classmethod
    def of(cls, pushed: PushedQuestion) -> Question:
        """Normalise a pushed question."""
        return cls(
            id=int(pushed.id),
            question_type=pushed.question_type,
            question_text=str(pushed.question_text),
            points_possible=pushed.points_possible or 0.0,
            position=pushed.position,
            answers=tuple(Answer.of(answer) for answer in pushed.answers or ()),
            matches=tuple(Match(int(match.match_id), str(match.text)) for match in pushed.matches or ()),
        )

    @property
    def blanks(self) -> list[str]:
        """Name the blanks in the order in which they first appear in the answers."""
        return list(dict.fromkeys(answer.blank_id for answer in self.answers))


def digest(question: Question) -> bytes:
    """Return 32 bytes that are the same for the same wording, in whatever order its answers are shown.

    The question's position in the quiz is left out. The first answer of a calculated question holds the
    variables that were shown, so there the order counts.
    """
    if question.question_type is not QuestionType.CALCULATED:
        question = msgspec.structs.replace(
            question,
            answers=tuple(sorted(question.answers, key=lambda answer: answer.id)),
            matches=tuple(sorted(question.matches, key=lambda match: match.match_id)),
        )
    return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(question, position=None))).digest()
