"""Which attempts a report reads: the rules of scoring policies, each with attempts worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from models.db.session import Database
from models.reports.selected_attempts import all_attempts, first_attempts, kept_attempts
from tests.lms import Lms
from tests.payloads import COURSE_ID, QUIZ_ID, attempt

HIGHEST, LATEST, AVERAGE = "keep_highest", "keep_latest", "keep_average"


@pytest.fixture
def lms(database: Database) -> Lms:
    """An LMS that has pushed a course and a quiz."""
    lms = Lms(database)
    lms.set_up()
    return lms


def selected(lms: Lms, query: str) -> list[tuple[int, int]]:
    """Return the submission and the number of each attempt that a query selects."""
    keys = {id_: key for id_, *key in lms.rows("SELECT id, submission_id, attempt FROM attempts")}
    return [(keys[id_][0], keys[id_][1]) for id_, *_ in lms.rows(query.replace(":", "\\:"))]


@pytest.mark.parametrize(
    ("policy", "scores", "kept"),
    [
        (HIGHEST, [2.0, 3.0, 1.0], 2),
        # Of two that have the kept score, the latest attempt, else the first.
        (HIGHEST, [3.0, 1.0, 3.0], 3),
        (HIGHEST, [3.0, 3.0, 1.0], 1),
        (HIGHEST, [None, 1.0, None], 2),
        (HIGHEST, [None, None], 2),
        (LATEST, [3.0, 1.0], 2),
        (LATEST, [3.0, None], 2),
        (AVERAGE, [1.0, 2.0, 3.0], 2),
        # No attempt has the average of 1.5.
        (AVERAGE, [1.0, 2.0], 2),
        (AVERAGE, [2.0, 1.0, 1.5], 3),
        # The means are 1.666…, 0.125 (halves away from zero), -0.125 and 2.675, which no float is.
        (AVERAGE, [1.67, 2.0, 1.33], 1),
        (AVERAGE, [0.13, 0.12], 1),
        (AVERAGE, [-0.13, -0.12], 1),
        (AVERAGE, [2.67, 2.68], 2),
        (AVERAGE, [1.0 / 3, 1.0 / 3], 2),
        (AVERAGE, [1e12, 1e12 - 1], 2),
        (AVERAGE, [None, 4.0, None], 2),
    ],
)
def test_one_attempt_counts_by_the_policy(
    lms: Lms, policy: str, scores: list[float | None], kept: int
) -> None:
    lms.put_attempts(*(attempt(501, number, score=score) for number, score in enumerate(scores, 1)))

    assert selected(lms, kept_attempts(COURSE_ID, QUIZ_ID, policy)) == [(501, kept)]


@pytest.mark.parametrize("policy", [HIGHEST, LATEST, AVERAGE])
@pytest.mark.parametrize(
    ("kept_scores", "kept"),
    [([1.0, 1.0], 1), ([None, 1.0], 1), ([1.0, None], 1), ([1.0, 2.0], 2), ([1.0, 7.0], 2)],
)
def test_the_newest_pushed_kept_score_goes_before_the_policy(
    lms: Lms, policy: str, kept_scores: list[float | None], kept: int
) -> None:
    # The scores are 1 and 2; no attempt has 7.
    lms.put_attempts(
        *(
            attempt(501, number, score=float(number), kept_score=kept_score)
            for number, kept_score in enumerate(kept_scores, 1)
        )
    )

    assert selected(lms, kept_attempts(COURSE_ID, QUIZ_ID, policy)) == [(501, kept)]


def on(day: int | None, submission_id: int, number: int = 1, **changes: Any) -> dict[str, Any]:
    """An attempt that ended on a day, and was updated at the same moment as every other."""
    ended = None if day is None else f"2026-09-{day:02}T00:00:00Z"
    return attempt(submission_id, number, finished_at=ended, **changes)


@pytest.mark.contract("7 Rows", "the attempts of a student with several submissions are in one order")
@pytest.mark.parametrize(
    ("attempts", "first", "latest"),
    [
        ([on(15, 1), on(12, 2)], (2, 1), (1, 1)),
        ([on(12, 2), on(12, 1)], (1, 1), (2, 1)),
        ([on(12, 2), on(None, 3)], (3, 1), (2, 1)),
        # The second attempt of the first submission ended last, but belongs to the earlier submission.
        ([on(10, 1, 1), on(20, 1, 2), on(15, 2)], (1, 1), (2, 1)),
        ([on(10, 1, 2), on(20, 1, 1), on(15, 2)], (1, 1), (2, 1)),
        ([on(None, 1, 1), on(20, 1, 2), on(15, 2)], (2, 1), (1, 2)),
    ],
)
def test_several_submissions_of_a_student_follow_each_other_by_their_earliest_end(
    lms: Lms, attempts: list[dict[str, Any]], first: tuple[int, int], latest: tuple[int, int]
) -> None:
    lms.put_attempts(*attempts)

    assert selected(lms, first_attempts(COURSE_ID, QUIZ_ID)) == [first]
    assert selected(lms, kept_attempts(COURSE_ID, QUIZ_ID, LATEST)) == [latest]


@pytest.mark.parametrize(("policy", "kept"), [(HIGHEST, (2, 1)), (LATEST, (1, 1)), (AVERAGE, (3, 1))])
def test_kept_scores_of_several_submissions_do_not_count(
    lms: Lms, policy: str, kept: tuple[int, int]
) -> None:
    lms.put_attempts(
        on(15, 1, score=1.0, kept_score=1.0),
        on(12, 2, score=3.0, kept_score=7.0),
        on(13, 3, score=2.0, kept_score=1.0),
    )

    assert selected(lms, kept_attempts(COURSE_ID, QUIZ_ID, policy)) == [kept]


@pytest.mark.contract("7 Rows", "an attempt whose data are null has no row")
def test_an_attempt_without_data_has_no_row_and_may_still_be_the_one_that_counts(lms: Lms) -> None:
    lms.put_attempts(on(10, 1, 1, score=2.0), on(11, 1, 2, score=None, submission_data=None))

    assert selected(lms, all_attempts(COURSE_ID, QUIZ_ID)) == [(1, 1)]
    assert selected(lms, kept_attempts(COURSE_ID, QUIZ_ID, HIGHEST)) == [(1, 1)]
    assert selected(lms, kept_attempts(COURSE_ID, QUIZ_ID, LATEST)) == []
    assert selected(lms, first_attempts(COURSE_ID, QUIZ_ID)) == [(1, 1)]


@pytest.fixture
def mixed(lms: Lms) -> Lms:
    """An LMS that has pushed attempts of every kind of taker, in every state."""
    lms.put_attempts_of_every_kind()
    return lms


def test_all_are_the_submitted_ones_of_students_newest_first_and_logged_out_takers_last(mixed: Lms) -> None:
    assert selected(mixed, all_attempts(COURSE_ID, QUIZ_ID)) == [
        (501, 2),
        (502, 1),
        (501, 1),
        (508, 1),
        (507, 1),
    ]


def test_each_submission_of_a_logged_out_taker_counts_on_its_own(mixed: Lms) -> None:
    assert selected(mixed, kept_attempts(COURSE_ID, QUIZ_ID, LATEST)) == [
        (501, 2),
        (502, 1),
        (508, 1),
        (507, 1),
    ]


def test_an_item_analysis_reads_the_first_attempts_of_students(mixed: Lms) -> None:
    assert selected(mixed, first_attempts(COURSE_ID, QUIZ_ID)) == [(501, 1), (502, 1)]


@pytest.mark.contract(
    "2 Parameters", "section_ids limits a report to students of the sections, without logged-out takers"
)
def test_sections_limit_a_report_to_their_students(mixed: Lms) -> None:
    # User 9 teaches in section 31, and user 10 has left it.
    first, second = (all_attempts(COURSE_ID, QUIZ_ID, [id_]) for id_ in (31, 32))

    assert selected(mixed, first) == [(501, 2), (501, 1)]
    assert selected(mixed, second) == [(502, 1)]
    assert selected(mixed, kept_attempts(COURSE_ID, QUIZ_ID, LATEST, [31, 32])) == [
        (501, 2),
        (502, 1),
    ]
    assert selected(mixed, first_attempts(COURSE_ID, QUIZ_ID, [31])) == [(501, 1)]


@pytest.mark.parametrize(
    "query",
    [
        all_attempts(COURSE_ID, QUIZ_ID),
        all_attempts(COURSE_ID, QUIZ_ID, [31]),
        first_attempts(COURSE_ID, QUIZ_ID),
        *(kept_attempts(COURSE_ID, QUIZ_ID, policy) for policy in (HIGHEST, LATEST, AVERAGE)),
    ],
)
def test_attempts_are_selected_by_their_index_alone(database: Database, query: str) -> None:
    # Which index is cheapest depends on how many rows the server believes in, so there is no other.
    with database.engine.connect() as connection:
        others = connection.exec_driver_sql(
            "SELECT indexrelid::regclass::text, conname FROM pg_index"
            " LEFT JOIN pg_constraint ON conindid = indexrelid AND conrelid = indrelid"
            " WHERE indrelid = 'attempts'::regclass AND indexrelid <> 'ix_attempts_selected'::regclass"
        ).all()
        for index, constraint in others:
            connection.exec_driver_sql(
                f"DROP INDEX {index}"
                if constraint is None
                else f"ALTER TABLE attempts DROP CONSTRAINT {constraint} CASCADE"
            )
        for way in ("seqscan", "bitmapscan"):
            connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        plan = connection.scalars(text("EXPLAIN " + query.replace(":", "\\:"))).all()
        connection.rollback()

    (scan,) = (step for step in plan if " on attempts" in step)
    assert "Index Only Scan using ix_attempts_selected" in scan
