"""The statistics of a quiz once more, slow and plain: loops over lists, by the letter of the definitions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

FEWEST = 20
SMALLEST_GROUP = 5

Numbers = Sequence[float]


@dataclass(frozen=True)
class Response:
    """A response that was shown: the points, whether they were graded, and the chosen option."""

    points: float
    graded: bool = True
    answered: bool = True
    option: int | None = None


Row = Sequence[Response | None]


@dataclass(frozen=True)
class PlainQuiz:
    """A row for each respondent; None for a question that a respondent was not shown."""

    rows: Sequence[Row]
    possible: Numbers

    def analysed(self) -> list[int]:
        """List the questions that carry points, if half of the responses to them are graded."""
        found = []
        for item, points in enumerate(self.possible):
            shown = [row[item] for row in self.rows if row[item] is not None]
            graded = [response for response in shown if response is not None and response.graded]
            if points > 0 and shown and len(graded) * 2 >= len(shown):
                found.append(item)
        return found

    def score(self, respondent: int, item: int) -> float | None:
        """Return the points of a graded response."""
        response = self.rows[respondent][item]
        return response.points if response is not None and response.graded else None

    def is_complete(self) -> bool:
        """Whether every respondent has a graded response to every analysed question."""
        return all(
            self.score(respondent, item) is not None
            for respondent in range(len(self.rows))
            for item in self.analysed()
        )

    def total(self, respondent: int, without: int | None = None) -> float | None:
        """Return the total, or the share of what could be got; None if there was nothing to get."""
        got, could = 0.0, 0.0
        for item in self.analysed():
            score = self.score(respondent, item)
            if score is not None and item != without:
                got += score
                could += self.possible[item]
        if self.is_complete():
            return round(got, 9)
        return round(round(got, 9) / could, 9) if could > 0 else None

    def pairs(self, item: int, *, rest: bool) -> list[tuple[float, float]]:
        """List score and total, or score and rest, of everybody whose response is graded."""
        found = []
        for respondent in range(len(self.rows)):
            score = self.score(respondent, item)
            total = self.total(respondent, item if rest else None)
            if score is not None and total is not None:
                found.append((score, total))
        return found

    def facility(self, item: int) -> float | None:
        """Return the mean share of the points."""
        scores = [s for r in range(len(self.rows)) if (s := self.score(r, item)) is not None]
        facility = statistics.fmean(scores) / self.possible[item] if scores else None
        return facility if facility is not None and 0 <= facility <= 1 else None

    def correlation(self, item: int, *, rest: bool) -> float | None:
        """Return Pearson's correlation with the total or the rest."""
        pairs = self.pairs(item, rest=rest)
        xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
        if len(pairs) < FEWEST or len(set(xs)) < 2 or len(set(ys)) < 2:
            return None
        return statistics.correlation(xs, ys)

    def count(self, item: int) -> int:
        """Count the graded responses."""
        return sum(self.score(respondent, item) is not None for respondent in range(len(self.rows)))

    def alpha(self) -> float | None:
        """Return coefficient alpha."""
        return self._alpha_of(self.analysed())

    def alpha_without(self, item: int) -> float | None:
        """Return coefficient alpha of the other questions."""
        return self._alpha_of([other for other in self.analysed() if other != item])

    def _alpha_of(self, items: Sequence[int]) -> float | None:
        if len(self.rows) < FEWEST or len(items) < 2 or not self.is_complete():
            return None
        columns = [[self.score(r, item) or 0.0 for r in range(len(self.rows))] for item in items]
        totals = [round(sum(scores), 9) for scores in zip(*columns, strict=True)]
        if len(set(totals)) < 2:
            return None
        of_items = sum(statistics.variance(column) for column in columns)
        return float(len(items) / (len(items) - 1) * (1 - of_items / statistics.variance(totals)))

    def groups(self) -> list[str]:
        """Return everybody's group: ties go up."""
        totals = [self.total(respondent) for respondent in range(len(self.rows))]
        ascending = sorted(total for total in totals if total is not None)

        def lowest(percent: int) -> float:
            index = math.floor(percent * len(ascending) / 100 + 0.5)
            return ascending[index] if index < len(ascending) else math.inf

        top, middle = lowest(73), lowest(27)
        return [
            "middle"
            if total is None
            else "top"
            if total >= top
            else "middle"
            if total >= middle
            else "bottom"
            for total in totals
        ]

    def d27(self, item: int) -> float | None:
        """Return the mean share of the points in the top group less that in the bottom group; none of few."""
        means = []
        for group in ("top", "bottom"):
            scores = [
                score / self.possible[item]
                for respondent, its_group in enumerate(self.groups())
                if its_group == group and (score := self.score(respondent, item)) is not None
            ]
            if len(scores) < SMALLEST_GROUP:
                return None
            means.append(statistics.fmean(scores))
        difference = means[0] - means[1]
        return difference if self.count(item) >= FEWEST and abs(difference) <= 1 else None

    def efficiency(self, item: int) -> float | None:
        """Return Cov(x, R)/Cov_max(x, R)."""
        greatest = self.greatest_rest_covariance(item)
        if greatest is None:
            return None
        return statistics.covariance(*zip(*self.pairs(item, rest=True), strict=True)) / greatest

    def greatest_rest_covariance(self, item: int) -> float | None:
        """Return Cov_max(x, R), of both in ascending order."""
        pairs = self.pairs(item, rest=True)
        xs, rests = [x for x, _ in pairs], [rest for _, rest in pairs]
        if len(pairs) < FEWEST or len(set(xs)) < 2 or len(set(rests)) < 2:
            return None
        return statistics.covariance(sorted(xs), sorted(rests))

    def summary(self) -> dict[str, float | None]:
        """Return the figures of the totals in points, and of their distribution, by name."""
        rows = range(len(self.rows))
        known = [r for r in rows if any(self.score(r, item) is not None for item in self.analysed())]
        points = [round(sum(self.score(r, item) or 0.0 for item in self.analysed()), 9) for r in known]
        compared = [total for r in rows if (total := self.total(r)) is not None] if points else []
        several = len(points) > 1
        return {
            "mean": statistics.fmean(points) if points else None,
            "median": statistics.median(points) if points else None,
            "minimum": min(points, default=None),
            "maximum": max(points, default=None),
            "standard_deviation_population": statistics.pstdev(points) if points else None,
            "standard_deviation_sample": statistics.stdev(points) if several else None,
            "skewness": _skewness(compared),
            "kurtosis": _kurtosis(compared),
        }

    def mean_total(self, item: int, option: int) -> float | None:
        """Return the mean total of the respondents who chose an option."""
        totals = [
            total
            for respondent, row in enumerate(self.rows)
            if (response := row[item]) is not None
            and response.answered
            and response.option == option
            and (total := self.total(respondent)) is not None
        ]
        enough = self.count(item) >= FEWEST and len(totals) >= SMALLEST_GROUP
        return statistics.fmean(totals) if enough else None

    def share_of_group(self, item: int, option: int, group: str) -> float | None:
        """Return the share of a group that chose an option, of those who were shown the question."""
        shown = [(r, g) for row, g in zip(self.rows, self.groups(), strict=True) if (r := row[item])]
        in_group = [response for response, its_group in shown if its_group == group]
        if len(shown) < FEWEST or len(in_group) < SMALLEST_GROUP:
            return None
        chose = [response.answered and response.option == option for response in in_group]
        return statistics.fmean(chose)

    def weights(self) -> dict[int, float | None]:
        """Return each question's share of the sum of √Cov(x, T)."""
        roots: dict[int, float | None] = {}
        for item in self.analysed():
            pairs = self.pairs(item, rest=False)
            covariance = statistics.covariance(*zip(*pairs, strict=True)) if len(pairs) > 1 else 0.0
            roots[item] = math.sqrt(covariance) if covariance >= 0 else None
        total = sum(root for root in roots.values() if root is not None)
        return {
            item: root / total if root is not None and total and self.count(item) >= FEWEST else None
            for item, root in roots.items()
        }

    def option(self, item: int, option: int) -> tuple[int, float | None]:
        """Return how many chose an option, and its correlation with the total among those who answered."""
        chose, totals = [], []
        for respondent, row in enumerate(self.rows):
            response, total = row[item], self.total(respondent)
            if response is not None and response.answered and total is not None:
                chose.append(float(response.option == option))
                totals.append(total)
        count = int(sum(chose))
        if (
            min(self.count(item), len(chose)) < FEWEST
            or count < SMALLEST_GROUP
            or count == len(chose)
            or len(set(totals)) < 2
        ):
            return count, None
        return count, statistics.correlation(chose, totals)


def _skewness(values: Numbers) -> float | None:
    n = len(values)
    if n < FEWEST or len(set(values)) < 2:
        return None
    mean = statistics.fmean(values)
    k2 = math.fsum((x - mean) ** 2 for x in values) / (n - 1)
    k3 = n * math.fsum((x - mean) ** 3 for x in values) / ((n - 1) * (n - 2))
    return float(k3 / k2**1.5)


def _kurtosis(values: Numbers) -> float | None:
    n = len(values)
    if n < FEWEST or len(set(values)) < 2:
        return None
    mean = statistics.fmean(values)
    m2, m4 = (math.fsum((x - mean) ** power for x in values) / n for power in (2, 4))
    k2 = n * m2 / (n - 1)
    k4 = n**2 * ((n + 1) * m4 - 3 * (n - 1) * m2**2) / ((n - 1) * (n - 2) * (n - 3))
    return float(k4 / k2**2)
