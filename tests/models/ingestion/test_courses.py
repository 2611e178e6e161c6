"""PUT of a course: an idempotent upsert of its lists, all or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from models.errors import InvalidInputError, ValidationIssue
from models.ingestion.counts import PushCounts
from tests.lms import Lms
from tests.payloads import COURSE_ID, course

OTHER_ID = 102
ENROLLMENT = {"user_id": 7, "section_id": 31, "type": "StudentEnrollment", "enrollment_state": "active"}


def places(push: Callable[[], object]) -> list[str]:
    with pytest.raises(InvalidInputError) as caught:
        push()
    return [issue.path for issue in caught.value.issues]


def other_course(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Other",
        "sis_course_id": None,
        "users": [{"id": 7, "name": "Ann Lee", "sis_user_id": "s0007"}],
    } | changes


def test_a_new_course_is_stored_with_its_lists(lms: Lms) -> None:
    assert lms.put_course() == PushCounts(created=7, updated=0, unchanged=0, deleted=0, revision=1)
    assert lms.rows("SELECT id, name, course_code, sis_course_id, include_root_accounts FROM courses") == [
        (COURSE_ID, "Biology 101", "BIO101", "2026-BIO-101", False)
    ]
    assert lms.rows("SELECT id, course_id, name, sis_section_id FROM sections ORDER BY id") == [
        (31, COURSE_ID, "Section A", "BIO-A"),
        (32, COURSE_ID, "Section B", None),
    ]
    assert lms.rows("SELECT id, name, sis_user_id, root_account FROM users ORDER BY id") == [
        (7, "Ann Lee", "s0007", None),
        (8, "Bo Ek", None, None),
    ]
    assert lms.rows(
        "SELECT user_id, section_id, type, enrollment_state, course_id FROM enrollments ORDER BY 1"
    ) == [
        (7, 31, "StudentEnrollment", "active", COURSE_ID),
        (8, 32, "StudentEnrollment", "active", COURSE_ID),
    ]


@pytest.mark.contract("6 Data in", "every PUT is an idempotent upsert")
def test_the_same_course_again_changes_nothing(lms: Lms) -> None:
    lms.put_course()
    before = lms.stored()

    assert lms.put_course() == PushCounts(created=0, updated=0, unchanged=7, deleted=0, revision=1)
    assert lms.stored() == before


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({"name": "Biology"}, (0, 1, 6, 0)),
        ({"include_root_accounts": True}, (0, 1, 6, 0)),
        ({"sections": [*course()["sections"], {"id": 33, "name": "C"}]}, (1, 0, 7, 0)),
        ({"users": [{"id": 7, "name": "Ann"}, {"id": 8, "name": "Bo Ek"}]}, (0, 1, 6, 0)),
        ({"enrollments": [course()["enrollments"][0]]}, (0, 0, 6, 1)),
        (
            {"enrollments": [{**ENROLLMENT, "enrollment_state": "deleted"}, course()["enrollments"][1]]},
            (0, 1, 6, 0),
        ),
        ({"enrollments": [{**ENROLLMENT, "type": "TaEnrollment"}, *course()["enrollments"]]}, (1, 0, 7, 0)),
    ],
)
def test_what_changed_is_counted_and_raises_the_revision_once(
    lms: Lms, changes: dict[str, Any], counts: tuple[int, int, int, int]
) -> None:
    lms.put_course()

    assert lms.put_course(**changes) == PushCounts(*counts, revision=2)
    assert lms.put_course(**changes).revision == 2


@pytest.mark.contract("6 Data in", "lists given replace, lists left out stay")
def test_lists_left_out_stay(lms: Lms) -> None:
    lms.put_course()
    before = lms.stored()

    assert lms.patch_course(name="Biology 101") == PushCounts(0, 0, unchanged=1, deleted=0, revision=1)
    assert lms.patch_course() == PushCounts(0, 0, unchanged=1, deleted=0, revision=1)
    assert lms.stored() == before


def test_a_dropped_user_takes_enrollments_along_and_stays_a_row(lms: Lms) -> None:
    lms.put_course()

    assert lms.patch_course(users=[{"id": 8, "name": "Bo Ek"}]) == PushCounts(
        0, 0, unchanged=2, deleted=2, revision=2
    )
    assert lms.rows("SELECT user_id FROM enrollments") == [(8,)]
    assert lms.value("SELECT count(*) FROM users") == 2


def test_a_dropped_section_takes_enrollments_along(lms: Lms) -> None:
    lms.put_course()

    assert lms.patch_course(sections=[{"id": 32, "name": "Section B"}]) == PushCounts(
        0, 0, 2, deleted=2, revision=2
    )
    assert lms.rows("SELECT user_id FROM enrollments") == [(8,)]


@pytest.mark.contract("6 Data in", "lists given replace, lists left out stay")
def test_empty_lists_empty_the_course(lms: Lms) -> None:
    lms.put_course()

    assert lms.patch_course(users=[], sections=[], enrollments=[]) == PushCounts(
        0, 0, 1, deleted=6, revision=2
    )


@pytest.mark.contract("6 Data in", "lists given replace, lists left out stay")
def test_users_and_enrollments_come_in_any_order(lms: Lms) -> None:
    backwards: dict[str, Any] = {
        key: value[::-1] if isinstance(value, list) else value for key, value in reversed(course().items())
    }

    assert lms.patch_course(**backwards).created == 7


def test_a_user_who_changes_raises_the_revision_of_each_of_their_courses(lms: Lms) -> None:
    lms.put_course()
    lms.patch_course(OTHER_ID, **other_course())

    lms.patch_course(OTHER_ID, users=[{"id": 7, "name": "Ann Ek"}])

    assert lms.rows("SELECT id, roster_revision FROM courses ORDER BY id") == [(COURSE_ID, 2), (OTHER_ID, 2)]
    assert lms.patch_course(users=[{"id": 7, "name": "Ann Ek"}, {"id": 8, "name": "Bo Ek"}]).revision == 2


def test_a_user_of_another_course_is_new_to_this_one(lms: Lms) -> None:
    lms.put_course()

    assert lms.patch_course(OTHER_ID, **other_course()) == PushCounts(
        created=2, updated=0, unchanged=0, deleted=0, revision=1
    )
    assert lms.value(f"SELECT roster_revision FROM courses WHERE id = {COURSE_ID}") == 1


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"sis_course_id": "2026-BIO-101"}, ["course.sis_course_id"]),
        ({"enrollments": [ENROLLMENT]}, ["course.enrollments[0].section_id"]),
        (
            {"enrollments": [{**ENROLLMENT, "user_id": 9}], "users": []},
            ["course.enrollments[0].user_id", "course.enrollments[0].section_id"],
        ),
        ({"users": [{"id": 9, "name": "a"}, {"id": "9", "name": "b"}]}, ["course.users[1].id"]),
        ({"sections": [{"id": 9, "name": "a"}] * 2}, ["course.sections[1].id"]),
        ({"enrollments": [ENROLLMENT] * 2}, ["course.enrollments[1].user_id"]),
        ({"enrollments": [{**ENROLLMENT, "type": "Pupil"}]}, ["course.enrollments[0].type"]),
        (
            {"enrollments": [{**ENROLLMENT, "enrollment_state": "gone"}]},
            ["course.enrollments[0].enrollment_state"],
        ),
        ({"name": None}, ["course.name"]),
        ({"include_root_accounts": 1}, ["course.include_root_accounts"]),
        ({"sis_course_id": "x" * 256}, ["course.sis_course_id"]),
    ],
)
@pytest.mark.contract("6 Data in", "all or nothing")
def test_an_invalid_course_is_refused_and_nothing_of_it_is_stored(
    lms: Lms, fields: dict[str, Any], path: list[str]
) -> None:
    lms.put_course()
    lms.patch_course(OTHER_ID, **other_course())
    before = lms.stored()

    assert places(lambda: lms.patch_course(OTHER_ID, **{"name": "Renamed", **fields})) == path
    assert lms.stored() == before


@pytest.mark.parametrize(
    "fields",
    [
        {"users": [{"id": 1, "name": "a"}] * 100},
        {"sections": [{"id": 1, "name": "a"}] * 100},
        {"enrollments": [ENROLLMENT] * 100},
        {"enrollments": [{**ENROLLMENT, "section_id": number} for number in range(100)]},
    ],
    ids=["users", "sections", "enrollments", "unknown sections"],
)
def test_no_more_issues_are_looked_for_than_are_named(
    lms: Lms, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any]
) -> None:
    lms.put_course()
    found: list[ValidationIssue] = []

    def counted(*values: Any) -> ValidationIssue:
        found.append(ValidationIssue(*values))
        return found[-1]

    for module in ("models.payloads.lists", "models.payloads.courses", "models.ingestion.courses"):
        monkeypatch.setattr(f"{module}.ValidationIssue", counted)

    assert len(places(lambda: lms.patch_course(**fields))) == InvalidInputError.MOST_ISSUES
    assert len(found) == InvalidInputError.MOST_ISSUES


@pytest.mark.contract("6 Data in", "Canvas's own words are understood")
def test_enrollments_are_read_in_canvas_s_own_words(lms: Lms) -> None:
    states = ["active", "invited", "creation_pending", "completed", "inactive", "rejected", "deleted"]
    enrollments = [
        {
            "user_id": user_id,
            "course_section_id": "31",
            "type": "StudentEnrollment",
            "enrollment_state": state,
        }
        for user_id, state in enumerate(states)
    ]
    users = [{"id": user_id, "name": "a"} for user_id in range(len(states))]

    lms.put_course(users=users, enrollments=enrollments)

    assert lms.rows("SELECT section_id, enrollment_state FROM enrollments ORDER BY user_id") == [
        (31, stored)
        for stored in ("active", "invited", "invited", "completed", "inactive", "deleted", "deleted")
    ]
    assert places(lambda: lms.patch_course(enrollments=[{"user_id": 1, "type": "StudentEnrollment"}])) == [
        "course.enrollments[0].section_id"
    ]


def observing(user_id: int | None, **fields: Any) -> dict[str, Any]:
    return {**ENROLLMENT, "type": "ObserverEnrollment", "associated_user_id": user_id, **fields}


@pytest.mark.parametrize(
    ("enrollments", "stored"),
    [
        ([observing(7), observing(8)], ("ObserverEnrollment", "active")),
        ([{**ENROLLMENT, "role_id": 3}, {**ENROLLMENT, "role_id": "19"}], ("StudentEnrollment", "active")),
        (
            [
                observing(7, enrollment_state="deleted"),
                observing(8, enrollment_state="invited"),
                observing(None, enrollment_state="completed"),
            ],
            ("ObserverEnrollment", "invited"),
        ),
    ],
    ids=["an observer of two students", "two custom roles", "states"],
)
@pytest.mark.parametrize("order", [1, -1])
def test_of_several_enrollments_of_one_type_in_one_section_the_one_most_in_force_counts(
    lms: Lms, enrollments: list[dict[str, Any]], stored: tuple[str, str], order: int
) -> None:
    lms.put_course(enrollments=enrollments[::order])

    assert lms.rows("SELECT type, enrollment_state FROM enrollments") == [stored]
    assert lms.put_course(enrollments=enrollments).revision == 1
    assert places(lambda: lms.patch_course(enrollments=[*enrollments, enrollments[0]])) == [
        f"course.enrollments[{len(enrollments)}].user_id"
    ]


def test_null_is_what_is_left_out(lms: Lms) -> None:
    enrollment = {**ENROLLMENT, "enrollment_state": None}

    lms.put_course(include_root_accounts=None, enrollments=[enrollment])

    assert lms.rows("SELECT include_root_accounts, enrollment_state FROM courses, enrollments") == [
        (False, "active")
    ]


def test_a_new_course_needs_a_name(lms: Lms) -> None:
    assert places(lambda: lms.patch_course(OTHER_ID)) == ["course.name"]


def test_an_empty_sis_id_is_none(lms: Lms) -> None:
    for course_id in (COURSE_ID, OTHER_ID):
        lms.patch_course(course_id, name="Biology", sis_course_id="")

    assert lms.rows("SELECT sis_course_id FROM courses") == [(None,), (None,)]


def test_names_of_every_script_and_length_are_stored_as_they_are(lms: Lms) -> None:
    names = ["=1+1", "</script>", "שלום", "👩‍🔬", "a\\b\"c'd{e},NULL", "x" * 255, ""]

    lms.patch_course(OTHER_ID, name="a", users=[{"id": i, "name": name} for i, name in enumerate(names)])

    assert [name for (name,) in lms.rows("SELECT name FROM users ORDER BY id")] == names
