"""The SQL of the reports. Each value in it is an integer or a member of an enum of the service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from models.db.base import Base
from models.lms.attempts import SUBMITTED_STATES, Attempt
from models.lms.courses import EnrollmentState, EnrollmentType, User
from models.lms.quizzes import ScoringPolicy
from workers.analysis.frames import ITEM_ATTEMPTS, SELECTIONS, STATISTICS_ATTEMPTS, STUDENT_ATTEMPTS

_SUBMITTED = ", ".join(f"'{state.value}'" for state in SUBMITTED_STATES)


def _list(ids: Iterable[int]) -> str:
    return "'{" + ",".join(map(str, ids)) + "}'::bigint[]"


def _columns(alias: str, table: type[Base], frame: Iterable[str]) -> str:
    """List the columns of a table that a frame has, too."""
    return ", ".join(f"{alias}.{name}" for name in frame if name in table.__table__.columns)


def quiz(quiz_id: int) -> str:
    """Select a quiz's settings, its revision and that of its course's roster."""
    return f"""
        SELECT q.revision, c.roster_revision, c.include_root_accounts, q.scoring_policy,
               q.points_possible,
               s.question_version_ids
        FROM quizzes q JOIN courses c ON c.id = q.course_id
        LEFT JOIN question_sets s ON s.id = q.question_set_id
        WHERE q.id = {quiz_id:d}"""  # noqa: S608


def _submitted(course_id: int, quiz_id: int, section_ids: Sequence[int]) -> str:
    """Select the submitted attempts of a course's students and of logged-out takers.

    If sections are given, only those of their students.
    """
    logged_out, in_sections = "a.user_id IS NULL OR", ""
    if section_ids:
        logged_out, in_sections = "", f"AND e.section_id = ANY({_list(section_ids)})"
    return f"""
        SELECT a.id, a.question_set_id, a.user_id, a.submission_id, a.attempt, a.score, a.kept_score,
               a.updated_at,
               a.user_id IS NULL AS logged_out, a.response_bytes AS size
        FROM attempts a
        WHERE a.quiz_id = {quiz_id:d} AND a.workflow_state IN ({_SUBMITTED}) AND NOT a.was_preview
          AND ({logged_out} a.user_id IN (
              SELECT e.user_id FROM enrollments e
              WHERE e.course_id = {course_id:d} AND e.type = '{EnrollmentType.STUDENT.value}'
                AND e.enrollment_state <> '{EnrollmentState.DELETED.value}' {in_sections}))"""  # noqa: S608


_ROW_ORDER = "logged_out, updated_at DESC, submission_id DESC, attempt DESC"


def all_attempts(course_id: int, quiz_id: int, section_ids: Sequence[int] = ()) -> str:
    """Select (id, question_set_id, size) of all attempts in the order of the student_analysis.

    The size is that of the responses as they are read, in bytes: those that compress well are stored in less.
    """
    return f"""
        SELECT id, question_set_id, size FROM ({_submitted(course_id, quiz_id, section_ids)}) AS submitted
        ORDER BY {_ROW_ORDER}"""  # noqa: S608


_KEPT_SCORES = {
    ScoringPolicy.HIGHEST: "max(score) OVER respondent",
    ScoringPolicy.LATEST: "first_value(score) OVER latest_first",
    ScoringPolicy.AVERAGE: "avg(score) OVER respondent",
}


def kept_attempts(course_id: int, quiz_id: int, scoring_policy: str, section_ids: Sequence[int] = ()) -> str:
    """Select (id, question_set_id, size) of each respondent's attempt that counts, in student_analysis order.

    That is the latest if it has the kept score, else the first that has it, else the latest. The kept score
    is the one pushed with the latest attempt that has one, else it follows from the scoring policy.
    """
    by_policy = _KEPT_SCORES[ScoringPolicy(scoring_policy)]
    return f"""
        WITH scored AS (
            SELECT *,
                   attempt = max(attempt) OVER respondent AS is_latest,
                   score IS NOT DISTINCT FROM coalesce(first_value(kept_score) OVER known_first, {by_policy})
                       AS is_kept
            FROM (SELECT *, CASE WHEN logged_out THEN submission_id END AS logged_out_id
                  FROM ({_submitted(course_id, quiz_id, section_ids)}) AS submitted) AS taken
            WINDOW respondent AS (PARTITION BY user_id, logged_out_id),
                   latest_first AS (PARTITION BY user_id, logged_out_id ORDER BY attempt DESC),
                   known_first AS (PARTITION BY user_id, logged_out_id
                                   ORDER BY kept_score IS NULL, attempt DESC)
        ), counting AS (
            SELECT DISTINCT ON (user_id, logged_out_id) * FROM scored
            ORDER BY user_id, logged_out_id, is_kept AND is_latest DESC, is_kept DESC,
                     CASE WHEN is_kept THEN attempt END, attempt DESC
        )
        SELECT id, question_set_id, size FROM counting ORDER BY {_ROW_ORDER}"""  # noqa: S608


def first_attempts(course_id: int, quiz_id: int, section_ids: Sequence[int] = ()) -> str:
    """Select (id, question_set_id, size, score) of each student's first submitted attempt."""
    return f"""
        SELECT id, question_set_id, size, score FROM (
            SELECT DISTINCT ON (user_id) id, question_set_id, size, score
            FROM ({_submitted(course_id, quiz_id, section_ids)}) AS submitted
            WHERE NOT logged_out
            ORDER BY user_id, attempt, submission_id) AS first
        ORDER BY id"""  # noqa: S608


def last_attempts(course_id: int, quiz_id: int, section_ids: Sequence[int] = ()) -> str:
    """Select (id, question_set_id, size, score) of each student's last submitted attempt."""
    return f"""
        SELECT id, question_set_id, size, score FROM (
            SELECT DISTINCT ON (user_id) id, question_set_id, size, score
            FROM ({_submitted(course_id, quiz_id, section_ids)}) AS submitted
            WHERE NOT logged_out
            ORDER BY user_id, attempt DESC, submission_id DESC) AS last
        ORDER BY id"""  # noqa: S608


def kept_attempts_of_students(
    course_id: int, quiz_id: int, scoring_policy: str, section_ids: Sequence[int] = ()
) -> str:
    """Select (id, question_set_id, size, score) of each student's attempt that counts."""
    kept = kept_attempts(course_id, quiz_id, scoring_policy, section_ids)
    return f"""
        SELECT id, attempts.question_set_id, size, attempts.score
        FROM ({kept}) AS kept JOIN attempts USING (id)
        WHERE attempts.user_id IS NOT NULL
        ORDER BY id"""  # noqa: S608


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
    """Select (user_id, section_ids) of active students, by user id; the ids ascend, joined by commas."""
    return f"""
        SELECT user_id, string_agg(section_id::text, ',' ORDER BY section_id) AS section_ids
        FROM enrollments
        WHERE course_id = {course_id:d} AND type = '{EnrollmentType.STUDENT.value}'
          AND enrollment_state = '{EnrollmentState.ACTIVE.value}'
        GROUP BY user_id ORDER BY user_id"""  # noqa: S608


def student_attempts(attempt_ids: Iterable[int]) -> str:
    """Select the columns of `frames.STUDENT_ATTEMPTS` but the sections, in the order of the given ids."""
    return f"""
        SELECT {_columns("a", Attempt, STUDENT_ATTEMPTS)}, {_columns("u", User, STUDENT_ATTEMPTS)},
               a.user_id IS NULL AS logged_out
        FROM unnest({_list(attempt_ids)}) WITH ORDINALITY AS wanted (id, position)
        JOIN attempts a USING (id)
        LEFT JOIN users u ON u.id = a.user_id
        ORDER BY wanted.position"""  # noqa: S608


def statistics_attempts(attempt_ids: Iterable[int]) -> str:
    """Select the columns of `frames.STATISTICS_ATTEMPTS`, in the order of the given ids."""
    return _in_order(STATISTICS_ATTEMPTS, attempt_ids)


def selections(attempt_ids: Iterable[int]) -> str:
    """Select the columns of `frames.SELECTIONS`, in the order of the given ids."""
    return _in_order(SELECTIONS, attempt_ids)


def _in_order(frame: Iterable[str], attempt_ids: Iterable[int]) -> str:
    return f"""
        SELECT {_columns("a", Attempt, frame)}
        FROM unnest({_list(attempt_ids)}) WITH ORDINALITY AS wanted (id, position)
        JOIN attempts a USING (id)
        ORDER BY wanted.position"""  # noqa: S608


def item_attempts(attempt_ids: Iterable[int]) -> str:
    """Select the columns of `frames.ITEM_ATTEMPTS`, in any order."""
    return f"""
        SELECT {_columns("a", Attempt, ITEM_ATTEMPTS)}
        FROM attempts a WHERE id = ANY({_list(attempt_ids)})"""  # noqa: S608
