"""The questions of a quiz as its statistics see them."""

from __future__ import annotations

from dataclasses import replace

from models.content.html_text import plain_text, strip_tags
from models.content.questions import Answer, Question
from models.lms.quizzes import QuestionType
from workers.analysis.canvas_statistics import CanvasQuestion, NumericAnswer
from workers.analysis.totals import ItemOption, ScoredItem

_CORRECT = 100
_BY_BLANK = frozenset({QuestionType.FILL_IN_BLANKS, QuestionType.DROPDOWNS})
_WITHOUT_OPTIONS = frozenset({QuestionType.ESSAY, QuestionType.CALCULATED, QuestionType.FILE_UPLOAD})


def scored_item(question: Question) -> ScoredItem:
    """Return a question as the figures need it; a choice question has exactly one correct option."""
    key = _key(question)
    options = _options(question)
    if question.question_type.is_choice:
        options = tuple(replace(option, is_correct=index == key) for index, option in enumerate(options))
    return ScoredItem(
        id=question.id,
        title=strip_tags(question.question_text),
        question_type=question.question_type.value,
        points_possible=question.points_possible,
        position=question.position,
        is_choice=question.question_type.is_choice,
        options=options,
    )


def canvas_question(question: Question) -> CanvasQuestion:
    """Return a question as Canvas's statistics show it; every option with a weight of 100 is correct."""
    return CanvasQuestion(
        id=question.id,
        question_type=question.question_type.value,
        text=question.question_text,
        position=question.position,
        points_possible=question.points_possible,
        options=_options(question),
        numbers={str(answer.id): number for answer in question.answers if (number := _number(answer))},
        key=_key(question) if question.question_type.is_choice else None,
    )


def _options(question: Question) -> tuple[ItemOption, ...]:
    kind = question.question_type
    if kind in _WITHOUT_OPTIONS:
        return ()
    if kind is QuestionType.MATCHING:
        left = [(answer, answer.label or plain_text(answer.left)) for answer in question.answers]
        right = [(match.match_id, plain_text(match.text)) for match in question.matches]
        return tuple(
            ItemOption(
                key=f"{answer.id}:{match_id}",
                text=text,
                is_correct=match_id == answer.match_id,
                blank=str(answer.id),
                blank_text=left_text,
            )
            for answer, left_text in left
            for match_id, text in right
        )
    return tuple(
        ItemOption(
            key=f"{answer.blank_id}:{answer.id}" if kind in _BY_BLANK else str(answer.id),
            text=answer.label or (number.text if (number := _number(answer)) else ""),
            is_correct=answer.weight == _CORRECT,
            blank=answer.blank_id if kind in _BY_BLANK else "",
            blank_text=answer.blank_id if kind in _BY_BLANK else "",
        )
        for answer in question.answers
    )


def _key(question: Question) -> int | None:
    """Return the index of the answer of highest weight, the first of equals."""
    weights = [answer.weight for answer in question.answers]
    return weights.index(max(weights)) if weights else None


def _number(answer: Answer) -> NumericAnswer | None:
    if answer.interval is None:
        return None
    is_range = answer.start is not None and answer.end is not None
    return NumericAnswer(*answer.interval, 0.0 if is_range else answer.margin or 0.0, is_range=is_range)
