"""How a figure of an item is computed, with the item's own numbers in the formula.

The numbers are those of the document. A formula is shown only where they give the figure: it holds for a
question with one correct answer that is scored right or wrong, was shown to all students, and is graded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Worked:
    """A formula with a place in braces for each of its numbers, and the numbers."""

    template: str
    numbers: Sequence[float]


WORDS: Final = {
    "facility": "Students with the correct answer ÷ (answered + left blank)",
    "d27": "Share of the best with the correct answer − share of the weakest with it",
    "point_biserial_total": "(mean total of those with the correct answer − mean total) ÷ standard deviation"
    " of the totals × √(share of correct answers ÷ share of others)",
    "item_rest_correlation": "(r × s − t) ÷ √(s² + t² − 2 × r × s × t); r is the correlation with the total,"
    " s and t are the standard deviations of the totals and of the question, dividing by n − 1",
}
"""The formulas in words, by the name of the figure, as keys of translations."""


def worked_formulas(item: Json, quiz: Json) -> Mapping[str, Worked]:
    """Return the formulas of an item's figures, by the name of the figure."""
    correct = [option for option in item["options"] if option["correct"]]
    if len(correct) != 1 or item["not_shown"] or item["not_graded"] or quiz["totals_in"] != "points":
        return {}
    worked = {}
    for name, formula in _FORMULAS.items():
        try:
            shown, result = formula(item, correct[0], quiz)
        except (TypeError, ZeroDivisionError, ValueError):
            # One of the numbers has no value, or the totals do not differ.
            continue
        value = item[name]["value"]
        if value is not None and math.isclose(result, value, abs_tol=1e-9):
            worked[name] = shown
    return worked


def _facility(item: Json, key: Json, _quiz: Json) -> tuple[Worked, float]:
    count, answered, omitted = key["count"], item["answered"], item["omitted"]
    return Worked("{} ÷ ({} + {})", (count, answered, omitted)), count / (answered + omitted)


def _d27(_item: Json, key: Json, _quiz: Json) -> tuple[Worked, float]:
    top, bottom = key["share_of_top"]["value"], key["share_of_bottom"]["value"]
    return Worked("{} − {}", (top, bottom)), top - bottom


def _point_biserial(_item: Json, key: Json, quiz: Json) -> tuple[Worked, float]:
    right, mean = key["mean_total"]["value"], quiz["mean"]["value"]
    deviation, share = quiz["standard_deviation_population"]["value"], key["share"]["value"]
    return (
        Worked("({} − {}) ÷ {} × √({} ÷ {})", (right, mean, deviation, share, 1 - share)),
        (right - mean) / deviation * math.sqrt(share / (1 - share)),
    )


def _item_rest(item: Json, _key: Json, quiz: Json) -> tuple[Worked, float]:
    r, s = item["point_biserial_total"]["value"], quiz["standard_deviation_sample"]["value"]
    t = item["standard_deviation_sample"]["value"]
    return (
        Worked("({} × {} − {}) ÷ √({}² + {}² − 2 × {} × {} × {})", (r, s, t, s, t, r, s, t)),
        (r * s - t) / math.sqrt(s**2 + t**2 - 2 * r * s * t),
    )


_FORMULAS: Final[Mapping[str, Callable[[Json, Json, Json], tuple[Worked, float]]]] = {
    "facility": _facility,
    "d27": _d27,
    "point_biserial_total": _point_biserial,
    "item_rest_correlation": _item_rest,
}
