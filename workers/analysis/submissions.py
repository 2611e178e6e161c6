"""The statistics of the submissions of a quiz in the shape of Canvas's API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from workers.analysis import psychometrics
from workers.analysis.samples import Scalar

Floats = npt.NDArray[np.float64]

# Fewer points than these are none: shares of them would be no numbers.
_FEWEST_POINTS: Final = 1e-9


class SubmissionStatistics:
    """The submissions that count, fed part by part; 24 bytes of each are kept.

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
        self._scores, self._seconds = [np.empty(0)], [np.empty(0)]
        self._takers = [np.empty(0, np.int64)]
        self._logged_out: set[str] = set()

    def add(self, submissions: pd.DataFrame) -> None:
        """Add submissions with the columns of `frames.SUBMISSIONS`."""
        self._submissions += len(submissions)
        self._correct += int(submissions["n_correct"].sum())
        self._incorrect += int(submissions["n_incorrect"].sum())
        self._scores.append(submissions["score"].dropna().to_numpy(np.float64))
        seconds = submissions["seconds"].dropna().to_numpy(np.float64)
        # An attempt that ends before it begins has no known duration.
        self._seconds.append(seconds[seconds >= 0])
        self._takers.append(submissions["user_id"].dropna().to_numpy(np.int64))
        self._logged_out.update(submissions["temporary_user_code"].dropna())

    def as_json(self) -> dict[str, Any]:
        """Return the statistics; the standard deviation is that of the population."""
        # Sums of floats depend on their order, which must not be that in which attempts were pushed.
        scores, seconds = _ascending(self._scores), _ascending(self._seconds)
        takers = np.unique(_ascending(self._takers))
        named = {"user_ids": takers.tolist(), "logged_out_users": sorted(self._logged_out)}
        return {
            "scores": self._percents(scores),
            "score_average": _of(scores, np.mean),
            "score_high": _of(scores, np.max),
            "score_low": _of(scores, np.min),
            "score_stdev": _of(scores, psychometrics.standard_deviation),
            "correct_count_average": psychometrics.ratio(self._correct, self._submissions),
            "incorrect_count_average": psychometrics.ratio(self._incorrect, self._submissions),
            "duration_average": float(seconds.mean()) if seconds.size else 0,
            "unique_count": takers.size + len(self._logged_out),
            **({} if self._anonymous else named),
        }

    def _percents(self, scores: Floats) -> dict[str, int]:
        if self._points_possible is None or self._points_possible < _FEWEST_POINTS:
            return {}
        return psychometrics.score_distribution(scores / self._points_possible * 100)


def _ascending(parts: list[npt.NDArray[Scalar]]) -> npt.NDArray[Scalar]:
    """Return the numbers of all parts in ascending order, in which they are kept from now on."""
    ascending = np.concatenate(parts)
    parts[:] = [ascending]
    ascending.sort()
    return ascending


def _of(scores: Floats, formula: Callable[[Floats], Any]) -> float | None:
    return float(formula(scores)) if scores.size else None
