"""The same data give the same bytes, in whatever order they were pushed."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from tests import payloads
from tests.payloads import Json
from tests.workers import test_generation as generation
from tests.workers.test_generation import School, roster, student

school = generation.school

STUDENTS = (7, 8, 9)
CHOICE, SEVERAL, BANKED = 4000001, 4000002, 4000003
DRAWN = (4000004, 4000005)
POLICIES = ("keep_highest", "keep_latest", "keep_average")


def several(question_id: int) -> Json:
    return payloads.question(question_id, question_type="multiple_answers_question")


QUIZ = [
    payloads.question(CHOICE),
    several(SEVERAL),
    *(payloads.question(question_id, quiz_group_id=77) for question_id in DRAWN),
]


@st.composite
def shuffled(draw: st.DrawFn, question: Json) -> Json:
    """A question as an attempt saw it: its answers in another order, and worded as before or as now."""
    answers = draw(st.permutations(question["answers"]))
    return {**question, "answers": answers, "question_text": draw(st.sampled_from(["Before", "Now"]))}


@st.composite
def attempts(draw: st.DrawFn) -> Json:
    """An attempt; few moments and scores, so that there are many ties."""
    day = draw(st.integers(1, 3))
    fields: Json = {
        "user_id": draw(st.sampled_from(STUDENTS)),
        "score": draw(st.sampled_from([None, 0.1, 0.2, 0.7, 1.0])),
        "finished_at": draw(st.sampled_from([None, f"2026-09-{day:02}T09:00:00Z"])),
        "updated_at": f"2026-09-{day:02}T10:00:00Z",
    }
    if draw(st.integers(0, 5)) == 0:
        fields |= {"user_id": None, "temporary_user_code": "a code"}
    choices = st.integers(1, 3)
    entries: list[Json] = [
        payloads.entry(CHOICE, draw(choices), points=0.1),
        {"question_id": SEVERAL, f"answer_{SEVERAL}1": "1", f"answer_{SEVERAL}{draw(choices)}": "1"},
    ]
    kind = draw(st.sampled_from(["of the quiz", "drawn", "banked", "without data"]))
    if kind == "drawn":
        entries += [payloads.entry(draw(st.sampled_from(DRAWN)), draw(choices))]
    elif kind == "banked":
        banked = payloads.question(BANKED, points_possible=float(draw(choices)))
        entries += [payloads.entry(BANKED, draw(choices))]
        fields["quiz_data"] = [draw(shuffled(question)) for question in (QUIZ[0], QUIZ[1], banked)]
    return {**fields, "submission_data": None if kind == "without data" else entries}


def pushes() -> st.SearchStrategy[list[Json]]:
    keys = st.tuples(st.sampled_from([501, 502, 503, 504]), st.integers(1, 2))
    return st.dictionaries(keys, attempts(), min_size=2, max_size=8).map(
        lambda found: [payloads.attempt(*key, **fields) for key, fields in found.items()]
    )


def files(school: School, policy: str, requests: list[list[Json]]) -> list[str]:
    """Push the requests to an empty quiz; return all its files."""
    with school.resources.database.transaction() as session:
        session.execute(text("TRUNCATE quizzes CASCADE"))
    group: Json = {"entry_type": "quiz_group", "id": 77}
    school.quiz([*QUIZ, group], scoring_policy=policy)
    for attempts_of_request in requests:
        school.submissions(*attempts_of_request)
    return [
        school.file("student_analysis"),
        school.file("student_analysis", all_versions=True),
        school.file("item_analysis"),
    ]


@pytest.fixture
def roster_of_students(school: School) -> School:
    school.course(**roster(*(student(user_id, f"Student {user_id}", 31) for user_id in STUDENTS)))
    return school


@pytest.mark.contract("7 Rows", "the same data give the same bytes, in whatever order they were pushed")
@given(data=st.data())
@hypothesis.settings(
    max_examples=6,
    # Each example begins with an empty quiz.
    suppress_health_check=[
        hypothesis.HealthCheck.function_scoped_fixture,
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.data_too_large,
    ],
)
def test_files_do_not_depend_on_the_order_of_pushes(roster_of_students: School, data: st.DataObject) -> None:
    pushed: list[Json] = data.draw(pushes())
    policy = data.draw(st.sampled_from(POLICIES))
    order: list[Any] = data.draw(st.permutations(pushed))
    half = data.draw(st.integers(0, len(order)))

    one_by_one = files(roster_of_students, policy, [[attempt] for attempt in order])

    assert files(roster_of_students, policy, [pushed[half:], pushed[:half]]) == one_by_one
