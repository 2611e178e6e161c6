"""What the rules find in simulated quizzes of a known fault, and that they keep quiet about clean ones."""

from __future__ import annotations

import numpy as np
import pytest

from ops.benchmarks.findings import Choices, analyse, rates, simulate
from workers.analysis.findings import RULES, SHARES, Rank, Remark, as_json, words
from workers.analysis.score_table import NO_OPTION


@pytest.fixture
def choices() -> Choices:
    """The choices of 200 students at 40 questions; option 0 is right."""
    return simulate(np.random.default_rng(5), 200, 40)


def of_first_item(choices: Choices, rule: str, *, key: int = 0) -> list[Remark]:
    raised = analyse(choices, [key, *[0] * (choices.shape[1] - 1)])
    return [remark for remark in raised if remark.item_id == 0 and remark.rule == rule]


def test_a_wrong_key_is_found_and_the_better_option_is_named(choices: Choices) -> None:
    [remark] = of_first_item(choices, "wrong_key", key=2)

    assert "Option 1" in remark.seen
    assert remark.rank is Rank.FINDING
    assert remark.option_key == "0"
    assert remark.figures["item_rest_correlation"] < 0  # type: ignore[operator]


def test_an_item_that_better_students_fail_discriminates_negatively(choices: Choices) -> None:
    order = np.argsort((choices[:, 1:] == 0).sum(axis=1))
    # The better half leaves it blank, so no other option is better than the key.
    choices[order[:100], 0], choices[order[100:], 0] = 0, NO_OPTION

    assert of_first_item(choices, "negative_discrimination")
    assert not of_first_item(choices, "wrong_key")
    assert of_first_item(choices, "many_omitted")


def test_two_options_that_split_the_best_are_ambiguous(choices: Choices) -> None:
    order = np.argsort((choices[:, 1:] == 0).sum(axis=1))
    choices[order[100::2], 0], choices[order[101::2], 0] = 0, 3

    [remark] = of_first_item(choices, "ambiguous")
    assert remark.figures["option"] == "Option 4"


def test_an_item_near_chance_is_too_hard_and_one_that_all_can_do_too_easy(choices: Choices) -> None:
    choices[:, 0] = np.arange(200) % 4
    assert of_first_item(choices, "too_hard")

    choices[:, 0] = 0
    choices[:8, 0] = 1
    assert of_first_item(choices, "too_easy")
    assert {remark.option_key for remark in of_first_item(choices, "rarely_chosen")} == {"1", "2", "3"}


def test_answers_at_random_make_an_unreliable_quiz() -> None:
    raised = analyse(np.random.default_rng(1).integers(0, 4, (100, 12)), [0] * 12)

    assert [remark.item_id for remark in raised if remark.rule == "low_reliability"] == [None]


def test_findings_come_before_notes_by_their_weight(choices: Choices) -> None:
    raised = analyse(choices, [2, *[0] * 39])

    names = [rule.name for rule in RULES]
    order = [names.index(remark.rule) for remark in raised]
    assert order == sorted(order)
    assert [rule.rank for rule in RULES] == sorted((rule.rank for rule in RULES), key=list(Rank).index)


@pytest.mark.parametrize("students", [1, 2, 3, 19])
def test_below_twenty_students_no_rule_applies(students: int) -> None:
    assert analyse(simulate(np.random.default_rng(2), students, 20), [2] * 20) == []


def test_twenty_students_are_enough_for_a_rule() -> None:
    assert analyse(simulate(np.random.default_rng(2), 20, 20), [2] * 20)


def test_an_option_is_compared_with_the_key_among_the_students_who_answered(choices: Choices) -> None:
    [remark] = of_first_item(choices, "wrong_key", key=2)

    others = (choices[:, 1:] == 0).sum(axis=1)
    answered = choices[:, 0] != NO_OPTION
    totals = others + (choices[:, 0] == 2)
    for figure, option in (("point_biserial_of_key", 2), ("point_biserial_of_option", 0)):
        expected = np.corrcoef(choices[answered, 0] == option, totals[answered])[0, 1]
        assert remark.figures[figure] == pytest.approx(expected, abs=1e-12)


def test_long_answers_are_cut_in_a_sentence_and_braces_stay_as_they_are(choices: Choices) -> None:
    raised = analyse(choices, [2, *[0] * 39], label="{braces} " * 20)

    [remark] = [remark for remark in raised if remark.rule == "wrong_key"]
    assert "“{braces} {braces}" in remark.seen
    assert len(remark.seen) < 300
    assert all(text == text.strip() for text in words())


def test_a_remark_carries_its_template_and_figures_so_that_it_can_be_said_in_other_languages(
    choices: Choices,
) -> None:
    choices[:, 0] = 0
    choices[:8, 0] = 1

    [remark] = of_first_item(choices, "too_easy")
    assert remark.seen == "The students got 96% of the points on average."
    written = as_json(remark)
    assert written["template"] == "The students got {facility} of the points on average."
    assert written["figures"] == {"facility": 0.96}
    assert written["item_id"] == 0


@pytest.mark.parametrize("share", sorted(SHARES))
def test_a_share_is_named_in_some_rule(share: str) -> None:
    assert any(f"{{{share}}}" in rule.seen for rule in RULES)


@pytest.mark.endurance
def test_wrong_keys_are_found_and_clean_items_left_alone() -> None:
    assert rates(500, 200, wrong_keys=1).found >= 0.95
    assert rates(500, 200, wrong_keys=0).of_keys <= 1 / 50
