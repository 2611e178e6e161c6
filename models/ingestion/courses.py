"""A course comes in: its sections, users and enrollments, all of a request or nothing.

Locks are taken in one order by everybody: the course's own, then users by id, then sections by id, and in the
end the courses whose revisions rise, by id. So courses that share users can be pushed at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from msgspec import UNSET
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models.db.bulk import lock, run
from models.errors import InvalidInputError, ValidationIssue
from models.ingestion.counts import Counts, Tally
from models.payloads.courses import CoursePush, EnrollmentPush, SectionPush, UserPush
from models.payloads.json_values import at

_COLUMNS: Final = ("name", "course_code", "sis_course_id", "include_root_accounts")
_DEFAULTS: Final = {"course_code": None, "sis_course_id": None, "include_root_accounts": False}
_SIS_ID_CONSTRAINT: Final = "uq_courses_sis_course_id"
_TAKEN: Final = ValidationIssue("course.sis_course_id", "is that of another course")


def push_course(session: Session, course_id: int, course: CoursePush) -> Counts:
    """Store a course, and its lists where they are given; what is left out stays as it is.

    The roster revision rises if anything changed, also that of other courses of a user who changed. Raises
    InvalidInputError; the transaction must then be rolled back.
    """
    lock(session, f"ingestion:course:{course_id}")
    try:
        return _CoursePush(session, course_id).take(course)
    except IntegrityError as error:
        if _SIS_ID_CONSTRAINT not in str(error.orig):
            raise
        # Somebody gave it to another course just now.
        raise InvalidInputError([_TAKEN]) from None


class _CoursePush:
    """One request."""

    def __init__(self, session: Session, course_id: int) -> None:
        self._session = session
        self._id = course_id
        self._tally = Tally()
        self._changed_users: list[int] = []

    def take(self, pushed: CoursePush) -> Counts:
        columns = self._put_course(pushed)
        if pushed.users is not UNSET:
            self._put_users(pushed.users)
        if pushed.sections is not UNSET:
            self._put_sections(pushed.sections)
        if pushed.enrollments is not UNSET:
            self._put_enrollments(pushed.enrollments)
        return self._finish(columns)

    def _run(self, sql: str, **columns: Any) -> Sequence[Any]:
        return run(self._session, sql, course_id=self._id, **columns)

    def _put_course(self, pushed: CoursePush) -> dict[str, Any]:
        """See that the course is there; return its columns as they are to be in the end."""
        stored = self._run(_COURSE)
        given = {name: value for name in _COLUMNS if (value := getattr(pushed, name)) is not UNSET}
        # Nobody has an empty SIS id.
        given.update({"sis_course_id": given["sis_course_id"] or None} if "sis_course_id" in given else {})
        if not stored and "name" not in given:
            raise InvalidInputError([ValidationIssue("course.name", "is missing")])
        before = stored[0]._asdict() if stored else _DEFAULTS
        columns = {**before, **given}
        if columns["sis_course_id"] is not None and self._run(_OTHERS_SIS_ID, **columns):
            raise InvalidInputError([_TAKEN])
        if not stored:
            self._run(_ADD_COURSE, **columns)
            self._tally.created += 1
        elif columns != before:
            self._tally.updated += 1
        else:
            self._tally.unchanged += 1
        return columns

    def _put_users(self, users: Sequence[UserPush]) -> None:
        ids = [int(user.id) for user in users]
        changed = self._run(
            _PUT_USERS,
            ids=ids,
            names=[user.name for user in users],
            sis_ids=[user.sis_user_id for user in users],
            root_accounts=[user.root_account for user in users],
        )
        self._changed_users = [row.id for row in changed if not row.is_new]
        added = {row.user_id for row in self._run(_ADD_COURSE_USERS, ids=ids)}
        updated = len(set(self._changed_users) - added)
        self._tally.created += len(added)
        self._tally.updated += updated
        self._tally.unchanged += len(ids) - len(added) - updated
        dropped = [row.user_id for row in self._run(_DROP_COURSE_USERS, ids=ids)]
        self._tally.deleted += len(dropped)
        if dropped:
            self._tally.deleted += len(self._run(_DROP_ENROLLMENTS_OF_USERS, user_ids=dropped))

    def _put_sections(self, sections: Sequence[SectionPush]) -> None:
        ids = [int(section.id) for section in sections]
        changed = self._run(
            _PUT_SECTIONS,
            ids=ids,
            names=[section.name for section in sections],
            sis_ids=[section.sis_section_id for section in sections],
        )
        foreign = {row.id for row in self._run(_OTHERS_SECTIONS, ids=ids)}
        self._require_none(
            ValidationIssue(f"course.sections[{index}].id", f"{section_id} is a section of another course")
            for index, section_id in enumerate(ids)
            if section_id in foreign
        )
        self._count(len(ids), changed)
        self._tally.deleted += len(self._run(_DROP_ENROLLMENTS_OF_SECTIONS, ids=ids))
        self._tally.deleted += len(self._run(_DROP_SECTIONS, ids=ids))

    def _put_enrollments(self, enrollments: Sequence[EnrollmentPush]) -> None:
        section_ids = [int(enrollment.section_id) for enrollment in enrollments]
        user_ids = [int(enrollment.user_id) for enrollment in enrollments]
        self._require_none(self._find_unknown(section_ids, user_ids))
        columns = {
            "section_ids": section_ids,
            "user_ids": user_ids,
            "types": [enrollment.type.value for enrollment in enrollments],
        }
        self._tally.deleted += len(self._run(_DROP_ENROLLMENTS, **columns))
        states = [enrollment.enrollment_state.value for enrollment in enrollments]
        self._count(len(enrollments), self._run(_PUT_ENROLLMENTS, states=states, **columns))

    def _find_unknown(self, section_ids: Sequence[int], user_ids: Sequence[int]) -> Iterator[ValidationIssue]:
        users = {row.id for row in self._run(_UNKNOWN_USERS, ids=sorted(set(user_ids)))}
        sections = {row.id for row in self._run(_UNKNOWN_SECTIONS, ids=sorted(set(section_ids)))}
        for index, (section_id, user_id) in enumerate(zip(section_ids, user_ids, strict=True)):
            path = f"course.enrollments[{index}]"
            if user_id in users:
                yield ValidationIssue(at(path, "user_id"), f"{user_id} is not a user of the course")
            if section_id in sections:
                yield ValidationIssue(at(path, "section_id"), f"{section_id} is not a section of the course")

    def _require_none(self, issues: Iterable[ValidationIssue]) -> None:
        if found := list(issues):
            raise InvalidInputError(found)

    def _count(self, pushed: int, changed: Sequence[Any]) -> None:
        created = sum(row.is_new for row in changed)
        self._tally.created += created
        self._tally.updated += len(changed) - created
        self._tally.unchanged += pushed - len(changed)

    def _finish(self, columns: dict[str, Any]) -> Counts:
        if self._tally.is_change:
            courses = self._run(_LOCK_COURSES, user_ids=self._changed_users)
            self._run(_RAISE_REVISIONS, ids=[row.id for row in courses], **columns)
        return self._tally.at_revision(self._run(_REVISION)[0].roster_revision)


_COURSE: Final = """
    SELECT name, course_code, sis_course_id, include_root_accounts FROM courses WHERE id = %(course_id)s"""

_OTHERS_SIS_ID: Final = """
    SELECT id FROM courses WHERE sis_course_id = %(sis_course_id)s AND id <> %(course_id)s"""

_ADD_COURSE: Final = """
    INSERT INTO courses (id, name, course_code, sis_course_id, include_root_accounts, roster_revision)
    VALUES (%(course_id)s, %(name)s, %(course_code)s, %(sis_course_id)s, %(include_root_accounts)s, 0)"""

# Users that stay as they are are locked all the same: whoever renames one of them then waits until the course
# is known to be theirs, and raises its revision, too.
_PUT_USERS: Final = """
    INSERT INTO users (id, name, sis_user_id, root_account)
    SELECT id, name, sis_user_id, root_account
    FROM unnest(%(ids)b::bigint[], %(names)b::text[], %(sis_ids)b::text[], %(root_accounts)b::text[])
        AS pushed (id, name, sis_user_id, root_account)
    ORDER BY id
    ON CONFLICT (id) DO UPDATE SET
        name = excluded.name, sis_user_id = excluded.sis_user_id, root_account = excluded.root_account
    WHERE (users.name, users.sis_user_id, users.root_account)
        IS DISTINCT FROM (excluded.name, excluded.sis_user_id, excluded.root_account)
    RETURNING id, xmax = 0 AS is_new"""

_ADD_COURSE_USERS: Final = """
    INSERT INTO course_users (course_id, user_id)
    SELECT %(course_id)s, id FROM unnest(%(ids)b::bigint[]) AS pushed (id) ORDER BY id
    ON CONFLICT DO NOTHING
    RETURNING user_id"""

_DROP_COURSE_USERS: Final = """
    DELETE FROM course_users WHERE course_id = %(course_id)s AND user_id <> ALL (%(ids)b::bigint[])
    RETURNING user_id"""

_DROP_ENROLLMENTS_OF_USERS: Final = """
    DELETE FROM enrollments WHERE course_id = %(course_id)s AND user_id = ANY (%(user_ids)b::bigint[])
    RETURNING user_id"""

_PUT_SECTIONS: Final = """
    INSERT INTO sections (id, course_id, name, sis_section_id)
    SELECT id, %(course_id)s, name, sis_section_id
    FROM unnest(%(ids)b::bigint[], %(names)b::text[], %(sis_ids)b::text[])
        AS pushed (id, name, sis_section_id)
    ORDER BY id
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, sis_section_id = excluded.sis_section_id
    WHERE sections.course_id = excluded.course_id
        AND (sections.name, sections.sis_section_id) IS DISTINCT FROM (excluded.name, excluded.sis_section_id)
    RETURNING id, xmax = 0 AS is_new"""

_OTHERS_SECTIONS: Final = """
    SELECT id FROM sections WHERE id = ANY (%(ids)b::bigint[]) AND course_id <> %(course_id)s"""

_DROP_ENROLLMENTS_OF_SECTIONS: Final = """
    DELETE FROM enrollments WHERE course_id = %(course_id)s AND section_id <> ALL (%(ids)b::bigint[])
    RETURNING user_id"""

_DROP_SECTIONS: Final = """
    DELETE FROM sections WHERE course_id = %(course_id)s AND id <> ALL (%(ids)b::bigint[]) RETURNING id"""

_UNKNOWN_USERS: Final = """
    SELECT id FROM unnest(%(ids)b::bigint[]) AS pushed (id)
    WHERE NOT EXISTS (SELECT FROM course_users WHERE course_id = %(course_id)s AND user_id = pushed.id)"""

_UNKNOWN_SECTIONS: Final = """
    SELECT id FROM unnest(%(ids)b::bigint[]) AS pushed (id)
    WHERE NOT EXISTS (SELECT FROM sections WHERE course_id = %(course_id)s AND sections.id = pushed.id)"""

_DROP_ENROLLMENTS: Final = """
    DELETE FROM enrollments
    WHERE course_id = %(course_id)s AND (section_id, user_id, type) NOT IN (
        SELECT * FROM unnest(%(section_ids)b::bigint[], %(user_ids)b::bigint[], %(types)b::text[]))
    RETURNING user_id"""

_PUT_ENROLLMENTS: Final = """
    INSERT INTO enrollments (course_id, section_id, user_id, type, enrollment_state)
    SELECT %(course_id)s, section_id, user_id, type, state
    FROM unnest(%(section_ids)b::bigint[], %(user_ids)b::bigint[], %(types)b::text[], %(states)b::text[])
        AS pushed (section_id, user_id, type, state)
    ON CONFLICT (section_id, user_id, type) DO UPDATE SET enrollment_state = excluded.enrollment_state
    WHERE enrollments.enrollment_state <> excluded.enrollment_state
    RETURNING xmax = 0 AS is_new"""

_LOCK_COURSES: Final = """
    SELECT id FROM courses
    WHERE id = %(course_id)s
        OR id IN (SELECT course_id FROM course_users WHERE user_id = ANY (%(user_ids)b::bigint[]))
    ORDER BY id
    FOR NO KEY UPDATE"""

_RAISE_REVISIONS: Final = """
    WITH others AS (
        UPDATE courses SET roster_revision = roster_revision + 1
        WHERE id = ANY (%(ids)b::bigint[]) AND id <> %(course_id)s
    )
    UPDATE courses SET
        roster_revision = roster_revision + 1, name = %(name)s, course_code = %(course_code)s,
        sis_course_id = %(sis_course_id)s, include_root_accounts = %(include_root_accounts)s
    WHERE id = %(course_id)s"""

_REVISION: Final = "SELECT roster_revision FROM courses WHERE id = %(course_id)s"
