"""The statistics of the submissions of a quiz in the shape of Canvas's API."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas as pd

from workers.analysis import psychometrics
from workers.analysis.frames import Integers
from workers.analysis.samples import Sample, Tally, slices

# Fewer points than these are none: shares of them would be no numbers.
_FEWEST_POINTS: Final = 1e-9


class SubmissionStatistics:
    """The submissions that count, fed part by part; the id of each taker is kept, and few distinct numbers.

    In an anonymous survey nobody is named.

    >>> submissions = SubmissionStatistics(4.0, anonymous=False)
    >>> counts = {"n_correct": [2, 1], "n_incorrect": [0, 1], "seconds": [60.0, 120.0]}
    >>> takers = {"user_id": [7, 8], "temporary_user_code": [None, None]}
    >>> submissions.add(pd.DataFrame({**takers, "score": [4.0, 0.5], **counts}))
    >>> {name: submissions.as_json()[name] for name in ("scores", "score_average", "unique_count")}
    {'scores': {'13': 1, '100': 1}, 'score_average': 2.25, 'unique_count': 2}
    """

    def __init__(self, points_possible: float | None, *, anonymous: bool) -> None:
        self._points_possible = points_possible
        self._anonymous = anonymous
        self._submissions = self._correct = self._incorrect = 0
        self._scores, self._seconds = Tally(), Tally()
        self._takers = array("q")
        self._logged_out: set[str] = set()

    def add(self, submissions: pd.DataFrame) -> None:
        """Add submissions with the columns of `frames.SUBMISSIONS`."""
        self._submissions += len(submissions)
        self._correct += int(submissions["n_correct"].sum())
        self._incorrect += int(submissions["n_incorrect"].sum())
        self._scores.add(submissions["score"].dropna().to_numpy(np.float64))
        seconds = submissions["seconds"].dropna().to_numpy(np.float64)
        # An attempt that ends before it begins has no known duration.
        self._seconds.add(seconds[seconds >= 0])
        self._takers.frombytes(submissions["user_id"].dropna().to_numpy(np.int64).tobytes())
        self._logged_out.update(submissions["temporary_user_code"].dropna())

    def as_json(self) -> dict[str, Any]:
        """Return the statistics; the standard deviation is that of the population.

        The list of user ids is empty, since it may be long: `user_ids` gives them.
        """
        # Sums of floats depend on their order, which must not be that in which attempts were pushed.
        scores, seconds = self._scores.ascending(), self._seconds.ascending()
        takers = sum(ids.size for ids in self.user_ids())
        named = {"user_ids": [], "logged_out_users": sorted(self._logged_out)}
        return {
            "scores": self._percents(scores),
            "score_average": scores.mean if scores.size else None,
            "score_high": scores.most if scores.size else None,
            "score_low": scores.least if scores.size else None,
            "score_stdev": psychometrics.standard_deviation(scores) if scores.size else None,
            "correct_count_average": psychometrics.ratio(self._correct, self._submissions),
            "incorrect_count_average": psychometrics.ratio(self._incorrect, self._submissions),
            "duration_average": seconds.mean if seconds.size else 0,
            "unique_count": takers + len(self._logged_out),
            **({} if self._anonymous else named),
        }

    def user_ids(self) -> Iterator[Integers]:
        """Yield the ids of the takers who were logged in, each once, in ascending order and in parts."""
        takers = np.frombuffer(self._takers, np.int64)
        takers.sort()
        for part in slices(takers.size):
            ids = takers[part]
            new = np.diff(ids, prepend=takers[part.start - 1] if part.start else ids[0] - 1) != 0
            if new.any():
                yield ids[new]

    def _percents(self, scores: Sample) -> dict[str, int]:
        possible = self._points_possible
        if possible is None or possible < _FEWEST_POINTS:
            return {}
        percents = Sample(scores.size, lambda: (part / possible * 100 for part in scores.parts()))
        return psychometrics.score_distribution(percents)
