"""The measurements: spreads of repeated runs, and outcomes that are compared with a goal."""

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
        """The median, which represents the runs."""
        return statistics.median(self.values)

    @property
    def least(self) -> float:
        """The minimum."""
        return min(self.values)

    @property
    def most(self) -> float:
        """The maximum."""
        return max(self.values)

    def times(self, factor: float) -> Spread:
        """Return every value multiplied."""
        return Spread([value * factor for value in self.values])


class Comparison(StrEnum):
    """How the measured median and that of the reference give the figure that is compared with the goal."""

    RATIO = "×"
    DIFFERENCE = "more"
    ALONE = ""


class Bound(StrEnum):
    """The side of its limit on which a figure meets the goal."""

    AT_MOST = "≤"
    AT_LEAST = "≥"


@dataclass(frozen=True)
class Goal:
    """A limit for a figure."""

    bound: Bound
    limit: float
    comparison: Comparison = Comparison.RATIO

    def compared(self, measured: Spread, reference: Spread | None) -> float:
        """Return the figure that is compared with the limit."""
        match self.comparison, reference:
            case Comparison.RATIO, Spread():
                return measured.median / reference.median
            case Comparison.DIFFERENCE, Spread():
                return measured.median - reference.median
            case _:
                return measured.median

    def is_met_by(self, figure: float) -> bool:
        """Whether a figure meets the goal."""
        return figure <= self.limit if self.bound is Bound.AT_MOST else figure >= self.limit


@dataclass(frozen=True)
class Outcome:
    """One row of the table; without a goal it is informative only."""

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
        """The figure that is compared with the goal."""
        return None if self.goal is None else self.goal.compared(self.measured, self.reference)

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        return None if self.goal is None or self.compared is None else self.goal.is_met_by(self.compared)


def at_most(limit: float, comparison: Comparison = Comparison.RATIO) -> Goal:
    """Make a goal that figures up to its limit meet."""
    return Goal(Bound.AT_MOST, limit, comparison)


def at_least(limit: float, comparison: Comparison = Comparison.RATIO) -> Goal:
    """Make a goal that figures from its limit on meet."""
    return Goal(Bound.AT_LEAST, limit, comparison)


def seconds(action: Callable[[], object]) -> float:
    """Return how many seconds an action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def interleaved(runs: int, *actions: Callable[[], float]) -> list[Spread]:
    """Alternate the measurements, so that other load on the machine affects all of them alike."""
    results = [[action() for action in actions] for _ in range(runs)]
    return [Spread(values) for values in zip(*results, strict=True)]
