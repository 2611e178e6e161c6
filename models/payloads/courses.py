"""A course as the LMS pushes it: parsed, and checked as far as possible without the database."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Iterator
from typing import TypeVar

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


class PushedEnrollment(msgspec.Struct):
    """A role that a user has in a section."""

    user_id: Id
    section_id: Id
    type: EnrollmentType
    enrollment_state: EnrollmentState = EnrollmentState.ACTIVE

    @property
    def key(self) -> tuple[int, int, EnrollmentType]:
        """The key of the enrollment: section, user and type."""
        return self.section_id, self.user_id, self.type


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
        _repeated("course.sections", "id", (section.id for section in course.sections or ())),
        _repeated("course.users", "id", (user.id for user in course.users or ())),
        _repeated(
            "course.enrollments", "user_id", (enrollment.key for enrollment in course.enrollments or ())
        ),
    )
    if found := list(itertools.islice(issues, InvalidInputError.MOST_ISSUES)):
        raise InvalidInputError(found)
    return course


def _repeated(path: str, name: str, keys: Iterable[Key]) -> Iterator[ValidationIssue]:
    seen: set[Key] = set()
    for index, key in enumerate(keys):
        if key in seen:
            yield ValidationIssue(at(at(path, index), name), "is given twice in this list")
        seen.add(key)
