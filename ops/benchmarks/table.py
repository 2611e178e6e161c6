"""The outcomes of a run, as a table for people and as JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ops.benchmarks.measure import Comparison, Goal, Outcome, Spread

_COLUMNS = ("work", "measured", "reference", "its time", "compared", "goal", "met")


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a Markdown table with aligned columns."""
    rows = [_COLUMNS, *(_row(outcome) for outcome in outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome with all its runs."""
    return {
        "figure": outcome.figure,
        "work": outcome.work,
        "unit": outcome.unit,
        "measured": _spread_json(outcome.measured),
        "reference_work": outcome.reference_work,
        "reference": None if outcome.reference is None else _spread_json(outcome.reference),
        "compared": outcome.compared,
        "goal": None if outcome.goal is None else _goal(outcome.goal, outcome.unit),
        "met": outcome.is_met,
        "remark": outcome.remark,
    }


def _row(outcome: Outcome) -> tuple[str, ...]:
    remark = f" ({outcome.remark})" if outcome.remark else ""
    goal = outcome.goal
    return (
        outcome.work + remark,
        _spread(outcome.measured, outcome.unit),
        outcome.reference_work,
        "" if outcome.reference is None else _spread(outcome.reference, outcome.unit),
        _compared(outcome),
        "" if goal is None else _goal(goal, outcome.unit),
        {True: "yes", False: "NO", None: ""}[outcome.is_met],
    )


def _compared(outcome: Outcome) -> str:
    if outcome.compared is None:
        return (
            "" if outcome.reference is None else f"{outcome.measured.median / outcome.reference.median:.2f} ×"
        )
    if outcome.goal is not None and outcome.goal.comparison is Comparison.RATIO:
        return f"{outcome.compared:.2f} ×"
    return f"{_number(outcome.compared)} {outcome.unit}".strip()


def _goal(goal: Goal, unit: str) -> str:
    match goal.comparison:
        case Comparison.RATIO if goal.limit < 1 and math.isclose(1 / goal.limit, round(1 / goal.limit)):
            return f"{goal.bound} 1/{1 / goal.limit:g}"
        case Comparison.RATIO:
            return f"{goal.bound} {goal.limit:g} ×"
        case Comparison.DIFFERENCE:
            return f"{goal.bound} {goal.limit:g} {unit} more"
        case _:
            return f"{goal.bound} {goal.limit:g} {unit}".strip()


def _spread(spread: Spread, unit: str) -> str:
    if len(spread.values) == 1:
        return f"{_number(spread.median)} {unit}".strip()
    return f"{_number(spread.median)} {unit} ({_number(spread.least)}-{_number(spread.most)})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _spread_json(spread: Spread) -> dict[str, Any]:
    return {
        "median": spread.median,
        "least": spread.least,
        "most": spread.most,
        "values": list(spread.values),
    }
