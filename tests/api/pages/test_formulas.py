"""The formulas of figures of an item and of the quiz: their numbers give the figures, or none is shown."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import pytest

from api.pages.formulas import (
    QUIZ_WORDS,
    WORDS,
    Sums,
    Worked,
    worked_formulas,
    worked_quiz_formulas,
)

# An item of the sample's exam, and that exam.
ITEM: dict[str, Any] = {
    "analysed": True,
    "points_possible": 1.0,
    "answered": 199,
    "omitted": 1,
    "facility": {"value": 0.73},
    "d27": {"value": 0.5457175925925926},
    "point_biserial_total": {"value": 0.4560186991821731},
    "item_rest_correlation": {"value": 0.41035163021609805},
    "standard_deviation_population": {"value": 0.4439594576084622},
    "standard_deviation_sample": {"value": 0.4450735357907797},
    "discriminative_efficiency": {"value": 0.5212765957446805},
    "greatest_rest_covariance": {"value": 2.7396984924623125},
    "effective_weight": {"value": 0.025725246017886415},
    "alpha_if_deleted": {"value": 0.8969812753036439},
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
    "items": 40,
    "totals_in": "points",
    "mean": {"value": 26.03},
    "standard_deviation_population": {"value": 7.992440178068272},
    "standard_deviation_sample": {"value": 8.012496521216876},
    "alpha": {"value": 0.8993760609234215},
    "standard_error_of_measurement": {"value": 2.5416661861218204},
}
SUMS = Sums(variances=7.90356783919598, covariance_roots=49.571447639691115)
OF_KEY = {"facility", "d27", "point_biserial_total", "standard_deviation_population"}


def written(worked: Mapping[str, Worked]) -> dict[str, str]:
    return {
        name: formula.template.format(*(round(number, 3) for number in formula.numbers))
        for name, formula in worked.items()
    }


def test_each_formula_has_the_numbers_of_the_item() -> None:
    worked = written(worked_formulas(ITEM, QUIZ, SUMS))
    assert worked == {
        "facility": "146 ÷ (199 + 1)",
        "d27": "0.953 − 0.407",
        "point_biserial_total": "(28.247 − 26.03) ÷ 7.992 × √(0.73 ÷ 0.27)",
        "standard_deviation_population": "1.0 × √(0.73 × 0.27)",
        "item_rest_correlation": "(0.456 × 8.012 − 0.445) ÷ √(8.012² + 0.445² − 2 × 0.456 × 8.012 × 0.445)",
        "discriminative_efficiency": "0.41 × 0.445 × 7.82 ÷ 2.74",
        "effective_weight": "√(0.456 × 8.012 × 0.445) ÷ 49.571",
        "alpha_if_deleted": "39 ÷ 38 × (1 − (7.904 − 0.445²) ÷ 7.82²)",
    }
    assert worked.keys() == WORDS.keys()


def test_each_formula_of_the_quiz_has_its_numbers() -> None:
    worked = written(worked_quiz_formulas(QUIZ, SUMS))
    assert worked == {
        "alpha": "40 ÷ 39 × (1 − 7.904 ÷ 8.012²)",
        "standard_error_of_measurement": "8.012 × √(1 − 0.899)",
    }
    assert worked.keys() == QUIZ_WORDS.keys()


def test_items_are_summed_if_they_are_analysed() -> None:
    equal = {**ITEM, "point_biserial_total": {"value": None}, "standard_deviation_sample": {"value": 0.0}}
    negative = {**ITEM, "point_biserial_total": {"value": -0.5}}
    sums = Sums.of([ITEM, equal, negative, {"analysed": False}], QUIZ)
    assert sums.variances == pytest.approx(2 * 0.4450735357907797**2)
    assert sums.covariance_roots == pytest.approx(0.025725246017886415 * SUMS.covariance_roots)


def test_an_item_without_a_number_leaves_the_formulas_with_sums_out() -> None:
    sums = Sums.of([ITEM, {**ITEM, "standard_deviation_sample": {"value": None}}], QUIZ)
    assert worked_formulas(ITEM, QUIZ, sums).keys() == WORDS.keys() - {"effective_weight", "alpha_if_deleted"}
    assert worked_quiz_formulas(QUIZ, sums).keys() == {"standard_error_of_measurement"}


def test_a_question_without_one_correct_answer_has_the_formulas_of_its_scores() -> None:
    several = {**ITEM, "options": [ITEM["options"][1]] * 2}
    assert worked_formulas(several, QUIZ, SUMS).keys() == WORDS.keys() - OF_KEY


def test_a_question_that_is_not_analysed_has_none() -> None:
    assert worked_formulas({**ITEM, "analysed": False}, QUIZ, SUMS) == {}


def test_totals_that_are_shares_have_none() -> None:
    quiz = {**QUIZ, "totals_in": "share of the points"}
    assert worked_formulas(ITEM, quiz, SUMS) == worked_quiz_formulas(quiz, SUMS) == {}


def test_a_formula_that_does_not_give_the_figure_is_not_shown() -> None:
    # As after a regrade that gave some students points for another answer.
    regraded = {**ITEM, "facility": {"value": 0.8}}
    assert worked_formulas(regraded, QUIZ, SUMS).keys() == WORDS.keys() - {"facility"}


@pytest.mark.parametrize("value", [None, 0.0])
def test_a_number_without_a_value_leaves_its_formulas_out(value: float | None) -> None:
    quiz = {**QUIZ, "standard_deviation_population": {"value": value}}
    assert worked_formulas(ITEM, quiz, SUMS).keys() == WORDS.keys() - {"point_biserial_total"}


def test_two_questions_have_no_alpha_without_one_of_them() -> None:
    assert "alpha_if_deleted" not in worked_formulas(ITEM, {**QUIZ, "items": 2}, SUMS)


def test_everybody_correct_leaves_no_correlation() -> None:
    item = copy.deepcopy(ITEM)
    item["options"][1]["share"]["value"] = 1.0
    item["standard_deviation_sample"]["value"] = math.inf
    assert worked_formulas(item, QUIZ, SUMS).keys() == {"facility", "d27"}
