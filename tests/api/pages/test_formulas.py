"""The formulas of an item's figures: their numbers give the figure, or they are not shown."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest

from api.pages.formulas import WORDS, worked_formulas

ITEM: dict[str, Any] = {
    "answered": 199,
    "omitted": 1,
    "not_shown": 0,
    "not_graded": 0,
    "facility": {"value": 0.73},
    "d27": {"value": 0.5457175925925926},
    "point_biserial_total": {"value": 0.4560186991821731},
    "item_rest_correlation": {"value": 0.41035163021609805},
    "standard_deviation_sample": {"value": 0.4450735357907797},
    "options": [
        {"correct": False, "count": 53},
        {
            "correct": True,
            "count": 146,
            "share": {"value": 0.73},
            "share_of_top": {"value": 0.953125},
            "share_of_bottom": {"value": 0.4074074074074074},
            "mean_total": {"value": 28.246575342465754},
        },
    ],
}
QUIZ: dict[str, Any] = {
    "totals_in": "points",
    "mean": {"value": 26.03},
    "standard_deviation_population": {"value": 7.992440178068272},
    "standard_deviation_sample": {"value": 8.012496521216876},
}


def test_each_formula_has_the_numbers_of_the_item() -> None:
    worked = worked_formulas(ITEM, QUIZ)
    written = {
        name: form.template.format(*(round(n, 3) for n in form.numbers)) for name, form in worked.items()
    }
    assert written == {
        "facility": "146 ÷ (199 + 1)",
        "d27": "0.953 − 0.407",
        "point_biserial_total": "(28.247 − 26.03) ÷ 7.992 × √(0.73 ÷ 0.27)",
        "item_rest_correlation": "(0.456 × 8.012 − 0.445) ÷ √(8.012² + 0.445² − 2 × 0.456 × 8.012 × 0.445)",
    }
    assert written.keys() == WORDS.keys()


@pytest.mark.parametrize("change", [{"not_shown": 1}, {"not_graded": 1}, {"options": ITEM["options"][:1]}])
def test_a_question_of_another_kind_has_none(change: dict[str, Any]) -> None:
    assert worked_formulas({**ITEM, **change}, QUIZ) == {}


def test_totals_that_are_shares_have_none() -> None:
    assert worked_formulas(ITEM, {**QUIZ, "totals_in": "share of the points"}) == {}


def test_a_formula_that_does_not_give_the_figure_is_not_shown() -> None:
    # As after a regrade that gave some students points for another answer.
    regraded = {**ITEM, "facility": {"value": 0.8}}
    assert worked_formulas(regraded, QUIZ).keys() == WORDS.keys() - {"facility"}


@pytest.mark.parametrize("value", [None, 0.0])
def test_a_number_without_a_value_leaves_its_formulas_out(value: float | None) -> None:
    quiz = {**QUIZ, "standard_deviation_population": {"value": value}}
    assert worked_formulas(ITEM, quiz).keys() == WORDS.keys() - {"point_biserial_total"}


def test_everybody_correct_leaves_no_correlation() -> None:
    item = copy.deepcopy(ITEM)
    item["options"][1]["share"]["value"] = 1.0
    item["standard_deviation_sample"]["value"] = math.inf
    assert worked_formulas(item, QUIZ).keys() == {"facility", "d27"}
