"""What the page of the item analysis shows: the figures, options and findings of a document, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from api.pages.formulas import (
    QUIZ_WORDS,
    WORDS,
    Sums,
    Totals,
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
    (
        "point_biserial_total",
        "Correlation with the total",
        "How far students with a high total do well here; the total includes this question.",
    ),
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
    (
        "standard_deviation_population",
        "Standard deviation (population)",
        "How far the points of the students lie apart.",
    ),
)

_QUIZ_FIGURES: Final = (
    ("mean", "Mean"),
    ("median", "Median"),
    ("standard_deviation_population", "Standard deviation (population)"),
    ("standard_deviation_sample", "Standard deviation (sample)"),
    ("minimum", "Lowest"),
    ("maximum", "Highest"),
    ("alpha", "Reliability (alpha)"),
    ("standard_error_of_measurement", "Standard error of measurement"),
    ("skewness", "Skewness"),
    ("kurtosis", "Kurtosis"),
    ("minutes_median", "Minutes, median"),
    ("minutes_lower_quartile", "Minutes, lower quartile"),
    ("minutes_upper_quartile", "Minutes, upper quartile"),
    ("quiz_score_mean", "Mean of the quiz's own scores"),
)
_QUIZ_MEANINGS: Final = {
    "standard_deviation_population": "How far the points of the students lie apart.",
    "alpha": "How far a similar quiz would rank the students alike: 1 at best, above 0.7 is good.",
    "standard_error_of_measurement": "The points by which chance moves a student's total up or down.",
    "skewness": "Below 0, a few students lie far below the others; above 0, far above them.",
    "kurtosis": "Above 0, more students lie far from the mean than in a bell curve; below 0, fewer.",
}
# Written with as many decimals as those that they are compared with; points and minutes are not.
_QUIZ_COEFFICIENTS: Final = frozenset({"alpha", "skewness", "kurtosis"})

SORTS: Final = {
    "position": "Order in the quiz",
    "facility": "Most difficult first",
    "item_rest_correlation": "Weakest discrimination first",
}


# What questions with the same note have in common, by the rule of the note; in the order of the page.
NOTES: Final = {
    "never_chosen": "An answer that nobody chose",
    "too_easy": "Nearly everybody got it right",
    "many_omitted": "Left blank by many",
    "rarely_chosen": "An answer that hardly anybody chose",
}


@dataclass(frozen=True)
class FigureKind:
    """What the figures of one name have in common: a meaning, a convention, and a formula in words."""

    name: str
    title: str
    meaning: str
    convention: str
    formula: str
    is_coefficient: bool


@dataclass(frozen=True)
class FigureView:
    """A figure with its formula in numbers; without a value, the reason."""

    kind: FigureKind
    value: float | None
    interval: Sequence[float] | None
    reason: str | None
    worked: Worked | None


@dataclass(frozen=True)
class RemarkView:
    """A finding or a note: what is seen, with figures in braces, what it may mean, and what to look at."""

    template: str
    figures: Mapping[str, float | str]
    meaning: str
    advice: str
    is_finding: bool
    item: ItemView | None
    rule: str

    @property
    def note(self) -> str:
        """The key of NOTES: the rule, but an answer that nobody chose differs from one that a few chose."""
        return "never_chosen" if self.rule == "rarely_chosen" and not self.figures["share"] else self.rule


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
class NoteView:
    """What several questions have a note about, what it may mean, and what to look at."""

    title: str
    meaning: str
    advice: str
    items: Sequence[ItemView]


@dataclass(frozen=True)
class QuizView:
    """The statistics of a quiz as the page shows them."""

    content: Json
    figures: Sequence[FigureView]
    items: Sequence[ItemView]
    item_kinds: Sequence[FigureKind]
    remarks: Sequence[RemarkView]

    @property
    def kinds(self) -> Sequence[FigureKind]:
        """What is said once about the figures of the quiz and of its items."""
        return [*(figure.kind for figure in self.figures), *self.item_kinds]

    @property
    def findings(self) -> Sequence[Sequence[RemarkView]]:
        """The remarks that a teacher should look at first, those of a question together."""
        by_item: dict[str, list[RemarkView]] = {}
        for remark in self.remarks:
            if remark.is_finding:
                by_item.setdefault(remark.item.anchor if remark.item else "", []).append(remark)
        return list(by_item.values())

    @property
    def notes(self) -> Sequence[NoteView]:
        """The questions that have notes, by what the notes have in common."""
        by_note: dict[str, list[RemarkView]] = {}
        for remark in self.remarks:
            by_note.setdefault(remark.note, []).append(remark)
        return [
            NoteView(title, alike[0].meaning, alike[0].advice, _items_of(alike))
            for note, title in NOTES.items()
            if (alike := by_note.get(note))
        ]

    def shown(self, sort: str, *, only_findings: bool) -> Sequence[ItemView]:
        """Return the items to show, sorted by one of SORTS; items without the figure come last."""
        items = [item for item in self.items if item.has_finding or not only_findings]
        return sorted(items, key=_sort_key(sort))


def quiz_view(psychometrics: Json) -> QuizView:
    """Read the `psychometrics` of the statistics."""
    conventions, quiz = psychometrics["conventions"], psychometrics["quiz"]
    kinds = [
        FigureKind(name, title, meaning, convention_of(name, conventions), WORDS.get(name, ""), True)
        for name, title, meaning in _ITEM_FIGURES
    ]
    sums = Sums.of(psychometrics["items"], quiz)
    items = {
        content["id"]: ItemView(
            number, content, _figures(kinds, content, worked_formulas(content, quiz, sums)), []
        )
        for number, content in enumerate(psychometrics["items"], 1)
    }
    remarks = [_remark(found, items.get(found.get("item_id"))) for found in psychometrics["findings"]]
    for remark in remarks:
        if remark.item is not None:
            remark.item.remarks.append(remark)
    worked = worked_quiz_formulas(quiz, sums, Totals.of(psychometrics["items"], quiz))
    figures = _figures(_quiz_kinds(conventions), quiz, worked)
    return QuizView(quiz, figures, list(items.values()), kinds, remarks)


def convention_of(name: str, conventions: Json) -> str:
    """Return how a figure is computed; figures of one quantity, such as minutes_median, may share a text."""
    while name and name not in conventions:
        name = name.rpartition("_")[0]
    return str(conventions.get(name, ""))


def _quiz_kinds(conventions: Json) -> list[FigureKind]:
    return [
        FigureKind(
            name,
            title,
            _QUIZ_MEANINGS.get(name, ""),
            convention_of(name, conventions),
            QUIZ_WORDS.get(name, ""),
            name in _QUIZ_COEFFICIENTS,
        )
        for name, title in _QUIZ_FIGURES
    ]


def _figures(kinds: Sequence[FigureKind], content: Json, worked: Mapping[str, Worked]) -> list[FigureView]:
    views = []
    for kind in kinds:
        figure = content[kind.name]
        views.append(
            FigureView(
                kind, figure["value"], figure.get("interval"), figure.get("reason"), worked.get(kind.name)
            )
        )
    return views


def _items_of(remarks: Sequence[RemarkView]) -> list[ItemView]:
    """Return the items of some remarks in their order, each once."""
    by_number = {remark.item.number: remark.item for remark in remarks if remark.item is not None}
    return [by_number[number] for number in sorted(by_number)]


def _remark(found: Json, item: ItemView | None) -> RemarkView:
    return RemarkView(
        found["template"],
        found["figures"],
        found["meaning"],
        found["advice"],
        found["rank"] == "finding",
        item,
        found["rule"],
    )


def _sort_key(sort: str) -> Callable[[ItemView], tuple[bool, float]]:
    def key(item: ItemView) -> tuple[bool, float]:
        if sort not in SORTS or sort == "position":
            return False, item.number
        value = item.value(sort)
        return value is None, 0.0 if value is None else value

    return key
