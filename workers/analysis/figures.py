"""What a figure of the statistics consists of: its value and interval, or the reason why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from workers.analysis.intervals import Interval

FEWEST_RESPONDENTS: Final = 20
SMALLEST_GROUP: Final = 5


class Reason(StrEnum):
    """Why a figure is not given, in words for a teacher; the words are also the keys of translations."""

    FEW_RESPONDENTS = "There are fewer than 20 responses, too few for a coefficient."
    NO_RESPONDENTS = "There are no responses yet."
    NO_ITEMS = "No question carries points and is graded, so there are no totals."
    NO_SCORES = "No attempt has a score yet."
    ALL_CORRECT = "Everybody answered this correctly, so it does not tell students apart."
    ALL_WRONG = "Nobody got a point for this, so it does not tell students apart."
    EQUAL_SCORES = "Everybody got the same points for this, so it does not tell students apart."
    EQUAL_TOTALS = "All students have the same total, so there is nothing to compare with."
    EQUAL_RESTS = (
        "All students have the same points on the other questions, so there is nothing to compare with."
    )
    FEW_ITEMS = "This figure needs two scored questions or more."
    FEW_ITEMS_LEFT = "Fewer than two questions remain without this one."
    DIFFERENT_ITEMS = (
        "Not all students were shown the same questions, or some responses are not graded yet, so their"
        " totals are not of the same questions."
    )
    NO_POINTS = "The question carries no points."
    NOT_GRADED = "Fewer than half of the responses are graded."
    EMPTY_GROUP = (
        "So many students have equal totals that the best or the weakest 27 percent are an empty group."
    )
    SMALL_GROUP = "The group has fewer than 5 students."
    FEW_IN_GROUP = (
        "Fewer than 5 of the best or of the weakest 27 percent have a graded response to this question."
    )
    ALL_OR_NONE = "All students chose this, or none did, so there are no two groups to compare."
    OUT_OF_RANGE = "On average, students were given more points than possible, or fewer than none."
    NEGATIVE_COVARIANCE = (
        "Students with high totals did worse here, so the question has no share in the differences between"
        " totals."
    )
    NO_TIMES = "No attempt has both a beginning and an end."
    NOT_COMPUTABLE = "The numbers are too far apart to compute it."


@dataclass(frozen=True)
class Figure:
    """A finite number, with its interval of 95 percent if it has one; or None and the reason."""

    value: float | None
    interval: Interval | None = None
    reason: Reason | None = None

    @classmethod
    def of(cls, value: float | None, reason: Reason, interval: Interval | None = None) -> Self:
        """Return a figure, or the reason if there is no value, or none that is finite."""
        if value is None:
            return cls(None, reason=reason)
        if not math.isfinite(value):
            return cls(None, reason=Reason.NOT_COMPUTABLE)
        return cls(value, interval if interval and all(map(math.isfinite, interval)) else None)

    @classmethod
    def none(cls, reason: Reason) -> Self:
        """Return no figure, for a reason."""
        return cls(None, reason=reason)


_OF_TOTALS: Final = (
    "Of the students' totals in points. In percent, of the share of the points that each student could get."
)

CONVENTIONS: Final = {
    "n": "The students whose attempt counts, one attempt each.",
    "total": "The sum of a student's points on the analysed questions. If students were shown different"
    " questions, or some responses are not graded yet, totals are compared as the share of the points that"
    " a student could get.",
    "totals_in": "What totals are compared in: points, or the share of the points that a student could get.",
    "mean": _OF_TOTALS,
    "median": _OF_TOTALS,
    "minimum": _OF_TOTALS,
    "maximum": _OF_TOTALS,
    "quiz_score": "Of the scores that the quiz itself gave for the same attempts: they include questions that"
    " are not analysed and points that were added by hand. Attempts without a score are left out.",
    "rest": "The total without the question itself.",
    "standard_deviation_population": "The sum of squared deviations is divided by n.",
    "standard_deviation_sample": "The sum of squared deviations is divided by n - 1.",
    "skewness": "k3/k2^1.5 of the totals with unbiased cumulants, as in Moodle; needs three students.",
    "kurtosis": "k4/k2^2 of the totals with unbiased cumulants (0 for a normal distribution), as in Moodle.",
    "alpha": "Coefficient alpha of the analysed questions and their own total, sample variances; equals KR-20"
    " for questions scored right or wrong. The interval is Feldt's, 95 percent.",
    "standard_error_of_measurement": "s_T times the square root of 1 - alpha, in points; s_T divides"
    " by n - 1.",
    "minutes": "From started to finished; median and quartiles with linear interpolation.",
    "facility": "Mean points divided by the points possible; a question left blank counts 0 unless points"
    " were given for it. For questions scored right or wrong the interval is Wilson's, 95 percent.",
    "point_biserial_total": "Correlation of the question with the total, the question included.",
    "item_rest_correlation": "Correlation of the question with the rest; 100 times this is Moodle's"
    " discrimination index. The interval is Fisher's, 95 percent.",
    "d27": "Mean share of the points in the top 27 percent of the students less that in the bottom 27"
    " percent; students with equal totals are in the same group, the higher one.",
    "discriminative_efficiency": "Covariance of question and rest as a share of the greatest that the same"
    " numbers allow; 100 times this is Moodle's.",
    "greatest_rest_covariance": "Covariance of question and rest, both sorted in ascending order.",
    "effective_weight": "Square root of the covariance of question and total, as a share of the sum of these,"
    " as in Moodle; none where the covariance is negative.",
    "alpha_if_deleted": "Coefficient alpha without the question. The interval is Feldt's, 95 percent.",
    "option_share": "Of the students who were shown the question; the share of a group, of those of them who"
    " are in the group.",
    "option_mean_total": "Mean total of the students who chose it, in what totals_in says.",
    "option_point_biserial": "Correlation of choosing it with the total, among the students who gave an"
    " answer.",
}
"""What each figure means, by its name: systems differ in these."""


def convention_of(name: str) -> str:
    """Return the name of the convention that a figure follows, empty for a count that its name explains.

    Figures of one quantity may share a convention.

    >>> convention_of("minutes_median"), convention_of("answered")
    ('minutes', '')
    """
    while name and name not in CONVENTIONS:
        name = name.rpartition("_")[0]
    return name
