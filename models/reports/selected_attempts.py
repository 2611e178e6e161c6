"""Which attempts of a quiz a report has, as SQL: all, the first of each student, or the one that counts.

Each value in these texts is an integer or a member of an enum of the service. `among` is a further condition
on the table `attempts a`; it must leave each respondent all attempts, or none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from models.lms.attempts import SUBMITTED_STATES
from models.lms.courses import EnrollmentState, EnrollmentType
from models.lms.quizzes import ScoringPolicy

_SUBMITTED: Final = ", ".join(f"'{state.value}'" for state in SUBMITTED_STATES)


def id_list(ids: Iterable[int]) -> str:
    """Write ids as an array."""
    return "'{" + ",".join(map(str, ids)) + "}'::bigint[]"


def students(course_id: int, section_ids: Sequence[int]) -> str:
    """Select the ids of a course's students or, if sections are given, of theirs."""
    in_sections = f"AND e.section_id = ANY({id_list(section_ids)})" if section_ids else ""
    return f"""
        SELECT e.user_id FROM enrollments e
        WHERE e.course_id = {course_id:d} AND e.type = '{EnrollmentType.STUDENT.value}'
          AND e.enrollment_state <> '{EnrollmentState.DELETED.value}' {in_sections}"""  # noqa: S608


def submitted(course_id: int, quiz_id: int, section_ids: Sequence[int], among: str = "") -> str:
    """Select the submitted attempts of a course's students and of logged-out takers.

    If sections are given, only those of their students.
    """
    logged_out = "" if section_ids else "a.user_id IS NULL OR"
    return f"""
        SELECT a.id, a.question_set_id, a.quiz_question_set_id IS NULL AS sends_questions, a.user_id,
               a.submission_id, a.attempt, a.score, a.kept_score, a.finished_at, a.updated_at, a.has_data,
               a.user_id IS NULL AS logged_out, a.response_bytes AS size
        FROM attempts a
        WHERE a.quiz_id = {quiz_id:d} AND a.workflow_state IN ({_SUBMITTED}) AND NOT a.was_preview
          AND ({logged_out} a.user_id IN ({students(course_id, section_ids)}))
          {f"AND {among}" if among else ""}"""  # noqa: S608


# The size is that of the responses as they are read, in bytes: those that compress well are stored in less.
SELECTED: Final = "id, question_set_id, size, updated_at, submission_id, attempt, sends_questions"
_ROW_ORDER: Final = "logged_out, updated_at DESC, submission_id DESC, attempt DESC"


def all_attempts(course_id: int, quiz_id: int, section_ids: Sequence[int] = (), among: str = "") -> str:
    """Select the columns of a worker's `Selection`: all attempts that have data, in row order."""
    return f"""
        SELECT {SELECTED} FROM ({submitted(course_id, quiz_id, section_ids, among)}) AS submitted
        WHERE has_data
        ORDER BY {_ROW_ORDER}"""  # noqa: S608


def numbered(course_id: int, quiz_id: int, section_ids: Sequence[int], among: str = "") -> str:
    """Select the submitted attempts, each with its number among those of its respondent.

    A student may have several submissions, as after merged accounts: they follow each other in the order of
    their earliest end. Each submission of a logged-out taker is a respondent of its own.
    """
    return f"""
        SELECT *, row_number() OVER (
                      PARTITION BY user_id, logged_out_id
                      ORDER BY first_finished_at NULLS FIRST, submission_id, attempt) AS number
        FROM (SELECT *, CASE WHEN logged_out THEN submission_id END AS logged_out_id,
                     min(finished_at) OVER (PARTITION BY user_id, submission_id) AS first_finished_at
              FROM ({submitted(course_id, quiz_id, section_ids, among)}) AS submitted) AS taken"""  # noqa: S608


# A mean is rounded to two decimals, as numeric, which rounds half away from zero.
_KEPT_SCORES: Final = {
    ScoringPolicy.HIGHEST: "max(score) OVER respondent",
    ScoringPolicy.LATEST: "first_value(score) OVER latest_first",
    ScoringPolicy.AVERAGE: "round(avg(score::numeric) OVER respondent, 2)::float8",
}


def kept_attempts(
    course_id: int, quiz_id: int, scoring_policy: str, section_ids: Sequence[int] = (), among: str = ""
) -> str:
    """Select the columns of a `Selection`: the attempt of each respondent that counts, in row order.

    That is the latest if it has the kept score, else the first that has it, else the latest. The kept score
    is the one pushed with the latest attempt that has one, else it follows from the scoring policy; it always
    does if the respondent has several submissions, each of which has a kept score of its own. If the attempt
    that counts has no data, the respondent has no row.
    """
    by_policy = _KEPT_SCORES[ScoringPolicy(scoring_policy)]
    return f"""
        WITH scored AS (
            SELECT *,
                   number = max(number) OVER respondent AS is_latest,
                   score IS NOT DISTINCT FROM coalesce(
                       CASE WHEN min(submission_id) OVER respondent = max(submission_id) OVER respondent
                            THEN first_value(kept_score) OVER known_first END,
                       {by_policy}) AS is_kept
            FROM ({numbered(course_id, quiz_id, section_ids, among)}) AS numbered
            WINDOW respondent AS (PARTITION BY user_id, logged_out_id),
                   latest_first AS (PARTITION BY user_id, logged_out_id ORDER BY number DESC),
                   known_first AS (PARTITION BY user_id, logged_out_id
                                   ORDER BY kept_score IS NULL, number DESC)
        ), counting AS (
            SELECT DISTINCT ON (user_id, logged_out_id) * FROM scored
            ORDER BY user_id, logged_out_id, is_kept AND is_latest DESC, is_kept DESC,
                     CASE WHEN is_kept THEN number END, number DESC
        )
        SELECT {SELECTED} FROM counting WHERE has_data ORDER BY {_ROW_ORDER}"""  # noqa: S608


# Sums of floats depend on their order, which must not be that in which attempts were pushed.
ITEM_ORDER: Final = "submission_id, attempt"


def first_attempts(course_id: int, quiz_id: int, section_ids: Sequence[int] = (), among: str = "") -> str:
    """Select the columns of a `Selection`, with the scores: each student's first submitted attempt."""
    return f"""
        SELECT {SELECTED}, score FROM ({numbered(course_id, quiz_id, section_ids, among)}) AS numbered
        WHERE number = 1 AND NOT logged_out
        ORDER BY {ITEM_ORDER}"""  # noqa: S608
