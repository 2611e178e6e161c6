"""The item_analysis once more, slow and plain: from what was pushed, by the letter of the contract."""

from __future__ import annotations

import csv
import itertools
import math
import re
from collections.abc import Sequence
from html import unescape
from pathlib import Path
from statistics import fmean

from tests.reference.pushed import DifferenceError, Json, Pushed

_TOLERANCE = 1e-9
_ALPHA_FROM = 16
_CHOICE = ("multiple_choice_question", "true_false_question", "missing_word_question")

_HEADER = (
    "Question Id,Question Title,Answered Student Count,Top Student Count,Middle Student Count,"
    "Bottom Student Count,Quiz Question Count,Correct Student Count,Wrong Student Count,"
    "Correct Student Ratio,Wrong Student Ratio,Correct Top Student Count,Correct Middle Student Count,"
    "Correct Bottom Student Count,Variance,Standard Deviation,Difficulty Index,Alpha,"
    "Point Biserial of Correct"
)

Cell = str | float | None


def check_item_analysis(pushed: Pushed, file: Path) -> None:
    """Compare a file cell by cell; raise DifferenceError where a figure is off by more than 1e-9."""
    with file.open(newline="") as content:
        rows = list(csv.reader(content))
    expected = item_analysis(pushed)
    if len(rows) != len(expected):
        raise DifferenceError(f"the item_analysis has {len(rows)} lines, not {len(expected)}")
    for number, (row, wanted) in enumerate(zip(rows, expected, strict=True)):
        for found, cell in itertools.zip_longest(row, wanted, fillvalue="no such cell"):
            if not _is(found, cell):
                raise DifferenceError(f"row {number} of the item_analysis: {found!r} is not {cell!r}")


def _is(found: str, cell: Cell) -> bool:
    if cell is None or isinstance(cell, str):
        return found == (cell or "")
    return math.isclose(float(found), cell, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def item_analysis(pushed: Pushed) -> list[list[Cell]]:
    """Return the header and the rows."""
    questions = [question for question in pushed.questions if question["question_type"] in _CHOICE]
    chosen: dict[int, list[int | None]] = {question["id"]: [] for question in questions}
    totals: list[float] = []
    for attempt in pushed.attempts():
        if attempt["attempt"] != 1:
            continue
        totals.append(attempt["score"])
        for entry in attempt["submission_data"]:
            if entry["question_id"] in chosen:
                chosen[entry["question_id"]].append(entry.get("answer_id"))
    groups = _groups(totals)
    items = [_Item(question, chosen[question["id"]], totals, groups) for question in questions]
    alpha = _alpha([item.variance for item in items], totals)
    width = max(len(question["answers"]) for question in questions)
    return [_header(width), *(item.row(len(items), alpha, width) for item in items)]


def _header(width: int) -> list[Cell]:
    return [
        *_HEADER.split(","),
        *(f"Point Biserial of Distractor {number}" for number in range(2, width + 1)),
    ]


class _Item:
    """One question with everybody's answers to it."""

    def __init__(
        self, question: Json, chosen: Sequence[int | None], totals: Sequence[float], groups: Sequence[str]
    ) -> None:
        self._question = question
        self._answers = question["answers"]
        self._right = max(self._answers, key=lambda answer: answer["weight"])["id"]
        self._who = [
            (answer_id, total, group)
            for answer_id, total, group in zip(chosen, totals, groups, strict=True)
            if answer_id is not None
        ]
        points = question["points_possible"]
        self.variance = _variance([points if answer == self._right else 0.0 for answer, *_ in self._who])

    def row(self, questions: int, alpha: Cell, width: int) -> list[Cell]:
        """Return the question's cells."""
        answered, right = len(self._who), self._count(right=True)
        biserials = [self._point_biserial(answer_id) for answer_id in self._right_first()]
        return [
            float(self._question["id"]),
            unescape(re.sub("<[^>]*>", "", self._question["question_text"])),
            answered,
            *(self._count(group=group) for group in ("top", "middle", "bottom")),
            questions,
            right,
            answered - right,
            right / answered,
            (answered - right) / answered,
            *(self._count(group=group, right=True) for group in ("top", "middle", "bottom")),
            self.variance,
            math.sqrt(self.variance),
            right / answered,
            alpha,
            *biserials,
            *[None] * (width - len(biserials)),
        ]

    def _right_first(self) -> list[int]:
        others = [answer["id"] for answer in self._answers if answer["id"] != self._right]
        return [self._right, *others]

    def _count(self, *, group: str | None = None, right: bool = False) -> int:
        return sum(
            (group is None or its_group == group) and (not right or answer_id == self._right)
            for answer_id, _, its_group in self._who
        )

    def _point_biserial(self, answer_id: int) -> float | None:
        choosers = [total for answer, total, _ in self._who if answer == answer_id]
        others = [total for answer, total, _ in self._who if answer != answer_id]
        deviation = math.sqrt(_variance([total for _, total, _ in self._who]))
        if not choosers or not others or deviation == 0:
            return None
        share = len(choosers) / len(self._who)
        return (fmean(choosers) - fmean(others)) / deviation * math.sqrt(share * (1 - share))


def _groups(totals: Sequence[float]) -> list[str]:
    """Return the group of each total: ties go up."""
    ascending = sorted(totals)

    def begins(share: float) -> int:
        # Half away from zero; the shares are exact in hundredths.
        index = math.floor(round(share * 100) * len(ascending) / 100 + 0.5)
        while 0 < index < len(ascending) and ascending[index - 1] == ascending[index]:
            index -= 1
        return index

    top, middle = begins(0.73), begins(0.27)
    lowest_of_top = ascending[top] if top < len(ascending) else math.inf
    lowest_of_middle = ascending[middle] if middle < len(ascending) else math.inf
    return [
        "top" if total >= lowest_of_top else "middle" if total >= lowest_of_middle else "bottom"
        for total in totals
    ]


def _alpha(variances: Sequence[float], totals: Sequence[float]) -> Cell:
    k, of_totals = len(variances), _variance(totals)
    if k < _ALPHA_FROM or of_totals == 0:
        return "N/A"
    return k / (k - 1) * (1 - sum(variances) / of_totals)


def _variance(numbers: Sequence[float]) -> float:
    if len(numbers) < 2:
        return 0.0
    mean = fmean(numbers)
    return math.fsum((number - mean) ** 2 for number in numbers) / len(numbers)
