"""The sample course: true to its source, the same each time, and readable by `import`."""

from __future__ import annotations

import statistics
import tomllib
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from ops.client.import_files import open_import_file
from ops.sample.loading import Json, SampleQuiz, sample_course, sample_quizzes, write_sample

ROOT = Path(__file__).parents[3]

# R. D. Bock, M. Lieberman, Psychometrika 35 (1970): how many people answered items 1 to 5 so, from 00000 (all
# wrong) up in binary order to 11111 (all right).
PUBLISHED_COUNTS = [
    *(12, 19, 1, 7, 3, 19, 3, 17, 10, 5, 3, 7, 7, 23, 8, 28),
    *(7, 39, 11, 34, 14, 51, 15, 90, 6, 25, 7, 35, 18, 136, 32, 308),
]


@pytest.fixture
def lsat() -> SampleQuiz:
    return next(quiz for quiz in sample_quizzes() if quiz.name == "lsat")


def test_lsat_has_the_published_counts(lsat: SampleQuiz) -> None:
    patterns = [
        sum(response["correct"] << (4 - item) for item, response in enumerate(attempt["submission_data"]))
        for attempt in lsat.submissions
    ]

    assert [patterns.count(pattern) for pattern in range(32)] == PUBLISHED_COUNTS


def test_lsat_has_a_thousand_people_a_second_apart(lsat: SampleQuiz) -> None:
    attempts = lsat.submissions
    times = [datetime.fromisoformat(attempt["finished_at"]) for attempt in attempts]

    assert [attempt["id"] for attempt in attempts] == list(range(100001, 101001))
    assert [attempt["user_id"] for attempt in attempts] == list(range(8001, 9001))
    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(seconds=1)}
    assert [attempt["updated_at"] for attempt in attempts] == [a["finished_at"] for a in attempts]


def test_what_lsat_says_of_an_item_hangs_together(lsat: SampleQuiz) -> None:
    right = {
        answer["id"]
        for question in lsat.definition["questions"]
        for answer in question["answers"]
        if answer["weight"] == 100
    }

    for attempt in lsat.submissions:
        given = attempt["submission_data"]
        assert [response["correct"] for response in given] == [r["answer_id"] in right for r in given]
        assert [response["points"] for response in given] == [float(r["correct"]) for r in given]
        assert attempt["score"] == sum(response["points"] for response in given)


def test_lsat_has_the_published_proportions_and_moments(lsat: SampleQuiz) -> None:
    totals = [attempt["score"] for attempt in lsat.submissions]

    def scores_of_item(item: int) -> list[bool]:
        return [attempt["submission_data"][item]["correct"] for attempt in lsat.submissions]

    assert [statistics.fmean(scores_of_item(item)) for item in range(5)] == [
        0.828,
        0.658,
        0.772,
        0.606,
        0.843,
    ]
    assert statistics.fmean(totals) == 3.707
    assert statistics.pstdev(totals) == pytest.approx(1.197978, abs=5e-7)


def test_the_sample_is_the_same_each_time() -> None:
    assert sample_course() == sample_course()
    assert sample_quizzes() == sample_quizzes()


def test_every_type_of_question_is_there() -> None:
    types = {
        question.get("question_type")
        for quiz in sample_quizzes()
        for question in quiz.definition["questions"]
    }

    assert len(types - {None}) == 12


def test_question_ids_have_7_or_8_digits_as_in_canvas() -> None:
    ids = {response["question_id"] for quiz in sample_quizzes() for response in responses(quiz.submissions)}

    assert {len(str(question_id)) for question_id in ids} == {7, 8}


def test_every_taker_is_in_the_course() -> None:
    known = {user["id"] for user in sample_course()["users"]}
    takers = {attempt.get("user_id") for quiz in sample_quizzes() for attempt in quiz.submissions}

    assert takers - {None} <= known


def test_its_files_are_what_import_takes(tmp_path: Path) -> None:
    files = [open_import_file(path, course=None, quiz_id=None) for path in write_sample(tmp_path)]

    assert [file.target for file in sorted(files, key=lambda file: (file.rank, file.quiz_id))] == [
        "course 101",
        *("quiz 201", "quiz 202", "quiz 203", "quiz 204"),
        *(f"submissions of quiz {quiz_id}" for quiz_id in (201, 202, 203, 204)),
    ]


def test_a_package_holds_its_data() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["*"]
    data = [path for path in (ROOT / "ops" / "sample").iterdir() if "json" in path.suffix]

    assert len(data) == 8
    assert all(any(path.match(pattern) for pattern in patterns) for path in data)


def responses(submissions: list[Json]) -> list[Json]:
    return [response for attempt in submissions for response in attempt["submission_data"]]
