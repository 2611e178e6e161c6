"""A course as the LMS pushes it: read, and checked as far as that goes without the database."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from models.errors import InvalidInputError, ValidationIssue
from models.lms.courses import EnrollmentState, EnrollmentType
from models.payloads.json_values import Id, at, decode_document

Key = TypeVar("Key", bound=Hashable)


# Courses are found by it, and an index takes no text of any length; in Canvas it is no longer either.
SisId = Annotated[str, msgspec.Meta(max_length=255)]


class SectionPush(msgspec.Struct):
    """A section of the course."""

    id: Id
    name: str
    sis_section_id: str | None = None


class UserPush(msgspec.Struct):
    """A person who has to do with the course."""

    id: Id
    name: str
    sis_user_id: str | None = None
    root_account: str | None = None


class EnrollmentPush(msgspec.Struct):
    """What a user is in a section."""

    user_id: Id
    section_id: Id
    type: EnrollmentType
    enrollment_state: EnrollmentState = EnrollmentState.ACTIVE

    @property
    def key(self) -> tuple[int, int, EnrollmentType]:
        """What tells this enrollment from all others."""
        return self.section_id, self.user_id, self.type


class CoursePush(msgspec.Struct):
    """A course; what is left out stays as it is."""

    name: str | UnsetType = UNSET
    course_code: str | UnsetType | None = UNSET
    sis_course_id: SisId | UnsetType | None = UNSET
    include_root_accounts: bool | UnsetType = UNSET
    sections: list[SectionPush] | UnsetType = UNSET
    users: list[UserPush] | UnsetType = UNSET
    enrollments: list[EnrollmentPush] | UnsetType = UNSET


class _Document(msgspec.Struct):
    course: CoursePush


def read_course(body: bytes) -> CoursePush:
    """Read `{"course": {...}}`; raise InvalidInputError with what is wrong."""
    course = decode_document(body, _Document).course
    issues = [
        *_repeated("course.sections", "id", (section.id for section in course.sections or ())),
        *_repeated("course.users", "id", (user.id for user in course.users or ())),
        *_repeated("course.enrollments", "user_id", (item.key for item in course.enrollments or ())),
    ]
    if issues:
        raise InvalidInputError(issues)
    return course


def _repeated(path: str, name: str, keys: Iterable[Key]) -> Iterator[ValidationIssue]:
    seen: set[Key] = set()
    for index, key in enumerate(keys):
        if key in seen:
            yield ValidationIssue(at(at(path, index), name), "is given twice in this list")
        seen.add(key)
