"""The statistics of a quiz as tables, for the formats of the item_analysis that hold several.

A figure has a row: its value and, if it has one, its interval of 95 percent, or the reason why it has no
value. A figure is named as in the document of the statistics, and its convention as in `figures.CONVENTIONS`.
Texts of questions and answers are cut, since ids and places identify them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from workers.analysis.figures import CONVENTIONS, Figure, convention_of
from workers.analysis.findings import Remark
from workers.analysis.frames import Cell, Column, ColumnKind, Table, frames_of, shortened
from workers.analysis.item_analysis import OPTION, QUESTION_COLUMNS
from workers.analysis.item_figures import ItemFigures
from workers.analysis.quiz_statistics import QuizFigures

Row = Sequence[Cell]

_CONVENTION: Final = Column("Convention", ColumnKind.TEXT, meaning="The convention's name, if there is one.")
_FIGURE: Final = (
    Column("Figure", ColumnKind.TEXT, meaning="The figure's name."),
    Column("Value", ColumnKind.NUMBER, meaning="The figure's value, empty if it cannot be computed."),
    Column("Lower Limit", ColumnKind.NUMBER, meaning="The lower limit of its interval of 95 percent."),
    Column("Upper Limit", ColumnKind.NUMBER, meaning="The upper limit of its interval of 95 percent."),
    Column("No Value Because", ColumnKind.TEXT, meaning="Why the figure has no value."),
    _CONVENTION,
)
_IN_WORDS: Final = Column("Value in Words", ColumnKind.TEXT, meaning="The value of what is no number.")
_ANSWER: Final = (
    OPTION,
    Column(
        "Blank",
        ColumnKind.TEXT,
        meaning="The blank or the left side that the answer belongs to, its first 200 characters.",
    ),
    Column("Answer", ColumnKind.TEXT, meaning="The answer's text, its first 200 characters."),
    Column("Answer Key", ColumnKind.TEXT, meaning="Whether the answer is correct or a distractor."),
)
_STUDENTS: Final = Column("Students", ColumnKind.INTEGER, meaning="How many students have this total.")
_IN_PERCENT: Final = (
    Column(
        "Percent", ColumnKind.INTEGER, meaning="A total as whole percents of the points, rounded half up."
    ),
    _STUDENTS,
)
_IN_POINTS: Final = (
    Column("Points", ColumnKind.INTEGER, meaning="A total as whole points, rounded half up."),
    _STUDENTS,
)
_FINDING: Final = (
    Column("Rank", ColumnKind.TEXT, meaning="A finding is worth a look; a note is of lower rank."),
    Column("Rule", ColumnKind.TEXT, meaning="The rule that applies."),
    *QUESTION_COLUMNS,
    Column("Seen", ColumnKind.TEXT, meaning="What is seen."),
    Column("Meaning", ColumnKind.TEXT, meaning="What it may mean."),
    Column("Advice", ColumnKind.TEXT, meaning="What to look at."),
)
_TEXT_OF_CONVENTION: Final = (
    _CONVENTION,
    Column("Text", ColumnKind.TEXT, meaning="The convention: what is computed, and how."),
)

# They identify an item, and are no figures of it.
_NO_FIGURES: Final = frozenset({"id", "position", "analysed", "correct"})


@dataclass(frozen=True)
class Statistics:
    """The figures of a quiz and of its items, and what the rules find in them."""

    quiz: QuizFigures
    items: Sequence[ItemFigures]
    remarks: Sequence[Remark]


def statistics_tables(computed: Callable[[], Statistics]) -> Mapping[str, Table]:
    """Return the tables by their titles; the statistics are computed when the first frame is read."""
    tables: Mapping[str, tuple[Sequence[Column], Callable[[Statistics], Iterator[Row]]]] = {
        "Quiz Statistics": ((*_FIGURE, _IN_WORDS), _of_quiz),
        "Score Distribution": (
            _IN_PERCENT,
            lambda found: _distribution(found.quiz.score_distribution),
        ),
        "Score Distribution in Points": (
            _IN_POINTS,
            lambda found: _distribution(found.quiz.score_distribution_points),
        ),
        "Question Statistics": ((*QUESTION_COLUMNS, *_FIGURE), _of_questions),
        "Answer Statistics": ((*QUESTION_COLUMNS, *_ANSWER, *_FIGURE), _of_answers),
        "Findings": (_FINDING, _findings),
        "Conventions": (_TEXT_OF_CONVENTION, lambda _: iter(CONVENTIONS.items())),
    }
    return {
        title: Table(columns, _frames(columns, rows, computed)) for title, (columns, rows) in tables.items()
    }


def _frames(
    columns: Sequence[Column],
    rows: Callable[[Statistics], Iterator[Row]],
    computed: Callable[[], Statistics],
) -> Iterator[Any]:
    yield from frames_of(columns, rows(computed()))


def _figures(owner: object, prefix: str = "") -> Iterator[Row]:
    """Yield a row for each figure of a quiz, an item or an answer, whose conventions have a prefix."""
    for name, value in vars(owner).items():
        if isinstance(value, Figure):
            lower, upper = value.interval or (None, None)
            yield name, value.value, lower, upper, value.reason or "", convention_of(f"{prefix}{name}")
        elif isinstance(value, int | float) and name not in _NO_FIGURES:
            yield name, value, None, None, "", convention_of(f"{prefix}{name}")


def _of_quiz(found: Statistics) -> Iterator[Row]:
    yield "totals_in", None, None, None, "", "totals_in", found.quiz.totals_in
    for figure in _figures(found.quiz):
        yield *figure, ""


def _distribution(students_by_total: Mapping[str, int]) -> Iterator[Row]:
    for total, students in students_by_total.items():
        yield int(total), students


def _of_questions(found: Statistics) -> Iterator[Row]:
    for item in found.items:
        title = shortened(item.title)
        for figure in _figures(item):
            yield item.id, title, *figure


def _of_answers(found: Statistics) -> Iterator[Row]:
    for item in found.items:
        title = shortened(item.title)
        for place, option in enumerate(item.options, 1):
            blank, text = shortened(option.blank), shortened(option.text)
            key = "correct" if option.correct else "distractor"
            for figure in _figures(option, "option_"):
                yield item.id, title, place, blank, text, key, *figure


def _findings(found: Statistics) -> Iterator[Row]:
    titles = {item.id: shortened(item.title) for item in found.items}
    for remark in found.remarks:
        title = "" if remark.item_id is None else titles[remark.item_id]
        yield remark.rank, remark.rule, remark.item_id, title, remark.seen, remark.meaning, remark.advice
