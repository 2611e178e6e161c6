"""URLs in responses, and the Link header of lists."""

from __future__ import annotations

import re

import pytest

from api.links import Links
from api.params import Page
from api.verifiers import Verifiers
from models.lms.quizzes import Quiz
from models.reports.tables import Progress, QuizReport

LINKS = Links("https://reports.example.edu/base", Verifiers("a secret that only the tests share"))
QUIZ = Quiz(id=201, course_id=101)


def test_urls_begin_with_the_base() -> None:
    assert LINKS.quiz(QUIZ) == "https://reports.example.edu/base/api/v1/courses/101/quizzes/201"
    assert LINKS.quiz_page(QUIZ) == "https://reports.example.edu/base/courses/101/quizzes/201"
    assert LINKS.report(QuizReport(id=5), QUIZ) == f"{LINKS.quiz(QUIZ)}/reports/5"
    assert LINKS.progress(Progress(id=7)) == "https://reports.example.edu/base/api/v1/progress/7"


@pytest.mark.parametrize(
    ("number", "total", "expected"),
    [
        (1, 0, {"current": 1, "first": 1, "last": 1}),
        (1, 10, {"current": 1, "first": 1, "last": 1}),
        (1, 11, {"current": 1, "next": 2, "first": 1, "last": 2}),
        (2, 25, {"current": 2, "next": 3, "prev": 1, "first": 1, "last": 3}),
        (3, 25, {"current": 3, "prev": 2, "first": 1, "last": 3}),
        # Beyond the last page.
        (9, 25, {"current": 9, "prev": 8, "first": 1, "last": 3}),
    ],
)
def test_a_page_links_to_those_that_exist(number: int, total: int, expected: dict[str, int]) -> None:
    header = LINKS.list_pages("/api/v1/courses", Page(number, 10), total)["Link"]

    found = re.findall(r'<([^>]*)\?page=(\d+)&per_page=10>; rel="(\w+)"', header)
    assert {relation: int(page) for _, page, relation in found} == expected
    assert {address for address, _, _ in found} == {"https://reports.example.edu/base/api/v1/courses"}
    assert header.count("rel=") == len(expected)


def test_a_path_cannot_end_the_link() -> None:
    header = LINKS.list_pages('/api/v1/courses/sis_course_id:a>; rel="x', Page(1, 10), 0)["Link"]

    assert header.startswith(
        "<https://reports.example.edu/base/api/v1/courses/sis_course_id:a%3E%3B%20rel%3D%22x?page=1&"
    )
