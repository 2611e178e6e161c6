"""The SQL of the reports. Each value in it is an integer or a member of an enum of the service.

Which attempts a report has is in `models.reports.selected_attempts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from models.db.base import Base
from models.lms.attempts import Attempt, AttemptState
from models.lms.courses import EnrollmentState, EnrollmentType, User
from models.reports.selected_attempts import (
    ITEM_ORDER,
    SELECTED,
    id_list,
    kept_attempts,
    numbered,
    students,
    submitted,
)
from workers.analysis.frames import (
    ITEM_ATTEMPTS,
    NEW_QUIZZES_ATTEMPTS,
    SELECTIONS,
    STATISTICS_ATTEMPTS,
    STUDENT_ATTEMPTS,
)
from workers.extract.arrays import ARRAYS


def _columns(alias: str, table: type[Base], frame: Iterable[str]) -> str:
    """List the columns of a table that a frame has, too; those of ARRAYS as bytes."""
    return ", ".join(
        f"array_send({alias}.{name}) AS {name}" if name in ARRAYS else f"{alias}.{name}"
        for name in frame
        if name in table.__table__.columns
    )


def quiz(quiz_id: int, most_attempts: int) -> str:
    """Select a quiz's title and settings, its revision and that of its course's roster, and the snapshot.

    Its attempts are counted up to `most_attempts`.
    """
    return f"""
        SELECT now() AS now, pg_current_snapshot()::text AS snapshot, q.title, q.revision,
               c.roster_revision, c.include_root_accounts, q.scoring_policy, q.points_possible,
               q.question_groups::text, s.question_version_ids,
               (SELECT count(*) FROM (SELECT FROM attempts a WHERE a.quiz_id = q.id LIMIT {most_attempts:d})
                AS counted) AS counted_attempts
        FROM quizzes q JOIN courses c ON c.id = q.course_id
        LEFT JOIN question_sets s ON s.id = q.question_set_id
        WHERE q.id = {quiz_id:d}"""  # noqa: S608


def attempts_by_kind(course_id: int, quiz_id: int, section_ids: Sequence[int] = ()) -> str:
    """Select (kind, attempts) of all attempts of a quiz: how many there are of each kind.

    The kinds are preview, logged_out, other_user, and student for what students submitted.
    """
    return f"""
        SELECT CASE WHEN a.was_preview OR a.workflow_state = '{AttemptState.PREVIEW.value}' THEN 'preview'
                    WHEN a.user_id IS NULL THEN 'logged_out'
                    WHEN a.user_id NOT IN ({students(course_id, section_ids)}) THEN 'other_user'
                    ELSE 'student' END AS kind, count(*) AS attempts
        FROM attempts a WHERE a.quiz_id = {quiz_id:d} GROUP BY kind"""  # noqa: S608


def last_attempts(course_id: int, quiz_id: int, section_ids: Sequence[int] = ()) -> str:
    """Select the columns of a `Selection`, with the scores: each student's last submitted attempt."""
    return f"""
        SELECT {SELECTED}, score FROM (
            SELECT DISTINCT ON (user_id) * FROM ({numbered(course_id, quiz_id, section_ids)}) AS numbered
            WHERE NOT logged_out
            ORDER BY user_id, number DESC) AS last
        ORDER BY {ITEM_ORDER}"""  # noqa: S608


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
    attempts = submitted(course_id, quiz_id, ())
    return f"SELECT EXISTS (SELECT FROM ({attempts}) AS submitted WHERE attempt > 1) AS several"  # noqa: S608


def items(question_set_ids: Iterable[int], version_ids: Iterable[int]) -> str:
    """Select (id, question_version_ids, content) of question sets, and of question versions.

    These are the versions of the sets and the given ones. A set has no content; that of a version is text,
    and it has no versions.
    """
    sets = f"SELECT id, question_version_ids FROM question_sets WHERE id = ANY({id_list(question_set_ids)})"  # noqa: S608
    return f"""
        WITH sets AS ({sets})
        SELECT id, question_version_ids, NULL AS content FROM sets
        UNION ALL
        SELECT id, NULL, content::text FROM question_versions
        WHERE id = ANY(ARRAY(
            SELECT unnest(question_version_ids) FROM sets UNION SELECT unnest({id_list(version_ids)})))"""  # noqa: S608


def sections(course_id: int, user_ids: Iterable[int]) -> str:
    """Select the rows of `section_ids`, and behind them those of the course's sections, without a user.

    A section has its id, name and sis_section_id in further columns.
    """
    return f"""
        SELECT user_id, section_ids, NULL::bigint AS id, NULL AS name, NULL AS sis_section_id
        FROM ({section_ids(course_id, user_ids)}) AS enrolled
        UNION ALL
        SELECT NULL, NULL, id, name, sis_section_id FROM sections WHERE course_id = {course_id:d}
        ORDER BY user_id NULLS LAST"""  # noqa: S608


def section_ids(course_id: int, user_ids: Iterable[int]) -> str:
    """Select (user_id, section_ids) of the active and invited students among users, by user id.

    The ids ascend, joined by commas.
    """
    return f"""
        SELECT user_id, string_agg(section_id::text, ',' ORDER BY section_id) AS section_ids
        FROM enrollments
        WHERE course_id = {course_id:d} AND type = '{EnrollmentType.STUDENT.value}'
          AND enrollment_state IN ('{EnrollmentState.ACTIVE.value}', '{EnrollmentState.INVITED.value}')
          AND user_id = ANY({id_list(user_ids)})
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
        FROM unnest({id_list(attempt_ids)}) WITH ORDINALITY AS wanted (id, position)
        JOIN attempts a USING (id) {join}
        ORDER BY wanted.position"""  # noqa: S608


def item_attempts(attempt_ids: Iterable[int]) -> str:
    """Select the columns of `frames.ITEM_ATTEMPTS`, in the order of `first_attempts`."""
    return f"""
        SELECT {_columns("a", Attempt, ITEM_ATTEMPTS)}
        FROM attempts a WHERE id = ANY({id_list(attempt_ids)})
        ORDER BY {ITEM_ORDER}"""  # noqa: S608
