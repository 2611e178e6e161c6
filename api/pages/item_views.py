"""What the page of the item analysis shows: the figures, options and findings of a document, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

from api.pages.formulas import (
    QUIZ_WORDS,
    WORDS,
    Sums,
    Worked,
    worked_formulas,
    worked_quiz_formulas,
)

Json = Mapping[str, Any]

# The figures of an item in the order of the page: name, title, and what it means in one line.
_ITEM_FIGURES: Final = (
    (
        "facility",
        "Difficulty (facility)",
        "The mean share of the points: 1 if every student got all of them.",
    ),
    (
        "item_rest_correlation",
        "Discrimination (item-rest correlation)",
        "How far students who do well elsewhere do well here: above 0.3 is good, below 0 a warning.",
    ),
    ("d27", "Best against weakest 27%", "The best students' share of the points less that of the weakest."),
    ("point_biserial_total", "Correlation with the total", "As above, with this question in the total."),
    (
        "discriminative_efficiency",
        "Discriminative efficiency",
        "How far the question tells students apart, compared with how far it could at this difficulty.",
    ),
    ("effective_weight", "Effective weight", "How much of the differences between totals comes from here."),
    (
        "alpha_if_deleted",
        "Alpha without this question",
        "If it is above alpha, the quiz would be more reliable without this question.",
    ),
    ("standard_deviation_population", "Standard deviation", "How far the points of the students lie apart."),
)

_QUIZ_FIGURES: Final = (
    ("mean", "Mean"),
    ("median", "Median"),
    ("standard_deviation_population", "Standard deviation"),
    ("minimum", "Lowest"),
    ("maximum", "Highest"),
    ("alpha", "Reliability (alpha)"),
    ("standard_error_of_measurement", "Standard error of measurement"),
    ("skewness", "Skewness"),
    ("kurtosis", "Kurtosis"),
    ("minutes_median", "Minutes, median"),
)
# Written with as many decimals as those that they are compared with; points and minutes are not.
_QUIZ_COEFFICIENTS: Final = frozenset({"alpha", "skewness", "kurtosis"})

SORTS: Final = {
    "position": "Order in the quiz",
    "facility": "Most difficult first",
    "item_rest_correlation": "Weakest discrimination first",
}


@dataclass(frozen=True)
class FigureView:
    """A figure with its title, its meaning, its convention and its formula; without a value, the reason."""

    title: str
    meaning: str
    convention: str
    value: float | None
    interval: Sequence[float] | None
    reason: str | None
    is_coefficient: bool
    formula: str = ""
    worked: Worked | None = None


@dataclass(frozen=True)
class RemarkView:
    """A finding or a note: what is seen, with figures in braces, what it may mean, and what to look at."""

    template: str
    figures: Mapping[str, float | str]
    meaning: str
    advice: str
    is_finding: bool
    item: ItemView | None


@dataclass
class ItemView:
    """An item: its number on the page, its figures, its options and what was found."""

    number: int
    content: Json
    figures: Sequence[FigureView]
    remarks: list[RemarkView]

    @property
    def anchor(self) -> str:
        """Where the item is on the page."""
        return f"item-{self.content['id']}"

    @property
    def remarks_by_rule(self) -> Sequence[Sequence[RemarkView]]:
        """The remarks, those of the same rule together: they mean the same, so it is said once."""
        return [list(alike) for _, alike in groupby(self.remarks, key=lambda remark: remark.template)]

    @property
    def has_finding(self) -> bool:
        """Whether there is a finding, not only notes."""
        return any(remark.is_finding for remark in self.remarks)

    def value(self, name: str) -> float | None:
        """Return the value of a figure, None if it has none."""
        value: float | None = self.content[name]["value"]
        return value


@dataclass(frozen=True)
class QuizView:
    """The statistics of a quiz as the page shows them."""

    content: Json
    figures: Sequence[FigureView]
    items: Sequence[ItemView]
    remarks: Sequence[RemarkView]

    @property
    def findings(self) -> Sequence[RemarkView]:
        """The remarks that a teacher should look at first."""
        return [remark for remark in self.remarks if remark.is_finding]

    def shown(self, sort: str, *, only_findings: bool) -> Sequence[ItemView]:
        """Return the items to show, sorted by one of SORTS; items without the figure come last."""
        items = [item for item in self.items if item.has_finding or not only_findings]
        return sorted(items, key=_sort_key(sort))


def quiz_view(psychometrics: Json) -> QuizView:
    """Read the `psychometrics` of the statistics."""
    conventions, quiz = psychometrics["conventions"], psychometrics["quiz"]
    sums = Sums.of(psychometrics["items"], quiz)
    items = {
        content["id"]: ItemView(
            number,
            content,
            _item_figures(content, quiz, sums, conventions),
            [],
        )
        for number, content in enumerate(psychometrics["items"], 1)
    }
    remarks = [_remark(found, items.get(found.get("item_id"))) for found in psychometrics["findings"]]
    for remark in remarks:
        if remark.item is not None:
            remark.item.remarks.append(remark)
    worked = worked_quiz_formulas(quiz, sums)
    figures = [
        replace(
            _figure(quiz, conventions, name, title, "", is_coefficient=name in _QUIZ_COEFFICIENTS),
            formula=QUIZ_WORDS.get(name, ""),
            worked=worked.get(name),
        )
        for name, title in _QUIZ_FIGURES
    ]
    return QuizView(quiz, figures, list(items.values()), remarks)


def convention_of(name: str, conventions: Json) -> str:
    """Return how a figure is computed; figures of one quantity, such as minutes_median, may share a text."""
    return str(conventions.get(name) or conventions.get(name.partition("_")[0], ""))


def _item_figures(content: Json, quiz: Json, sums: Sums, conventions: Json) -> list[FigureView]:
    worked = worked_formulas(content, quiz, sums)
    return [
        replace(
            _figure(content, conventions, name, title, meaning, is_coefficient=True),
            formula=WORDS.get(name, ""),
            worked=worked.get(name),
        )
        for name, title, meaning in _ITEM_FIGURES
    ]


def _figure(
    content: Json, conventions: Json, name: str, title: str, meaning: str, *, is_coefficient: bool
) -> FigureView:
    figure = content[name]
    return FigureView(
        title,
        meaning,
        convention_of(name, conventions),
        figure["value"],
        figure.get("interval"),
        figure.get("reason"),
        is_coefficient,
    )


def _remark(found: Json, item: ItemView | None) -> RemarkView:
    return RemarkView(
        found["template"],
        found["figures"],
        found["meaning"],
        found["advice"],
        found["rank"] == "finding",
        item,
    )


def _sort_key(sort: str) -> Callable[[ItemView], tuple[bool, float]]:
    def key(item: ItemView) -> tuple[bool, float]:
        if sort not in SORTS or sort == "position":
            return False, item.number
        value = item.value(sort)
        return value is None, 0.0 if value is None else value

    return key
