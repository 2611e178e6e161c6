"""Questions as they are stored: normalised, and distinguished by content."""

from __future__ import annotations

import hashlib
from typing import Final

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
            text=str(pushed.text or ""),
            html=str(pushed.html or ""),
            weight=pushed.weight or 0.0,
            blank_id=str(pushed.blank_id),
            match_id=None if pushed.match_id is None else int(pushed.match_id),
            left=str(pushed.left or ""),
            right=str(pushed.right or ""),
            variables=tuple(Variable(str(v.name), str(v.value)) for v in pushed.variables or ()),
            exact=pushed.exact,
            margin=pushed.margin,
            start=pushed.start,
            end=pushed.end,
        )

    @property
    def label(self) -> str:
        """The answer in plain text: its text, or its html if the text is blank."""
        text = plain_text(self.text)
        return text if text.strip() else plain_text(self.html)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The least and the greatest number that are right; None if the answer names no numbers."""
        if self.start is not None and self.end is not None:
            return self.start, self.end
        if self.exact is not None:
            margin = self.margin or 0.0
            return self.exact - margin, self.exact + margin
        return None


class Question(msgspec.Struct, frozen=True, omit_defaults=True, weakref=True):
    """A question of a quiz or of an attempt; answers and matches are in the order in which they are shown.

    A question with a `quiz_group_id` is drawn: not every attempt at the quiz has it.
    """

    id: int
    question_type: QuestionType
    question_text: str = ""
    points_possible: float = 0.0
    position: int | None = None
    quiz_group_id: int | None = None
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
            quiz_group_id=None if pushed.quiz_group_id is None else int(pushed.quiz_group_id),
            answers=tuple(Answer.of(answer) for answer in pushed.answers or ()),
            matches=tuple(Match(int(match.match_id), str(match.text)) for match in pushed.matches or ()),
        )

    @property
    def blanks(self) -> list[str]:
        """Name the blanks in the order in which they first appear in the answers."""
        return list(dict.fromkeys(answer.blank_id for answer in self.answers))


# A response to one of these is shown in the order of the answers, or begins with the first one's variables.
_SHOWN_IN_ORDER: Final = frozenset(
    {
        QuestionType.MULTIPLE_ANSWERS,
        QuestionType.MATCHING,
        QuestionType.FILL_IN_BLANKS,
        QuestionType.DROPDOWNS,
        QuestionType.CALCULATED,
    }
)


def digest(question: Question) -> bytes:
    """Return 32 bytes that are the same for the same wording.

    The question's position in the quiz is left out, and so is the order of its answers where no response
    shows it.
    """
    answers = question.answers
    if question.question_type not in _SHOWN_IN_ORDER:
        answers = _by_id(answers)
    question = msgspec.structs.replace(
        question,
        answers=answers,
        matches=tuple(sorted(question.matches, key=lambda match: match.match_id)),
        position=None,
    )
    return hashlib.sha256(msgspec.json.encode(question)).digest()


def unshuffled(question: Question, present: Question | None) -> Question:
    """Return a question of an attempt with its answers in the order of the quiz's `present` question.

    Choices are shuffled for each attempt. All attempts then show them in one order, which does not depend on
    the order in which attempts are pushed. Answers that the quiz does not have follow; if it lacks the
    question, choices are in the order of their ids.
    """
    question_type = question.question_type
    if present is None:
        if question_type.is_choice:
            return msgspec.structs.replace(question, answers=_by_id(question.answers))
        return question
    if not question_type.is_choice and question_type is not QuestionType.MULTIPLE_ANSWERS:
        return question
    rank = {answer.id: index for index, answer in enumerate(present.answers)}
    answers = sorted(_by_id(question.answers), key=lambda answer: rank.get(answer.id, len(rank)))
    return msgspec.structs.replace(question, answers=tuple(answers))


def _by_id(answers: tuple[Answer, ...]) -> tuple[Answer, ...]:
    return tuple(sorted(answers, key=lambda answer: answer.id))
