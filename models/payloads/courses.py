"""A course as the LMS pushes it: parsed, and checked as far as possible without the database."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from models.errors import InvalidInputError, ValidationIssue
from models.lms.courses import EnrollmentState, EnrollmentType
from models.payloads.json_values import Id, Name, at, decode_document

Key = TypeVar("Key", bound=Hashable)


class PushedSection(msgspec.Struct):
    """A section of the course."""

    id: Id
    name: Name
    sis_section_id: Name | None = None


class PushedUser(msgspec.Struct):
    """A user of the course, whatever their role."""

    id: Id
    name: Name
    sis_user_id: Name | None = None
    root_account: Name | None = None


class PushedEnrollmentState(StrEnum):
    """The state of a pushed enrollment; Canvas has more states than make a difference here."""

    ACTIVE = "active"
    INVITED = "invited"
    CREATION_PENDING = "creation_pending"
    COMPLETED = "completed"
    INACTIVE = "inactive"
    REJECTED = "rejected"
    DELETED = "deleted"


_STORED_AS: Final[Mapping[PushedEnrollmentState, EnrollmentState]] = {
    PushedEnrollmentState.CREATION_PENDING: EnrollmentState.INVITED,
    PushedEnrollmentState.REJECTED: EnrollmentState.DELETED,
}


class PushedEnrollment(msgspec.Struct):
    """A role that a user has in a section, which Canvas also names `course_section_id`."""

    user_id: Id
    type: EnrollmentType
    pushed_section_id: Id | None = msgspec.field(name="section_id", default=None)
    course_section_id: Id | None = None
    state: PushedEnrollmentState = msgspec.field(
        name="enrollment_state", default=PushedEnrollmentState.ACTIVE
    )

    def __post_init__(self) -> None:
        if self.pushed_section_id is None:
            self.pushed_section_id = self.course_section_id

    @property
    def section_id(self) -> int:
        """The id of the section; `read_course` has checked that there is one."""
        if self.pushed_section_id is None:
            raise ValueError("an enrollment names no section")
        return self.pushed_section_id

    @property
    def enrollment_state(self) -> EnrollmentState:
        """The state as it is stored."""
        return _STORED_AS.get(self.state) or EnrollmentState(self.state.value)

    @property
    def key(self) -> tuple[int | None, int, EnrollmentType]:
        """The key of the enrollment: section, user and type."""
        return self.pushed_section_id, self.user_id, self.type


class PushedCourse(msgspec.Struct):
    """A course; what is left out stays as it is."""

    name: Name | UnsetType = UNSET
    course_code: Name | UnsetType | None = UNSET
    sis_course_id: Name | UnsetType | None = UNSET
    include_root_accounts: bool | UnsetType = UNSET
    sections: list[PushedSection] | UnsetType = UNSET
    users: list[PushedUser] | UnsetType = UNSET
    enrollments: list[PushedEnrollment] | UnsetType = UNSET


class _Document(msgspec.Struct):
    course: PushedCourse


def read_course(body: bytes) -> PushedCourse:
    """Read `{"course": {...}}`; raise InvalidInputError with every issue."""
    course = decode_document(body, _Document).course
    issues = itertools.chain(
        _without_section(course.enrollments or ()),
        _repeated("course.sections", "id", (section.id for section in course.sections or ())),
        _repeated("course.users", "id", (user.id for user in course.users or ())),
        _repeated(
            "course.enrollments", "user_id", (enrollment.key for enrollment in course.enrollments or ())
        ),
    )
    if found := list(itertools.islice(issues, InvalidInputError.MOST_ISSUES)):
        raise InvalidInputError(found)
    return course


def _without_section(enrollments: Iterable[PushedEnrollment]) -> Iterator[ValidationIssue]:
    for index, enrollment in enumerate(enrollments):
        if enrollment.pushed_section_id is None:
            yield ValidationIssue(at(at("course.enrollments", index), "section_id"), "is missing")


def _repeated(path: str, name: str, keys: Iterable[Key]) -> Iterator[ValidationIssue]:
    seen: set[Key] = set()
    for index, key in enumerate(keys):
        if key in seen:
            yield ValidationIssue(at(at(path, index), name), "is given twice in this list")
        seen.add(key)
