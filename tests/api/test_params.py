"""Parameters: pages and ids at their edges."""

from __future__ import annotations

import pytest
from flask import Flask

from api.params import Page, course_key, object_id, page
from models.errors import NotFoundError

APP = Flask("test")


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", Page(1, 10)),
        ("page=3&per_page=20", Page(3, 20)),
        ("per_page=100", Page(1, 100)),
        ("per_page=101", Page(1, 100)),
        ("per_page=0", Page(1, 10)),
        ("per_page=-1&page=-1", Page(1, 10)),
        ("per_page=x&page=y", Page(1, 10)),
        ("page=0", Page(1, 10)),
        ("page=" + "9" * 30, Page(1, 10)),
        ("page=999999999&per_page=100", Page(999_999_999, 100)),
        ("page=٣", Page(1, 10)),
    ],
)
def test_page(query: str, wanted: Page) -> None:
    with APP.test_request_context(f"/?{query}"):
        assert page() == wanted


def test_the_farthest_page_is_still_a_number_for_the_database() -> None:
    assert Page(999_999_999, 100).offset < 2**63


@pytest.mark.parametrize(
    ("text", "number"), [("7", 7), ("0", 0), ("007", 7), ("-7", -7), (str(2**63 - 1), 2**63 - 1)]
)
def test_object_id(text: str, number: int) -> None:
    assert object_id(text) == number


@pytest.mark.parametrize(
    "text", ["", "x", "1.0", "--1", "-", "+1", " 1", "1\n", "1_000", "٣", str(2**63), "9" * 5000]
)
def test_what_is_no_id_names_nothing(text: str) -> None:
    with pytest.raises(NotFoundError):
        object_id(text)


def test_course_key() -> None:
    assert course_key("7") == 7
    assert course_key("sis_course_id:7") == "7"
    assert course_key("sis_course_id:a:b c") == "a:b c"
    for text in ("sis_course_id:", "sis_course_id:\0", "sis_user_id:7", "self"):
        with pytest.raises(NotFoundError):
            course_key(text)
