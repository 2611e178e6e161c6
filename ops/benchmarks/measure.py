"""What a benchmark measures: spreads of repeated runs, and outcomes that are held against a goal."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Spread:
    """The results of repeated runs, in one unit."""

    values: Sequence[float]

    @property
    def median(self) -> float:
        """The value that stands for all."""
        return statistics.median(self.values)

    @property
    def least(self) -> float:
        """The smallest of them."""
        return min(self.values)

    @property
    def most(self) -> float:
        """The largest of them."""
        return max(self.values)

    def times(self, factor: float) -> Spread:
        """Return every value multiplied."""
        return Spread([value * factor for value in self.values])


class Comparison(StrEnum):
    """What of the measured median and the reference's is held against the goal."""

    RATIO = "×"
    DIFFERENCE = "more"
    ALONE = ""


class Bound(StrEnum):
    """On which side of its limit a figure is good."""

    AT_MOST = "≤"
    AT_LEAST = "≥"


@dataclass(frozen=True)
class Goal:
    """A limit for a figure."""

    bound: Bound
    limit: float
    comparison: Comparison = Comparison.RATIO

    def compared(self, measured: Spread, reference: Spread | None) -> float:
        """Return the figure that is held against the limit."""
        match self.comparison, reference:
            case Comparison.RATIO, Spread():
                return measured.median / reference.median
            case Comparison.DIFFERENCE, Spread():
                return measured.median - reference.median
            case _:
                return measured.median

    def is_met_by(self, figure: float) -> bool:
        """Tell whether a figure is good enough."""
        return figure <= self.limit if self.bound is Bound.AT_MOST else figure >= self.limit


@dataclass(frozen=True)
class Outcome:
    """One row of the table; without a goal it is for information."""

    figure: str
    work: str
    unit: str
    measured: Spread
    reference_work: str = ""
    reference: Spread | None = None
    goal: Goal | None = None
    remark: str = ""

    @property
    def compared(self) -> float | None:
        """The figure that is held against the goal."""
        return None if self.goal is None else self.goal.compared(self.measured, self.reference)

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        return None if self.goal is None or self.compared is None else self.goal.is_met_by(self.compared)


def at_most(limit: float, comparison: Comparison = Comparison.RATIO) -> Goal:
    """Make a goal that is met from its limit downwards."""
    return Goal(Bound.AT_MOST, limit, comparison)


def at_least(limit: float, comparison: Comparison = Comparison.RATIO) -> Goal:
    """Make a goal that is met from its limit upwards."""
    return Goal(Bound.AT_LEAST, limit, comparison)


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def interleaved(runs: int, *actions: Callable[[], float]) -> list[Spread]:
    """Run measurements in turns, so that whatever else the machine does falls on all of them alike."""
    results = [[action() for action in actions] for _ in range(runs)]
    return [Spread(values) for values in zip(*results, strict=True)]
