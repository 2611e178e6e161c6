"""A course as the LMS pushes it: parsed, and checked as far as possible without the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from models.errors import InvalidInputError, IssueKind, ValidationIssue
from models.issues import Issues, RefusedWhole
from models.lms.courses import EnrollmentState, EnrollmentType
from models.payloads.json_values import Id, Name, at, decode, decode_document
from models.payloads.lists import EntryKind, PushedList, entry_reader, key_reader, read_sources

_LEFT_OUT: Final = msgspec.Raw()


class PushedSection(msgspec.Struct, gc=False):
    """A section of the course."""

    id: Id
    name: Name
    sis_section_id: Name | None = None


class PushedUser(msgspec.Struct, gc=False):
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


class PushedEnrollment(msgspec.Struct, gc=False):
    """A role that a user has in a section, which Canvas also names `course_section_id`.

    A user may have several enrollments of a type in a section: an observer for each observed user, anybody
    for each custom role of that type.
    """

    user_id: Id
    type: EnrollmentType
    pushed_section_id: Id | None = msgspec.field(name="section_id", default=None)
    course_section_id: Id | None = None
    state: PushedEnrollmentState | None = msgspec.field(name="enrollment_state", default=None)
    associated_user_id: Id | None = None
    role_id: Id | None = None

    def __post_init__(self) -> None:
        if self.pushed_section_id is None:
            self.pushed_section_id = self.course_section_id

    @property
    def section_id(self) -> int:
        """The id of the section; an enrollment that was read has one."""
        if self.pushed_section_id is None:
            raise ValueError("an enrollment names no section")
        return self.pushed_section_id

    @property
    def enrollment_state(self) -> EnrollmentState:
        """The state as it is stored."""
        state = self.state or PushedEnrollmentState.ACTIVE
        return _STORED_AS.get(state) or EnrollmentState(state.value)

    @property
    def stored_key(self) -> tuple[int | None, int, EnrollmentType]:
        """The key of the row that the enrollment is stored in: section, user and type."""
        return self.pushed_section_id, self.user_id, self.type

    @property
    def key(self) -> tuple[object, ...]:
        """The key of the enrollment in the LMS."""
        return *self.stored_key, self.associated_user_id, self.role_id


class _Lists(msgspec.Struct, kw_only=True):
    sections: msgspec.Raw = _LEFT_OUT
    users: msgspec.Raw = _LEFT_OUT
    enrollments: msgspec.Raw = _LEFT_OUT


class PushedCourse(_Lists, kw_only=True):
    """A course as JSON; what is left out stays as it is."""

    name: Name | UnsetType = UNSET
    course_code: Name | UnsetType | None = UNSET
    sis_course_id: Name | UnsetType | None = UNSET
    include_root_accounts: bool | UnsetType | None = UNSET


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


class _EnrollmentKey(msgspec.Struct):
    user_id: Id
    section_id: Id | None = None
    course_section_id: Id | None = None
    type: Any = None


def id_of(entry: PushedSection | PushedUser | _Id) -> int:
    """Return the id of a section or user as a plain integer."""
    return int(entry.id)


def row_of(enrollment: PushedEnrollment) -> tuple[int, int, EnrollmentType | None]:
    """Return the section, the user and the type of an enrollment, the ids as plain integers.

    Of a skipped enrollment whose type cannot be read it is None: the row may then be of any type.
    """
    return int(enrollment.section_id), int(enrollment.user_id), enrollment.type


def merged(enrollments: Iterable[PushedEnrollment]) -> Sequence[PushedEnrollment]:
    """Merge the enrollments that are stored in one row: the most active state counts."""
    rank = list(EnrollmentState).index
    found: dict[object, PushedEnrollment] = {}
    for enrollment in enrollments:
        other = found.setdefault(enrollment.stored_key, enrollment)
        if rank(enrollment.enrollment_state) < rank(other.enrollment_state):
            found[enrollment.stored_key] = enrollment
    return list(found.values())


def _read_row(key: _EnrollmentKey) -> tuple[int, int, EnrollmentType | None] | None:
    section_id = key.course_section_id if key.section_id is None else key.section_id
    if section_id is None:
        return None
    type_ = next((known for known in EnrollmentType if known == key.type), None)
    return int(section_id), int(key.user_id), type_


def _read_enrollment(source: msgspec.Raw, path: str) -> PushedEnrollment:
    enrollment = _decode_enrollment(source, path)
    if enrollment.pushed_section_id is None:
        raise InvalidInputError([ValidationIssue(at(path, "section_id"), "is missing", IssueKind.MISSING)])
    return enrollment


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
_decode_enrollment: Final = entry_reader(PushedEnrollment)
_ENROLLMENTS: Final = EntryKind(
    _read_enrollment, attrgetter("key"), key_reader(_EnrollmentKey, _read_row), "user_id"
)
