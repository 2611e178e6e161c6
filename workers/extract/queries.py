"""The SQL of the reports. Each value in it is an integer or a member of an enum of the service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from models.db.base import Base
from models.lms.attempts import SUBMITTED_STATES, Attempt, AttemptState
from models.lms.courses import EnrollmentState, EnrollmentType, User
from models.lms.quizzes import ScoringPolicy
from workers.analysis.frames import (
    ITEM_ATTEMPTS,
    NEW_QUIZZES_ATTEMPTS,
    SELECTIONS,
    STATISTICS_ATTEMPTS,
    STUDENT_ATTEMPTS,
)
from workers.extract.number_arrays import NUMBER_ARRAYS

_SUBMITTED = ", ".join(f"'{state.value}'" for state in SUBMITTED_STATES)


def _list(ids: Iterable[int]) -> str:
    return "'{" + ",".join(map(str, ids)) + "}'::bigint[]"


def _columns(alias: str, table: type[Base], frame: Iterable[str]) -> str:
    """List the columns of a table that a frame has, too; numbers in arrays as bytes for `number_arrays`."""
    return ", ".join(
        f"array_send({alias}.{name}) AS {name}" if name in NUMBER_ARRAYS else f"{alias}.{name}"
        for name in frame
        if name in table.__table__.columns
    )


def quiz(quiz_id: int) -> str:
    """Select a quiz's title and settings, its revision and that of its course's roster, and the time."""
    return f"""
        SELECT now() AS now, q.title, q.revision, c.roster_revision, c.include_root_accounts,
               q.scoring_policy, q.points_possible, q.question_groups::text, s.question_version_ids
        FROM quizzes q JOIN courses c ON c.id = q.course_id
        LEFT JOIN question_sets s ON s.id = q.question_set_id
        WHERE q.id = {quiz_id:d}"""  # noqa: S608


def _students(course_id: int, section_ids: Sequence[int]) -> str:
    """Select the ids of a course's students or, if sections are given, of theirs."""
    in_sections = f"AND e.section_id = ANY({_list(section_ids)})" if section_ids else ""
    return f"""
        SELECT e.user_id FROM enrollments e
        WHERE e.course_id = {course_id:d} AND e.type = '{EnrollmentType.STUDENT.value}'
          AND e.enrollment_state <> '{EnrollmentState.DELETED.value}' {in_sections}"""  # noqa: S608


def _submitted(course_id: int, quiz_id: int, section_ids: Sequence[int]) -> str:
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
          AND ({logged_out} a.user_id IN ({_students(course_id, section_ids)}))"""  # noqa: S608


def attempts_by_kind(course_id: int, quiz_id: int, section_ids: Sequence[int] = ()) -> str:
    """Select (kind, attempts) of all attempts of a quiz: how many there are of each kind.

    The kinds are preview, logged_out, other_user, and student for what students submitted.
    """
    return f"""
        SELECT CASE WHEN a.was_preview OR a.workflow_state = '{AttemptState.PREVIEW.value}' THEN 'preview'
                    WHEN a.user_id IS NULL THEN 'logged_out'
                    WHEN a.user_id NOT IN ({_students(course_id, section_ids)}) THEN 'other_user'
                    ELSE 'student' END AS kind, count(*) AS attempts
        FROM attempts a WHERE a.quiz_id = {quiz_id:d} GROUP BY kind"""  # noqa: S608


# The size is that of the responses as they are read, in bytes: those that compress well are stored in less.
_SELECTED = "id, question_set_id, size, updated_at, submission_id, attempt, sends_questions"
_ROW_ORDER = "logged_out, updated_at DESC, submission_id DESC, attempt DESC"


def all_attempts(course_id: int, quiz_id: int, section_ids: Sequence[int] = ()) -> str:
    """Select the columns of a `Selection`: all attempts that have data, in row order."""
    return f"""
        SELECT {_SELECTED} FROM ({_submitted(course_id, quiz_id, section_ids)}) AS submitted
        WHERE has_data
        ORDER BY {_ROW_ORDER}"""  # noqa: S608


def _numbered(course_id: int, quiz_id: int, section_ids: Sequence[int]) -> str:
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
              FROM ({_submitted(course_id, quiz_id, section_ids)}) AS submitted) AS taken"""  # noqa: S608


# A mean is rounded to two decimals, as numeric, which rounds half away from zero.
_KEPT_SCORES = {
    ScoringPolicy.HIGHEST: "max(score) OVER respondent",
    ScoringPolicy.LATEST: "first_value(score) OVER latest_first",
    ScoringPolicy.AVERAGE: "round(avg(score::numeric) OVER respondent, 2)::float8",
}


def kept_attempts(course_id: int, quiz_id: int, scoring_policy: str, section_ids: Sequence[int] = ()) -> str:
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
            FROM ({_numbered(course_id, quiz_id, section_ids)}) AS numbered
            WINDOW respondent AS (PARTITION BY user_id, logged_out_id),
                   latest_first AS (PARTITION BY user_id, logged_out_id ORDER BY number DESC),
                   known_first AS (PARTITION BY user_id, logged_out_id
                                   ORDER BY kept_score IS NULL, number DESC)
        ), counting AS (
            SELECT DISTINCT ON (user_id, logged_out_id) * FROM scored
            ORDER BY user_id, logged_out_id, is_kept AND is_latest DESC, is_kept DESC,
                     CASE WHEN is_kept THEN number END, number DESC
        )
        SELECT {_SELECTED} FROM counting WHERE has_data ORDER BY {_ROW_ORDER}"""  # noqa: S608


# Sums of floats depend on their order, which must not be that in which attempts were pushed.
_ITEM_ORDER = "submission_id, attempt"


def first_attempts(course_id: int, quiz_id: int, section_ids: Sequence[int] = ()) -> str:
    """Select the columns of a `Selection`, with the scores: each student's first submitted attempt."""
    return f"""
        SELECT {_SELECTED}, score FROM ({_numbered(course_id, quiz_id, section_ids)}) AS numbered
        WHERE number = 1 AND NOT logged_out
        ORDER BY {_ITEM_ORDER}"""  # noqa: S608


def last_attempts(course_id: int, quiz_id: int, section_ids: Sequence[int] = ()) -> str:
    """Select the columns of a `Selection`, with the scores: each student's last submitted attempt."""
    return f"""
        SELECT {_SELECTED}, score FROM (
            SELECT DISTINCT ON (user_id) * FROM ({_numbered(course_id, quiz_id, section_ids)}) AS numbered
            WHERE NOT logged_out
            ORDER BY user_id, number DESC) AS last
        ORDER BY {_ITEM_ORDER}"""  # noqa: S608


def kept_attempts_of_students(
    course_id: int, quiz_id: int, scoring_policy: str, section_ids: Sequence[int] = ()
) -> str:
    """Select the columns of a `Selection`, with the scores: each student's attempt that counts."""
    kept = kept_attempts(course_id, quiz_id, scoring_policy, section_ids)
    return f"""
        SELECT kept.*, a.score
        FROM ({kept}) AS kept JOIN attempts a ON a.id = kept.id
        WHERE a.user_id IS NOT NULL
        ORDER BY kept.submission_id, kept.attempt"""  # noqa: S608


def submissions(selected: str) -> str:
    """Select the columns of `frames.SUBMISSIONS` of the attempts that another query selects."""
    return f"""
        SELECT a.user_id, a.temporary_user_code, a.score, a.n_correct, a.n_incorrect,
               extract(epoch FROM a.finished_at - a.started_at)::float8 AS seconds
        FROM attempts a WHERE a.id IN (SELECT id FROM ({selected}) AS selected)"""  # noqa: S608


def has_several_attempts(course_id: int, quiz_id: int) -> str:
    """Select whether anybody has submitted a second attempt."""
    submitted = _submitted(course_id, quiz_id, ())
    return f"SELECT EXISTS (SELECT FROM ({submitted}) AS submitted WHERE attempt > 1) AS several"  # noqa: S608


def question_sets(question_set_ids: Iterable[int]) -> str:
    """Select (id, question_version_ids) of question sets."""
    return f"SELECT id, question_version_ids FROM question_sets WHERE id = ANY({_list(question_set_ids)})"  # noqa: S608


def question_versions(version_ids: Iterable[int]) -> str:
    """Select (id, content) of question versions, the content as text."""
    return f"SELECT id, content::text FROM question_versions WHERE id = ANY({_list(version_ids)})"  # noqa: S608


def sections(course_id: int) -> str:
    """Select (id, name, sis_section_id) of a course's sections."""
    return f"SELECT id, name, sis_section_id FROM sections WHERE course_id = {course_id:d}"  # noqa: S608


def section_ids(course_id: int) -> str:
    """Select (user_id, section_ids) of active and invited students, by user id.

    The ids ascend, joined by commas.
    """
    return f"""
        SELECT user_id, string_agg(section_id::text, ',' ORDER BY section_id) AS section_ids
        FROM enrollments
        WHERE course_id = {course_id:d} AND type = '{EnrollmentType.STUDENT.value}'
          AND enrollment_state IN ('{EnrollmentState.ACTIVE.value}', '{EnrollmentState.INVITED.value}')
        GROUP BY user_id ORDER BY user_id"""  # noqa: S608


def student_attempts(attempt_ids: Iterable[int]) -> str:
    """Select the columns of `frames.STUDENT_ATTEMPTS` but the sections, in the order of the given ids."""
    return _attempts(attempt_ids, STUDENT_ATTEMPTS)


def new_quizzes_attempts(attempt_ids: Iterable[int]) -> str:
    """Select the columns of `frames.NEW_QUIZZES_ATTEMPTS` but the sections, in the order of the given ids."""
    return _attempts(attempt_ids, NEW_QUIZZES_ATTEMPTS)


def _attempts(attempt_ids: Iterable[int], frame: Iterable[str]) -> str:
    columns = (
        f"{_columns('a', Attempt, frame)}, {_columns('u', User, frame)}, a.user_id IS NULL AS logged_out"
    )
    return _in_order(columns, attempt_ids, "LEFT JOIN users u ON u.id = a.user_id")


def statistics_attempts(attempt_ids: Iterable[int]) -> str:
    """Select the columns of `frames.STATISTICS_ATTEMPTS`, in the order of the given ids."""
    return _in_order(_columns("a", Attempt, STATISTICS_ATTEMPTS), attempt_ids)


def selections(attempt_ids: Iterable[int]) -> str:
    """Select the columns of `frames.SELECTIONS`, in the order of the given ids."""
    return _in_order(_columns("a", Attempt, SELECTIONS), attempt_ids)


def _in_order(columns: str, attempt_ids: Iterable[int], join: str = "") -> str:
    return f"""
        SELECT {columns}
        FROM unnest({_list(attempt_ids)}) WITH ORDINALITY AS wanted (id, position)
        JOIN attempts a USING (id) {join}
        ORDER BY wanted.position"""  # noqa: S608


def item_attempts(attempt_ids: Iterable[int]) -> str:
    """Select the columns of `frames.ITEM_ATTEMPTS`, in the order of `first_attempts`."""
    return f"""
        SELECT {_columns("a", Attempt, ITEM_ATTEMPTS)}
        FROM attempts a WHERE id = ANY({_list(attempt_ids)})
        ORDER BY {_ITEM_ORDER}"""  # noqa: S608
