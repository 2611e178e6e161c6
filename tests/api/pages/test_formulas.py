"""The formulas of figures of an item and of the quiz: their numbers give the figures, or none is shown."""

from __future__ import annotations

import copy
import math
import statistics
from collections.abc import Mapping
from typing import Any

import pytest

from api.pages.formulas import (
    QUIZ_WORDS,
    WORDS,
    Sums,
    Totals,
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
    "n": 200,
    "items": 40,
    "totals_in": "points",
    "mean": {"value": 26.03},
    "standard_deviation_population": {"value": 7.992440178068272},
    "standard_deviation_sample": {"value": 8.012496521216876},
    "alpha": {"value": 0.8993760609234215},
    "standard_error_of_measurement": {"value": 2.5416661861218204},
}
SUMS = Sums(points=26.03, variances=7.90356783919598, covariance_roots=49.571447639691115)
# Four students at two questions of half a point: 0, 0.5, 0.5 and 1 in all.
HALF: dict[str, Any] = {
    "analysed": True,
    "points_possible": 0.5,
    "facility": {"value": 0.5},
    "standard_deviation_sample": {"value": None},
    "point_biserial_total": {"value": None},
}
SMALL_QUIZ: dict[str, Any] = {
    "n": 4,
    "items": 2,
    "totals_in": "points",
    "score_distribution": {"0": 1, "50": 2, "100": 1},
    "mean": {"value": 0.5},
    "median": {"value": 0.5},
    "standard_deviation_population": {"value": 0.3535533905932738},
    "standard_deviation_sample": {"value": 0.408248290463863},
    "skewness": {"value": 0.0},
    "kurtosis": {"value": 1.5},
    "alpha": {"value": None},
    "standard_error_of_measurement": {"value": None},
}
OF_TOTALS = {
    "median",
    "standard_deviation_population",
    "standard_deviation_sample",
    "skewness",
    "kurtosis",
}
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
    of_scores = written(worked_quiz_formulas(QUIZ, SUMS, Totals()))
    assert of_scores == {
        "mean": "5206.0 ÷ 200",
        "alpha": "40 ÷ 39 × (1 − 7.904 ÷ 8.012²)",
        "standard_error_of_measurement": "8.012 × √(1 − 0.899)",
    }
    of_totals = written(worked_of(SMALL_QUIZ))
    assert of_totals == {
        "mean": "2.0 ÷ 4",
        "median": "(0.5 + 0.5) ÷ 2",
        "standard_deviation_population": "√(0.5 ÷ 4)",
        "standard_deviation_sample": "√(0.5 ÷ 3)",
        "skewness": "4 × 0.0 ÷ (3 × 2 × 0.408³)",
        "kurtosis": "4 × 5 × 0.125 ÷ (3 × 2 × 1 × 0.408⁴) − 3 × 3² ÷ (2 × 1)",
    }
    assert of_scores.keys() | of_totals.keys() == QUIZ_WORDS.keys()


def worked_of(quiz: dict[str, Any]) -> Mapping[str, Worked]:
    """Work the formulas of a quiz with two questions of half a point."""
    items = [HALF, HALF]
    return worked_quiz_formulas(quiz, Sums.of(items, quiz), Totals.of(items, quiz))


def test_totals_are_those_of_the_sample_exam() -> None:
    # The sample's totals by whole percents of its 40 points; a half is rounded up.
    possible = [{"analysed": True, "points_possible": 1.0}] * 40
    totals = [8, 13, 13, 27, 39]
    quiz = {
        "n": 5,
        "totals_in": "points",
        "score_distribution": {"20": 1, "33": 2, "68": 1, "98": 1},
        "mean": {"value": statistics.fmean(totals)},
        "standard_deviation_population": {"value": statistics.pstdev(totals)},
    }
    assert Totals.of(possible, quiz).counts == [(8, 1), (13, 2), (27, 1), (39, 1)]


@pytest.mark.parametrize(
    "changed",
    [
        # A student got part of the points of a question.
        {"mean": {"value": 0.51}},
        {"standard_deviation_population": {"value": 0.36}},
        {"mean": {"value": None}},
        # A student has no total.
        {"n": 5},
        {"totals_in": "share of the points"},
    ],
)
def test_without_the_totals_the_formulas_of_totals_are_left_out(changed: dict[str, Any]) -> None:
    assert not worked_of({**SMALL_QUIZ, **changed}).keys() & OF_TOTALS


def test_totals_that_percents_do_not_tell_apart_are_not_read() -> None:
    # Of 101 points, two totals may be the same whole percent.
    items = [{**HALF, "points_possible": 1.0}] * 101
    assert Totals.of(items, SMALL_QUIZ).counts == ()
    assert Totals.of([], SMALL_QUIZ).counts == ()


def test_a_median_that_is_a_total_has_no_formula() -> None:
    odd = {**SMALL_QUIZ, "n": 3, "score_distribution": {"0": 1, "50": 1, "100": 1}}
    odd["standard_deviation_population"] = {"value": statistics.pstdev([0, 0.5, 1])}
    assert Totals.of([HALF, HALF], odd).at(1) == 0.5
    assert "median" not in worked_of(odd)


def test_fewer_than_four_students_have_no_kurtosis() -> None:
    two = {**SMALL_QUIZ, "n": 2, "score_distribution": {"0": 1, "100": 1}}
    two["standard_deviation_population"] = {"value": 0.5}
    assert not worked_of(two).keys() & {"skewness", "kurtosis"}


def test_items_are_summed_if_they_are_analysed() -> None:
    equal = {**ITEM, "point_biserial_total": {"value": None}, "standard_deviation_sample": {"value": 0.0}}
    negative = {**ITEM, "point_biserial_total": {"value": -0.5}}
    sums = Sums.of([ITEM, equal, negative, {"analysed": False}], QUIZ)
    assert sums.variances == pytest.approx(2 * 0.4450735357907797**2)
    assert sums.covariance_roots == pytest.approx(0.025725246017886415 * SUMS.covariance_roots)


def test_an_item_without_a_number_leaves_the_formulas_with_sums_out() -> None:
    sums = Sums.of([ITEM, {**ITEM, "standard_deviation_sample": {"value": None}}], QUIZ)
    assert worked_formulas(ITEM, QUIZ, sums).keys() == WORDS.keys() - {"effective_weight", "alpha_if_deleted"}
    assert "alpha" not in worked_quiz_formulas(QUIZ, sums, Totals())


def test_a_question_without_one_correct_answer_has_the_formulas_of_its_scores() -> None:
    several = {**ITEM, "options": [ITEM["options"][1]] * 2}
    assert worked_formulas(several, QUIZ, SUMS).keys() == WORDS.keys() - OF_KEY


def test_a_question_that_is_not_analysed_has_none() -> None:
    assert worked_formulas({**ITEM, "analysed": False}, QUIZ, SUMS) == {}


def test_totals_that_are_shares_have_none() -> None:
    quiz = {**QUIZ, "totals_in": "share of the points"}
    assert worked_formulas(ITEM, quiz, SUMS) == worked_quiz_formulas(quiz, SUMS, Totals()) == {}


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
