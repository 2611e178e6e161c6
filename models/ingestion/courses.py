"""A course is applied: its columns, sections, users and enrollments, all of a request or nothing.

Every transaction takes its locks in the same order: the course's own, then users by id, then sections by id,
then enrollments, and in the end the courses whose revisions rise, by id. So courses that share users can be
pushed at once, and sections can move between them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import UNSET
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models.db.bulk import arrays, columns_of, insertion, run, update_changed, upsert
from models.db.session import lock
from models.errors import InvalidInputError, ValidationIssue
from models.ingestion.counts import PushCounter, PushCounts
from models.lms.courses import Course, CourseUser, Enrollment, Section, User
from models.payloads.courses import PushedCourse, PushedEnrollment, PushedSection, PushedUser
from models.payloads.json_values import at

_COLUMNS: Final = ("name", "course_code", "sis_course_id", "include_root_accounts")
_DEFAULTS: Final = {"course_code": None, "sis_course_id": None, "include_root_accounts": False}
_SIS_ID_CONSTRAINT: Final = "uq_courses_sis_course_id"
_SIS_ID_IN_USE: Final = ValidationIssue("course.sis_course_id", "belongs to another course")


def apply_course(
    session: Session,
    course_id: int,
    payload: PushedCourse,
    *,
    may_take_sections_of: Callable[[int], bool] = lambda _: True,
) -> PushCounts:
    """Store a course, and its lists if they are given; what is left out stays as it is.

    A section of another course moves with its enrollments if it may be taken from that course. If anything
    changed, the roster revision rises, as do those of the other courses of a changed user or a moved section.
    Raises InvalidInputError; the transaction must then be rolled back.
    """
    lock(session, f"ingestion:course:{course_id}")
    try:
        return _CoursePush(session, course_id, may_take_sections_of).apply(payload)
    except IntegrityError as error:
        if _SIS_ID_CONSTRAINT not in str(error.orig):
            raise
        # Another transaction has just given the SIS id to another course.
        raise InvalidInputError([_SIS_ID_IN_USE]) from None


class _CoursePush:
    """One request."""

    def __init__(self, session: Session, course_id: int, may_take_sections_of: Callable[[int], bool]) -> None:
        self._session = session
        self._id = course_id
        self._may_take_sections_of = may_take_sections_of
        self._counter = PushCounter()
        self._changed_user_ids: list[int] = []
        self._removed_user_ids: list[int] = []
        self._courses_of_moved_sections: set[int] = set()

    def apply(self, payload: PushedCourse) -> PushCounts:
        """Store the course and its lists, and raise revisions if anything changed."""
        columns = self._store_course(payload)
        if payload.users is not UNSET:
            self._store_users(payload.users)
        if payload.sections is not UNSET:
            self._store_sections(payload.sections, keeps_users=payload.users is UNSET)
        if payload.enrollments is not UNSET:
            self._lock_sections({int(enrollment.section_id) for enrollment in payload.enrollments})
        if self._removed_user_ids:
            deleted = self._run(_DELETE_ENROLLMENTS_OF_USERS, user_ids=self._removed_user_ids)
            self._counter.deleted += len(deleted)
        if payload.enrollments is not UNSET:
            self._store_enrollments(payload.enrollments)
        return self._finish(columns)

    def _run(self, sql: str, **parameters: Any) -> Sequence[Any]:
        return run(self._session, sql, course_id=self._id, **parameters)

    def _store_course(self, payload: PushedCourse) -> Mapping[str, Any]:
        """Insert the course if it is new; return its columns as they are to be in the end."""
        stored = self._find()
        given = {name: value for name in _COLUMNS if (value := getattr(payload, name)) is not UNSET}
        if "sis_course_id" in given:
            # An empty SIS id means that the course has none.
            given["sis_course_id"] = given["sis_course_id"] or None
        if not stored and "name" not in given:
            raise InvalidInputError([ValidationIssue("course.name", "is missing")])
        columns = {**_DEFAULTS, **stored, **given}
        if columns["sis_course_id"] is not None and self._is_sis_id_in_use(columns["sis_course_id"]):
            raise InvalidInputError([_SIS_ID_IN_USE])
        if not stored:
            self._session.execute(insert(Course).values(id=self._id, **columns))
            self._counter.created += 1
        elif columns != stored:
            self._counter.updated += 1
        else:
            self._counter.unchanged += 1
        return columns

    def _find(self) -> Mapping[str, Any]:
        """Find the columns of the stored course; empty if it is new."""
        table = Course.__table__.columns
        columns = select(*(table[name] for name in _COLUMNS)).where(table.id == self._id)
        found = self._session.execute(columns).first()
        return {} if found is None else dict(found._mapping)

    def _is_sis_id_in_use(self, sis_id: str) -> bool:
        other = select(Course.id).where(Course.sis_course_id == sis_id, Course.id != self._id)
        return self._session.execute(other).first() is not None

    def _store_users(self, users: Sequence[PushedUser]) -> None:
        ids = [int(user.id) for user in users]
        written = self._run(_UPSERT_USERS, **arrays(_USER, users))
        self._changed_user_ids = [row.id for row in written if not row.is_new]
        added = {row.user_id for row in self._run(_INSERT_COURSE_USERS, user_id=ids)}
        updated = len(set(self._changed_user_ids) - added)
        self._counter.created += len(added)
        self._counter.updated += updated
        self._counter.unchanged += len(ids) - len(added) - updated
        self._removed_user_ids = [row.user_id for row in self._run(_DELETE_OTHER_COURSE_USERS, ids=ids)]
        self._counter.deleted += len(self._removed_user_ids)

    def _store_sections(self, sections: Sequence[PushedSection], *, keeps_users: bool) -> None:
        parameters = arrays(_SECTION, sections)
        ids: list[int] = parameters["id"]
        added: set[int] = set()
        course_ids: dict[int, int] = {}
        while not course_ids.keys() >= set(ids):
            # A second time if another transaction deletes a section between the two statements.
            added |= {row.id for row in self._run(_INSERT_SECTIONS, **parameters)}
            course_ids = {row.id: row.course_id for row in self._lock_sections(ids)}
        moved = {id_: course_ids[id_] for id_ in ids if course_ids[id_] != self._id}
        _require_none(
            ValidationIssue(f"course.sections[{index}].id", f"{section_id} is a section of another course")
            for index, section_id in enumerate(ids)
            if section_id in moved and not self._may_take_sections_of(moved[section_id])
        )
        updated = self._run(_UPDATE_SECTIONS, **parameters)
        self._counter.created += len(added)
        self._counter.updated += len(updated)
        self._counter.unchanged += len(ids) - len(added) - len(updated)
        if moved:
            self._move_enrollments(sorted(moved), keeps_users=keeps_users)
            self._courses_of_moved_sections = set(moved.values())
        self._counter.deleted += len(self._run(_DELETE_ENROLLMENTS_OF_OTHER_SECTIONS, ids=ids))
        self._counter.deleted += len(self._run(_DELETE_OTHER_SECTIONS, ids=ids))

    def _lock_sections(self, ids: Collection[int]) -> Sequence[Any]:
        """Lock these sections and all of the course, by id, so that none moves until the transaction ends."""
        return self._run(_LOCK_SECTIONS, ids=sorted(ids))

    def _move_enrollments(self, section_ids: Sequence[int], *, keeps_users: bool) -> None:
        """Move the enrollments of sections to this course, with their users if it pushes no list of users."""
        self._run(_MOVE_ENROLLMENTS, section_ids=section_ids)
        if keeps_users:
            self._counter.created += len(self._run(_INSERT_USERS_OF_SECTIONS, section_ids=section_ids))
        else:
            self._run(_DELETE_ENROLLMENTS_OF_UNKNOWN_USERS)

    def _store_enrollments(self, enrollments: Sequence[PushedEnrollment]) -> None:
        _require_none(self._find_unknown(enrollments))
        parameters = arrays(_ENROLLMENT, enrollments)
        keys = {name: parameters[name] for name in _ENROLLMENT_KEY}
        self._counter.deleted += len(self._run(_DELETE_OTHER_ENROLLMENTS, **keys))
        self._count(len(enrollments), self._run(_UPSERT_ENROLLMENTS, **parameters))

    def _find_unknown(self, enrollments: Sequence[PushedEnrollment]) -> Iterator[ValidationIssue]:
        user_ids = sorted({int(enrollment.user_id) for enrollment in enrollments})
        section_ids = sorted({int(enrollment.section_id) for enrollment in enrollments})
        users = {row.id for row in self._run(_UNKNOWN_USERS, ids=user_ids)}
        sections = {row.id for row in self._run(_UNKNOWN_SECTIONS, ids=section_ids)}
        for index, enrollment in enumerate(enrollments):
            path = f"course.enrollments[{index}]"
            if enrollment.user_id in users:
                yield ValidationIssue(
                    at(path, "user_id"), f"{enrollment.user_id} is not a user of the course"
                )
            if enrollment.section_id in sections:
                yield ValidationIssue(
                    at(path, "section_id"), f"{enrollment.section_id} is not a section of the course"
                )

    def _count(self, pushed: int, written: Sequence[Any]) -> None:
        created = sum(row.is_new for row in written)
        self._counter.created += created
        self._counter.updated += len(written) - created
        self._counter.unchanged += pushed - len(written)

    def _finish(self, columns: Mapping[str, Any]) -> PushCounts:
        if not self._counter.has_changes:
            revision = select(Course.roster_revision).where(Course.id == self._id)
            return self._counter.at_revision(self._session.execute(revision).scalar_one())
        locked = self._run(
            _LOCK_COURSES,
            user_ids=self._changed_user_ids,
            other_course_ids=sorted(self._courses_of_moved_sections),
        )
        if others := [row.id for row in locked if row.id != self._id]:
            self._run(_RAISE_REVISIONS, ids=others)
        raised = self._session.execute(
            update(Course)
            .where(Course.id == self._id)
            .values(**columns, roster_revision=Course.roster_revision + 1)
            .returning(Course.roster_revision)
            .execution_options(synchronize_session=False)
        )
        return self._counter.at_revision(raised.scalar_one())


def _require_none(issues: Iterable[ValidationIssue]) -> None:
    if found := list(itertools.islice(issues, InvalidInputError.MOST_ISSUES)):
        raise InvalidInputError(found)


_ENROLLMENT_KEY: Final = ("section_id", "user_id", "type")
_USER: Final = columns_of(User)
_COURSE_USER: Final = columns_of(CourseUser, without={"course_id"})
_SECTION: Final = columns_of(Section, without={"course_id"})
_ENROLLMENT: Final = columns_of(Enrollment, without={"course_id"})

# An upsert locks unchanged users as well: a transaction that renames one of them then waits until it can see
# that the user belongs to this course, and raises this course's revision, too.
_UPSERT_USERS: Final = f"{upsert(_USER, key=['id'])} RETURNING id, xmax = 0 AS is_new"

_INSERT_COURSE_USERS: Final = (
    insertion(_COURSE_USER, key=["course_id", "user_id"], shared=["course_id"])
    + " DO NOTHING RETURNING user_id"
)

_DELETE_OTHER_COURSE_USERS: Final = """
    DELETE FROM course_users WHERE course_id = %(course_id)s AND user_id <> ALL (%(ids)b::bigint[])
    RETURNING user_id"""

_DELETE_ENROLLMENTS_OF_USERS: Final = """
    DELETE FROM enrollments WHERE course_id = %(course_id)s AND user_id = ANY (%(user_ids)b::bigint[])
    RETURNING user_id"""

# Sections are inserted, locked by id, then updated: only a locked row tells which course it moves from.
_INSERT_SECTIONS: Final = insertion(_SECTION, key=["id"], shared=["course_id"]) + " DO NOTHING RETURNING id"

_LOCK_SECTIONS: Final = """
    SELECT id, course_id FROM sections WHERE id = ANY (%(ids)b::bigint[]) OR course_id = %(course_id)s
    ORDER BY id
    FOR NO KEY UPDATE"""

_UPDATE_SECTIONS: Final = (
    update_changed(_SECTION, key=["id"], shared=["course_id"]) + " RETURNING sections.id"
)

_MOVE_ENROLLMENTS: Final = """
    UPDATE enrollments SET course_id = %(course_id)s WHERE section_id = ANY (%(section_ids)b::bigint[])"""

_INSERT_USERS_OF_SECTIONS: Final = """
    INSERT INTO course_users (course_id, user_id)
    SELECT DISTINCT %(course_id)s::bigint, user_id FROM enrollments
    WHERE section_id = ANY (%(section_ids)b::bigint[])
    ON CONFLICT DO NOTHING
    RETURNING user_id"""

_DELETE_ENROLLMENTS_OF_UNKNOWN_USERS: Final = """
    DELETE FROM enrollments WHERE course_id = %(course_id)s AND NOT EXISTS (
        SELECT FROM course_users
        WHERE course_users.course_id = %(course_id)s AND course_users.user_id = enrollments.user_id)"""

_DELETE_ENROLLMENTS_OF_OTHER_SECTIONS: Final = """
    DELETE FROM enrollments WHERE course_id = %(course_id)s AND section_id <> ALL (%(ids)b::bigint[])
    RETURNING user_id"""

_DELETE_OTHER_SECTIONS: Final = """
    DELETE FROM sections WHERE course_id = %(course_id)s AND id <> ALL (%(ids)b::bigint[]) RETURNING id"""

_UNKNOWN_USERS: Final = """
    SELECT id FROM unnest(%(ids)b::bigint[]) AS pushed (id)
    WHERE NOT EXISTS (SELECT FROM course_users WHERE course_id = %(course_id)s AND user_id = pushed.id)"""

_UNKNOWN_SECTIONS: Final = """
    SELECT id FROM unnest(%(ids)b::bigint[]) AS pushed (id)
    WHERE NOT EXISTS (SELECT FROM sections WHERE course_id = %(course_id)s AND sections.id = pushed.id)"""

_DELETE_OTHER_ENROLLMENTS: Final = """
    DELETE FROM enrollments
    WHERE course_id = %(course_id)s AND (section_id, user_id, type) NOT IN (
        SELECT * FROM unnest(%(section_id)b::bigint[], %(user_id)b::bigint[], %(type)b::text[]))
    RETURNING user_id"""

_UPSERT_ENROLLMENTS: Final = (
    f"{upsert(_ENROLLMENT, key=_ENROLLMENT_KEY, shared=['course_id'])} RETURNING xmax = 0 AS is_new"
)

_LOCK_COURSES: Final = """
    SELECT id FROM courses
    WHERE id = %(course_id)s
        OR id = ANY (%(other_course_ids)b::bigint[])
        OR id IN (SELECT course_id FROM course_users WHERE user_id = ANY (%(user_ids)b::bigint[]))
    ORDER BY id
    FOR NO KEY UPDATE"""

_RAISE_REVISIONS: Final = """
    UPDATE courses SET roster_revision = roster_revision + 1 WHERE id = ANY (%(ids)b::bigint[])"""
