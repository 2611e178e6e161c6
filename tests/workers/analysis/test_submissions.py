"""The statistics of submissions: parts in any order, few points, takers without names."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workers.analysis.submissions import SubmissionStatistics


def submissions(scores: list[float | None], **columns: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "user_id": range(len(scores)),
            "temporary_user_code": None,
            "score": np.array(scores, float),
            "n_correct": 1,
            "n_incorrect": 0,
            "seconds": np.arange(len(scores)) / 7,
            **columns,
        }
    )


def statistics_of(
    *parts: pd.DataFrame, points_possible: float | None = 4.0, anonymous: bool = False
) -> dict[str, Any]:
    found = SubmissionStatistics(points_possible, anonymous=anonymous)
    for part in parts:
        found.add(part)
    user_ids = [user_id for ids in found.user_ids() for user_id in ids.tolist()]
    return found.as_json() | ({} if anonymous else {"user_ids": user_ids})


def test_the_order_and_the_parts_of_the_submissions_make_no_difference() -> None:
    dice = np.random.default_rng(5)
    together = submissions((dice.integers(0, 40, 500) / 10).tolist())
    shuffled = together.sample(frac=1, random_state=5)

    assert statistics_of(together) == statistics_of(shuffled[:3], shuffled[3:])


def test_a_student_with_several_submissions_counts_once() -> None:
    found = statistics_of(submissions([1.0, 2.0]), submissions([4.0, None]))

    assert (found["unique_count"], found["user_ids"]) == (2, [0, 1])
    assert (found["scores"], found["score_average"]) == ({"25": 1, "50": 1, "100": 1}, 7 / 3)
    assert found["correct_count_average"] == 1.0


@pytest.mark.parametrize("scores", [[0.0, -0.0], [-0.0, 0.0], [-0.0, -0.0]])
def test_a_score_of_zero_has_one_sign(scores: list[float | None]) -> None:
    assert json.dumps(statistics_of(submissions(scores))) == json.dumps(
        statistics_of(submissions([0.0, 0.0]))
    )


def test_a_student_whose_submissions_are_in_two_parts_of_many_counts_once() -> None:
    # A part has a power of two of them, so it ends among the three submissions of a student.
    several = submissions([1.0] * 30_000, user_id=np.repeat(np.arange(10_000), 3))

    found = statistics_of(several.sample(frac=1, random_state=5))

    assert found["unique_count"] == 10_000
    assert found["user_ids"] == list(range(10_000))


def test_an_attempt_that_ends_before_it_begins_has_no_duration() -> None:
    assert (
        statistics_of(submissions([1.0, 2.0, 3.0], seconds=[-60.0, 60.0, 120.0]))["duration_average"] == 90.0
    )
    assert statistics_of(submissions([1.0], seconds=[-60.0]))["duration_average"] == 0


def test_a_percent_that_floats_put_below_a_half_is_rounded_up_all_the_same() -> None:
    # 29 / 200 * 100 is 14.499999999999998 in floats.
    assert statistics_of(submissions([29.0]), points_possible=200.0)["scores"] == {"15": 1}


def test_logged_out_takers_are_listed_by_their_codes_and_nobody_in_an_anonymous_survey() -> None:
    logged_out = submissions([1.0, 2.0], user_id=None, temporary_user_code=["b", "a"])

    found = statistics_of(submissions([3.0]), logged_out)
    assert (found["unique_count"], found["user_ids"], found["logged_out_users"]) == (3, [0], ["a", "b"])
    unnamed = statistics_of(logged_out, anonymous=True)
    assert unnamed["unique_count"] == 2
    assert not {"user_ids", "logged_out_users"} & unnamed.keys()


@pytest.mark.parametrize("points_possible", [None, 0.0, 5e-324, -4.0])
def test_a_quiz_without_points_has_no_percents(points_possible: float | None) -> None:
    found = statistics_of(submissions([1e12, -1e12]), points_possible=points_possible)

    assert (found["scores"], found["score_high"], found["score_low"]) == ({}, 1e12, -1e12)
    json.dumps(found, allow_nan=False)
