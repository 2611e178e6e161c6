"""A course is applied: its columns, sections, users and enrollments, all of a request or nothing.

Every transaction takes its locks in the same order: the course's own, then users by id, then sections by id,
then enrollments, and in the end the courses whose revisions rise, by id. So courses that share users can be
pushed at once, and sections can move between them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models.db.bulk import arrays, columns_of, insertion, run, update_changed, upsert
from models.db.session import lock
from models.errors import InvalidInputError, IssueKind, ValidationIssue
from models.ingestion.counts import PushCounter, PushCounts
from models.issues import Issues
from models.lms.courses import Course, CourseUser, Enrollment, EnrollmentState, Section, User
from models.payloads.courses import (
    COLUMNS,
    CourseChanges,
    PushedEnrollment,
    PushedSection,
    PushedUser,
    id_of,
    merged,
    row_of,
)
from models.payloads.json_values import at
from models.payloads.lists import PushedList

_DEFAULTS: Final = {"course_code": None, "sis_course_id": None, "include_root_accounts": False}
_SIS_ID_CONSTRAINT: Final = "uq_courses_sis_course_id"
_SIS_ID_IN_USE: Final = ValidationIssue(
    "course.sis_course_id", "belongs to another course", IssueKind.BELONGS_ELSEWHERE
)


def apply_course(
    session: Session,
    course_id: int,
    payload: CourseChanges,
    *,
    may_take_sections_of: Callable[[int], bool] = lambda _: True,
) -> PushCounts:
    """Store a course, and its lists if they are given; what is left out stays as it is.

    A section of another course moves with its enrollments if it may be taken from that course. If anything
    changed, the roster revision rises, as do those of the other courses of a changed user or a moved section.
    Raises InvalidInputError if the policy of `payload.issues` refuses the request; the transaction must then
    be rolled back.
    """
    lock(session, f"ingestion:course:{course_id}")
    try:
        return _CoursePush(session, course_id, payload.issues, may_take_sections_of).apply(payload)
    except IntegrityError as error:
        if _SIS_ID_CONSTRAINT not in str(error.orig):
            raise
        # Another transaction has just given the SIS id to another course.
        raise InvalidInputError([_SIS_ID_IN_USE]) from None


class _CoursePush:
    """One request."""

    def __init__(
        self,
        session: Session,
        course_id: int,
        issues: Issues,
        may_take_sections_of: Callable[[int], bool],
    ) -> None:
        self._session = session
        self._id = course_id
        self._issues = issues
        self._may_take_sections_of = may_take_sections_of
        self._counter = PushCounter()
        self._changed_user_ids: list[int] = []
        self._removed_user_ids: list[int] = []
        self._skipped_users: Collection[int] = ()
        self._skipped_sections: Collection[int] = ()
        self._courses_of_moved_sections: set[int] = set()

    def apply(self, payload: CourseChanges) -> PushCounts:
        """Store the course and its lists, and raise revisions if anything changed."""
        columns = self._store_course(payload)
        if not columns:
            return self._skip_lists(payload)
        if payload.users is not None:
            self._store_users(payload.users)
        if payload.sections is not None:
            self._store_sections(payload.sections, keeps_users=payload.users is None)
        if payload.enrollments is not None:
            self._lock_sections({int(e.section_id) for e in payload.enrollments.entries.values()})
        if self._removed_user_ids:
            deleted = self._run(_DELETE_ENROLLMENTS_OF_USERS, user_ids=self._removed_user_ids)
            self._counter.deleted += len(deleted)
        if payload.enrollments is not None:
            self._store_enrollments(payload.enrollments)
        return self._finish(columns)

    def _run(self, sql: str, **parameters: Any) -> Sequence[Any]:
        return run(self._session, sql, course_id=self._id, **parameters)

    def _store_course(self, payload: CourseChanges) -> Mapping[str, Any]:
        """Insert the course if it is new; return its columns as they are to be in the end.

        If what is pushed of the course itself is invalid, it stays as it is stored, or is not stored at all:
        then the columns are empty.
        """
        stored = self._find()
        if payload.columns is None:
            return stored
        columns = {**_DEFAULTS, **stored, **payload.columns}
        # An empty SIS id means that the course has none, and null means false.
        columns["sis_course_id"] = columns["sis_course_id"] or None
        columns["include_root_accounts"] = columns["include_root_accounts"] or False
        if found := list(self._find_issues(columns)):
            self._issues.skip(found)
            self._issues.finish()
            return stored
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
        columns = select(*(table[name] for name in COLUMNS)).where(table.id == self._id)
        found = self._session.execute(columns).first()
        return {} if found is None else dict(found._mapping)

    def _find_issues(self, columns: Mapping[str, Any]) -> Iterator[ValidationIssue]:
        if "name" not in columns:
            yield ValidationIssue("course.name", "is missing", IssueKind.MISSING)
        if columns["sis_course_id"] is not None and self._is_sis_id_in_use(columns["sis_course_id"]):
            yield _SIS_ID_IN_USE

    def _skip_lists(self, payload: CourseChanges) -> PushCounts:
        """Skip everything of a course that is not stored."""
        for pushed in (payload.sections, payload.users, payload.enrollments):
            if pushed is not None:
                pushed.without(_of_skipped_course, lambda _: None, self._issues)
        return self._counter.at_revision(0)

    def _is_sis_id_in_use(self, sis_id: str) -> bool:
        other = select(Course.id).where(Course.sis_course_id == sis_id, Course.id != self._id)
        return self._session.execute(other).first() is not None

    def _store_users(self, pushed: PushedList[PushedUser]) -> None:
        users = list(pushed.entries.values())
        ids = [int(user.id) for user in users]
        self._skipped_users = set(pushed.skipped.values()) - {None}
        written = self._run(_UPSERT_USERS, **arrays(_USER, users))
        self._changed_user_ids = [row.id for row in written if not row.is_new]
        added = {row.user_id for row in self._run(_INSERT_COURSE_USERS, user_id=ids)}
        updated = len(set(self._changed_user_ids) - added)
        self._counter.created += len(added)
        self._counter.updated += updated
        self._counter.unchanged += len(ids) - len(added) - updated
        if pushed.may_delete:
            kept = [*ids, *pushed.skipped.values()]
            self._removed_user_ids = [row.user_id for row in self._run(_DELETE_OTHER_COURSE_USERS, ids=kept)]
            self._counter.deleted += len(self._removed_user_ids)

    def _store_sections(self, pushed: PushedList[PushedSection], *, keeps_users: bool) -> None:
        course_ids, added = self._insert_sections(list(pushed.entries.values()))
        pushed = pushed.without(partial(self._find_taken, course_ids), id_of, self._issues)
        self._issues.finish()
        self._skipped_sections = set(pushed.skipped.values()) - {None}
        parameters = arrays(_SECTION, list(pushed.entries.values()))
        ids: list[int] = parameters["id"]
        moved = {id_: course_ids[id_] for id_ in ids if course_ids[id_] != self._id}
        updated = self._run(_UPDATE_SECTIONS, **parameters)
        self._counter.created += len(added)
        self._counter.updated += len(updated)
        self._counter.unchanged += len(ids) - len(added) - len(updated)
        if moved:
            self._move_enrollments(sorted(moved), keeps_users=keeps_users)
            self._courses_of_moved_sections = set(moved.values())
        if pushed.may_delete:
            kept = [*ids, *pushed.skipped.values()]
            self._counter.deleted += len(self._run(_DELETE_ENROLLMENTS_OF_OTHER_SECTIONS, ids=kept))
            self._counter.deleted += len(self._run(_DELETE_OTHER_SECTIONS, ids=kept))

    def _insert_sections(self, sections: Sequence[PushedSection]) -> tuple[Mapping[int, int], set[int]]:
        """Insert sections that are new, and lock all; return the course of each, and which were inserted."""
        parameters = arrays(_SECTION, sections)
        ids: list[int] = parameters["id"]
        added: set[int] = set()
        course_ids: dict[int, int] = {}
        while not course_ids.keys() >= set(ids):
            # A second time if another transaction deletes a section between the two statements.
            added |= {row.id for row in self._run(_INSERT_SECTIONS, **parameters)}
            course_ids = {row.id: row.course_id for row in self._lock_sections(ids)}
        return course_ids, added

    def _find_taken(
        self, course_ids: Mapping[int, int], section: PushedSection, path: str
    ) -> Iterator[ValidationIssue]:
        course_id = course_ids[section.id]
        if course_id != self._id and not self._may_take_sections_of(course_id):
            reason = f"{section.id} is a section of another course"
            yield ValidationIssue(at(path, "id"), reason, IssueKind.BELONGS_ELSEWHERE)

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

    def _store_enrollments(self, pushed: PushedList[PushedEnrollment]) -> None:
        pushed = self._without_merged_into_skipped(self._without_unknown(pushed))
        self._issues.finish()
        enrollments = merged(pushed.entries.values())
        parameters = arrays(_ENROLLMENT, enrollments)
        if pushed.may_delete:
            keys = {name: parameters[name] for name in _ENROLLMENT_KEY}
            skipped = sorted({(section_id, user_id) for section_id, user_id, _ in pushed.skipped.values()})
            deleted = self._run(
                _DELETE_OTHER_ENROLLMENTS,
                **keys,
                skipped_section_id=[section_id for section_id, _ in skipped],
                skipped_user_id=[user_id for _, user_id in skipped],
                skipped_users=sorted(self._skipped_users),
                skipped_sections=sorted(self._skipped_sections),
            )
            self._counter.deleted += len(deleted)
        self._count(len(enrollments), self._run(_UPSERT_ENROLLMENTS, **parameters))

    def _without_unknown(self, pushed: PushedList[PushedEnrollment]) -> PushedList[PushedEnrollment]:
        """Skip enrollments of users and sections that are skipped or not in the course."""
        enrollments = pushed.entries.values()
        user_ids = sorted({int(enrollment.user_id) for enrollment in enrollments})
        section_ids = sorted({int(enrollment.section_id) for enrollment in enrollments})
        users = {row.id for row in self._run(_UNKNOWN_USERS, ids=user_ids)}
        sections = {row.id for row in self._run(_UNKNOWN_SECTIONS, ids=section_ids)}

        def find(enrollment: PushedEnrollment, path: str) -> Iterator[ValidationIssue]:
            user_id, section_id = enrollment.user_id, enrollment.section_id
            user_path, section_path = at(path, "user_id"), at(path, "section_id")
            if user_id in self._skipped_users:
                yield ValidationIssue(user_path, f"{user_id} is skipped", IssueKind.DEPENDS_ON_SKIPPED)
            elif user_id in users:
                reason = f"{user_id} is not a user of the course"
                yield ValidationIssue(user_path, reason, IssueKind.UNKNOWN_USER)
            if section_id in self._skipped_sections:
                yield ValidationIssue(section_path, f"{section_id} is skipped", IssueKind.DEPENDS_ON_SKIPPED)
            elif section_id in sections:
                reason = f"{section_id} is not a section of the course"
                yield ValidationIssue(section_path, reason, IssueKind.UNKNOWN_SECTION)

        return pushed.without(find, row_of, self._issues)

    def _without_merged_into_skipped(
        self, pushed: PushedList[PushedEnrollment]
    ) -> PushedList[PushedEnrollment]:
        """Skip enrollments whose row is also that of a skipped one, which may be the more active of them."""
        skipped = set(pushed.skipped.values())

        def find(enrollment: PushedEnrollment, path: str) -> Iterator[ValidationIssue]:
            section_id, user_id, type_ = row_of(enrollment)
            is_most_active = enrollment.enrollment_state is EnrollmentState.ACTIVE
            if not is_most_active and not skipped.isdisjoint(
                [(section_id, user_id, type_), (section_id, user_id, None)]
            ):
                reason = "is stored in one row with an enrollment that is skipped"
                yield ValidationIssue(path, reason, IssueKind.DEPENDS_ON_SKIPPED)

        return pushed.without(find, row_of, self._issues) if skipped else pushed

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


def _of_skipped_course(_: object, path: str) -> Sequence[ValidationIssue]:
    return [ValidationIssue(path, "belongs to a course that is skipped", IssueKind.DEPENDS_ON_SKIPPED)]


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
        AND (section_id, user_id) NOT IN (
            SELECT * FROM unnest(%(skipped_section_id)b::bigint[], %(skipped_user_id)b::bigint[]))
        AND user_id <> ALL (%(skipped_users)b::bigint[])
        AND section_id <> ALL (%(skipped_sections)b::bigint[])
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
