"""What roles may see, and how a course is found; every kind of caller is in tests/api/test_auth.py."""

from __future__ import annotations

import pytest

from models.access.permissions import (
    find_active_roles,
    find_course,
    find_quiz_context,
    find_report_context,
    may_cancel,
    may_read_statistics,
    may_see_sis_ids,
)
from models.access.tokens import Caller
from models.errors import NotFoundError
from models.lms.courses import EnrollmentType
from models.reports.tables import Progress
from tests.factories import (
    CALLERS,
    COURSE_ID,
    OTHER_COURSE_ID,
    OTHER_QUIZ_ID,
    OTHER_SECTION_ID,
    QUIZ_ID,
    SIS_COURSE_ID,
    Api,
    enroll,
)

TEACHER, TA, STUDENT = EnrollmentType.TEACHER, EnrollmentType.TA, EnrollmentType.STUDENT


@pytest.mark.parametrize("role", EnrollmentType)
def test_teachers_read_statistics_with_sis_ids_and_assistants_without(role: EnrollmentType) -> None:
    roles = frozenset({role})

    assert (may_read_statistics(roles), may_see_sis_ids(roles)) == {
        TEACHER: (True, True),
        TA: (True, False),
    }.get(role, (False, False))


def test_one_sufficient_role_of_several_is_enough() -> None:
    assert may_read_statistics(frozenset({STUDENT, TA}))
    assert may_see_sis_ids(frozenset({TA, TEACHER}))


def test_nobody_without_a_role_sees_anything() -> None:
    assert not may_read_statistics(frozenset())
    assert not may_see_sis_ids(frozenset())


@pytest.mark.parametrize(
    ("user_id", "is_admin", "may"), [(7, False, True), (8, False, False), (8, True, True)]
)
def test_a_job_is_cancelled_by_the_user_who_asked_for_it_and_by_administrators(
    user_id: int, *, is_admin: bool, may: bool
) -> None:
    assert may_cancel(Caller(user_id, is_admin, frozenset()), Progress(user_id=7)) is may


@pytest.mark.parametrize(
    ("caller", "roles"),
    [("teacher", {TEACHER}), ("former_teacher", set()), ("invited_teacher", set()), ("stranger", set())],
)
def test_only_active_enrollments_give_a_role(api: Api, caller: str, roles: set[EnrollmentType]) -> None:
    with api.database.transaction() as session:
        assert find_active_roles(session, COURSE_ID, CALLERS[caller][0]) == roles


def test_roles_are_those_of_the_course(api: Api) -> None:
    teacher = CALLERS["teacher"][0]
    with api.database.transaction() as session:
        enroll(session, teacher, STUDENT, course_id=OTHER_COURSE_ID, section_id=OTHER_SECTION_ID)
        assert find_active_roles(session, COURSE_ID, teacher) == {TEACHER}
        assert find_quiz_context(session, OTHER_COURSE_ID, OTHER_QUIZ_ID, teacher).roles == {STUDENT}


@pytest.mark.parametrize("course_key", [COURSE_ID, SIS_COURSE_ID])
def test_a_course_is_found_by_either_id(api: Api, course_key: int | str) -> None:
    with api.database.transaction() as session:
        found = find_quiz_context(session, course_key, QUIZ_ID, CALLERS["ta"][0])

        assert found.quiz is not None
        assert (found.course.id, found.quiz.id) == (COURSE_ID, QUIZ_ID)
        assert found.roles == {TA}


def test_a_quiz_of_another_course_is_none(api: Api) -> None:
    with api.database.transaction() as session:
        assert find_quiz_context(session, COURSE_ID, OTHER_QUIZ_ID, 7).quiz is None


def test_a_report_of_another_quiz_is_none(api: Api) -> None:
    report_id = api.generated()["id"]
    with api.database.transaction() as session:
        own = find_report_context(session, COURSE_ID, QUIZ_ID, report_id, 7)
        other = find_report_context(session, OTHER_COURSE_ID, OTHER_QUIZ_ID, report_id, 7)

        assert own.report is not None
        assert other.quiz is not None
        assert other.report is None


@pytest.mark.parametrize("course_key", [999, "999", str(COURSE_ID)])
def test_an_unknown_course_is_not_found(api: Api, course_key: int | str) -> None:
    with api.database.transaction() as session, pytest.raises(NotFoundError):
        find_quiz_context(session, course_key, QUIZ_ID, 7)


def test_a_course_is_found_by_its_id_and_by_its_sis_id(api: Api) -> None:
    with api.database.transaction() as session:
        assert find_course(session, COURSE_ID) is find_course(session, SIS_COURSE_ID)


@pytest.mark.parametrize("key", [999, str(COURSE_ID), "", SIS_COURSE_ID.lower()])
def test_another_key_finds_none(api: Api, key: int | str) -> None:
    with api.database.transaction() as session, pytest.raises(NotFoundError):
        find_course(session, key)
