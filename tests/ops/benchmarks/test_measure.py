from __future__ import annotations

import pytest

from ops.benchmarks.measure import Comparison, Goal, Outcome, Spread, at_least, at_most, interleaved
from ops.benchmarks.reports import Size, exponent
from ops.benchmarks.table import as_json, table

TWO_SECONDS = Spread([2.0, 1.9, 2.3])
ONE_SECOND = Spread([1.0, 0.9, 1.4])


def outcome(goal: Goal | None) -> Outcome:
    return Outcome("f", "work", "s", TWO_SECONDS, "reference work", ONE_SECOND, goal)


def test_the_median_stands_for_the_runs() -> None:
    assert (TWO_SECONDS.median, TWO_SECONDS.least, TWO_SECONDS.most) == (2.0, 1.9, 2.3)


@pytest.mark.parametrize(
    ("goal", "figure", "is_met"),
    [
        (at_most(2.0), 2.0, True),
        (at_most(1.9), 2.0, False),
        (at_least(1.9), 2.0, True),
        (at_least(2.1), 2.0, False),
        (at_most(1.0, Comparison.DIFFERENCE), 1.0, True),
        (at_most(1.9, Comparison.ALONE), 2.0, False),
    ],
)
def test_a_goal_is_held_against_what_it_is_about(goal: Goal, figure: float, is_met: bool) -> None:
    assert outcome(goal).compared == pytest.approx(figure)
    assert outcome(goal).is_met is is_met


def test_without_a_goal_nothing_is_met_or_missed() -> None:
    assert outcome(None).is_met is None


def test_runs_take_turns() -> None:
    order: list[str] = []

    def action(name: str) -> float:
        order.append(name)
        return len(order)

    first, second = interleaved(2, lambda: action("a"), lambda: action("b"))

    assert order == ["a", "b", "a", "b"]
    assert (first.values, second.values) == ((1, 3), (2, 4))


def test_time_in_proportion_to_size_has_the_exponent_one() -> None:
    sizes = [Size(n, Spread([n / 1000]), Spread([0])) for n in (10_000, 100_000, 1_000_000)]

    assert exponent(sizes) == pytest.approx(1.0)


def test_the_table_shows_figure_reference_ratio_goal_and_spread() -> None:
    line = table([outcome(at_most(1.9))]).splitlines()[-1]

    assert [cell.strip() for cell in line.strip("|").split("|")] == [
        "work",
        "2 s (1.9-2.3)",
        "reference work",
        "1 s (0.9-1.4)",
        "2.00 ×",
        "≤ 1.9 ×",
        "NO",
    ]


def test_the_json_holds_every_run() -> None:
    figure = as_json(outcome(at_least(1 / 15)))

    assert figure["measured"]["values"] == [2.0, 1.9, 2.3]
    assert (figure["goal"], figure["met"]) == ("≥ 1/15", True)
