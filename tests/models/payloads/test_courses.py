"""A pushed course as values: what is left out, what is null, what is given twice."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from models.errors import InvalidInputError
from models.issues import Checked
from models.lms.courses import EnrollmentState, EnrollmentType
from models.payloads.courses import CourseChanges, PushedUser, read_course


def read(**fields: Any) -> CourseChanges:
    return read_course(msgspec.json.encode({"course": fields}))


def test_what_is_left_out_is_told_from_what_is_null() -> None:
    course = read(name="Biology", course_code=None)

    assert course.columns == {"name": "Biology", "course_code": None}
    assert (course.sections, course.users, course.enrollments) == (None, None, None)
    sections = read(sections=[]).sections
    assert sections is not None
    assert sections.entries == {}


def test_unknown_keys_are_ignored() -> None:
    users = read(users=[{"id": 7, "name": "Ann", "avatar": {"x": 1}}], term=3).users
    assert users is not None
    assert users.entries == {0: PushedUser(id=7, name="Ann")}  # type: ignore[arg-type]


def test_an_enrollment_is_active_unless_it_says_otherwise() -> None:
    pushed = {"user_id": "7", "section_id": 3, "type": "StudentEnrollment"}
    course = read(enrollments=[pushed, {**pushed, "type": "TaEnrollment", "enrollment_state": "completed"}])

    assert course.enrollments is not None
    student, assistant = course.enrollments.entries.values()
    assert student.stored_key == (3, 7, EnrollmentType.STUDENT)
    assert student.enrollment_state is EnrollmentState.ACTIVE
    assert assistant.enrollment_state is EnrollmentState.COMPLETED


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"sections": [{"id": 3, "name": "A"}, {"id": "3", "name": "B"}]}, "course.sections[1].id"),
        ({"users": [{"id": 7, "name": "A"}] * 2}, "course.users[1].id"),
        (
            {"enrollments": [{"user_id": 7, "section_id": 3, "type": "TaEnrollment"}] * 2},
            "course.enrollments[1].user_id",
        ),
    ],
)
def test_what_is_given_twice_is_named(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read(**fields)
    assert [issue.path for issue in caught.value.issues] == [path]


def test_a_check_reads_no_entry_after_its_last_issue_and_what_is_not_read_is_not_deleted() -> None:
    issues = Checked(most_issues=1)
    users = [{"id": 1, "name": 5}, {"id": 2, "name": "Bo"}]

    found = read_course(msgspec.json.encode({"course": {"users": users, "sections": 7}}), issues)

    assert found.users is not None
    assert (found.users.entries, found.users.may_delete, issues.is_complete) == ({}, False, False)
