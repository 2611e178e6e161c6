"""How a course is found."""

from __future__ import annotations

import pytest

from models.errors import NotFoundError
from models.lms.courses import find_course
from tests.factories import COURSE_ID, SIS_COURSE_ID, Api


def test_a_course_is_found_by_its_id_and_by_its_sis_id(api: Api) -> None:
    with api.database.transaction() as session:
        assert find_course(session, COURSE_ID) is find_course(session, SIS_COURSE_ID)


@pytest.mark.parametrize("key", [999, str(COURSE_ID), "", SIS_COURSE_ID.lower()])
def test_another_key_finds_none(api: Api, key: int | str) -> None:
    with api.database.transaction() as session, pytest.raises(NotFoundError):
        find_course(session, key)
