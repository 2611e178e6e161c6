"""A course as the LMS pushes it: parsed, and checked as far as possible without the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from models.errors import InvalidInputError
from models.issues import Issues, RefusedWhole
from models.lms.courses import EnrollmentState, EnrollmentType
from models.payloads.json_values import Id, Name, decode, decode_document
from models.payloads.lists import EntryKind, PushedList, entry_reader, key_reader, read_sources

_LEFT_OUT: Final = msgspec.Raw()


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


class _Lists(msgspec.Struct, kw_only=True):
    sections: msgspec.Raw = _LEFT_OUT
    users: msgspec.Raw = _LEFT_OUT
    enrollments: msgspec.Raw = _LEFT_OUT


class PushedCourse(_Lists, kw_only=True):
    """A course as JSON; what is left out stays as it is."""

    name: Name | UnsetType = UNSET
    course_code: Name | UnsetType | None = UNSET
    sis_course_id: Name | UnsetType | None = UNSET
    include_root_accounts: bool | UnsetType = UNSET


# These fields are columns of the table, with the same names.
COLUMNS: Final = tuple(n for n in PushedCourse.__struct_fields__ if n not in _Lists.__struct_fields__)


@dataclass(frozen=True)
class CourseChanges:
    """What a push changes of a course: values by column, None if they are skipped, and the lists it sends."""

    columns: Mapping[str, Any] | None
    sections: PushedList[PushedSection] | None
    users: PushedList[PushedUser] | None
    enrollments: PushedList[PushedEnrollment] | None
    issues: Issues


class _Document(msgspec.Struct):
    course: msgspec.Raw


class _Id(msgspec.Struct):
    id: Id


class _EnrollmentPair(msgspec.Struct):
    section_id: Id
    user_id: Id


def id_of(entry: PushedSection | PushedUser | _Id) -> int:
    """Return the id of a section or user as a plain integer."""
    return int(entry.id)


def pair_of(entry: PushedEnrollment | _EnrollmentPair) -> tuple[int, int]:
    """Return the section and the user of an enrollment as plain integers."""
    return int(entry.section_id), int(entry.user_id)


def read_course(body: bytes, issues: Issues | None = None) -> CourseChanges:
    """Read `{"course": {...}}`; raise InvalidInputError if the policy of `issues` refuses it."""
    issues = issues or RefusedWhole()
    source = decode_document(body, _Document).course
    lists = decode(source, _Lists, "course")
    columns: Mapping[str, Any] | None = None
    try:
        course = decode(source, PushedCourse, "course")
        columns = {name: value for name in COLUMNS if (value := getattr(course, name)) is not UNSET}
    except InvalidInputError as error:
        issues.skip(error.issues)

    def read(kind: EntryKind[Any], name: str) -> PushedList[Any] | None:
        path = f"course.{name}"
        sources = read_sources(getattr(lists, name), path, issues)
        return None if sources is None else kind.read_list(sources, path, issues)

    changes = CourseChanges(
        columns, read(_SECTIONS, "sections"), read(_USERS, "users"), read(_ENROLLMENTS, "enrollments"), issues
    )
    issues.finish()
    return changes


_read_id: Final = key_reader(_Id, id_of)
_SECTIONS: Final = EntryKind(entry_reader(PushedSection), id_of, _read_id, "id")
_USERS: Final = EntryKind(entry_reader(PushedUser), id_of, _read_id, "id")
_ENROLLMENTS: Final = EntryKind(
    entry_reader(PushedEnrollment), attrgetter("key"), key_reader(_EnrollmentPair, pair_of), "user_id"
)
