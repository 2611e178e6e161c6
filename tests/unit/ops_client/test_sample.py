"""The sample course: true to its source, the same each time, and readable by `import`."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from ops.import_files import open_import_file
from ops.sample.contents import sample_quizzes
from ops.sample.course import Json, sample_course
from ops.sample.files import write_sample
from ops.sample.lsat import lsat_quiz


def scores_of_item(item: int) -> list[bool]:
    return [attempt["submission_data"][item]["correct"] for attempt in lsat_quiz().submissions]


def test_lsat_has_the_published_proportions_and_moments() -> None:
    totals = [attempt["score"] for attempt in lsat_quiz().submissions]

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
        question.get("question_type") for quiz in sample_quizzes() for question in quiz.quiz["questions"]
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

    assert [file.target for file in sorted(files, key=lambda file: file.rank)] == [
        "course 101",
        *("quiz 201", "quiz 202", "quiz 203"),
        *("submissions of quiz 201", "submissions of quiz 202", "submissions of quiz 203"),
    ]


def responses(submissions: list[Json]) -> list[Json]:
    return [response for attempt in submissions for response in attempt["submission_data"]]
