"""What real courses hold, from a push to the cells of both files: words, drawn questions, changed types."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from tests import payloads
from tests.payloads import COURSE_ID, QUIZ_ID, Json
from tests.workers import test_generation as generation
from tests.workers.test_generation import School, attempt, chosen, roster, student

school = generation.school

SUBMISSIONS = f"/api/v1/courses/{COURSE_ID}/quizzes/{QUIZ_ID}/submissions"


def question(kind: str, question_id: int = 1, **fields: Any) -> Json:
    kind = kind if kind == "Error" else f"{kind}_question"
    return {"id": question_id, "question_type": kind, "question_text": f"Q{question_id}", **fields}


def entry(question_id: int = 1, **fields: Any) -> Json:
    return {"question_id": question_id, "correct": False, "points": 0, "text": "", **fields}


def push(school: School, questions: list[Json], *attempts: Json, **quiz: Any) -> None:
    school.course(**roster(student(7, "Ann Lee", 31), student(8, "Bo Ek", 31)))
    school.quiz(questions, **quiz)
    school.submissions(*attempts)


def refused(school: School, *attempts: Json) -> Any:
    answer = school.client.put(SUBMISSIONS, json={"quiz_submissions": attempts}, headers=school.admin)
    assert answer.status_code == 422
    return answer.get_json()["errors"]


def table(
    school: School, report_type: str = "student_analysis", *, all_versions: bool = False
) -> list[list[str]]:
    return list(csv.reader(io.StringIO(school.file(report_type, all_versions=all_versions))))


def cells(school: School) -> list[list[str]]:
    """Return the header and the rows from the first question on."""
    return [row[7:] for row in table(school)]


DROPDOWNS = question(
    "multiple_dropdowns",
    points_possible=1,
    answers=[
        {"id": 11, "text": "x", "weight": 100, "blank_id": "a"},
        {"id": 12, "text": "y", "weight": 100, "blank_id": "b"},
    ],
)
DOCUMENTED = question(
    "multiple_choice",
    points_possible=1,
    answers=[
        {"id": 51, "answer_text": "Red", "answer_weight": 100},
        {"id": 52, "answer_text": "Blue", "answer_weight": 0},
    ],
)
CALCULATED = question(
    "calculated",
    points_possible=1,
    answers=[
        {"id": 5842, "variables": [{"name": "x", "value": 4}], "answer": 9, "weight": 100},
        {"id": 771, "variables": [{"name": "x", "value": 9}], "answer": 14, "weight": 100},
    ],
)


@pytest.mark.parametrize(
    ("asked", "given", "row"),
    [
        (question("text_only"), entry(correct="no_score"), ["", "0.0", "1", "0"]),
        (question("Error"), entry(correct="undefined"), ["", "0.0", "1", "0"]),
        (
            question("essay", points_possible=5),
            entry(correct="defined", points=4.0, text="<p>because</p>", more_comments="ok"),
            ["because", "4.0", "1", "0"],
        ),
        (DROPDOWNS, entry(), ["", "0.0", "0", "1"]),
        (DROPDOWNS, entry(answer_for_a=None, answer_for_b=12), ["y", "0.0", "0", "1"]),
        (DOCUMENTED, entry(correct="true", points=1.0, answer_id=51), ["Red", "1.0", "1", "0"]),
        (
            {**DOCUMENTED, "question_type": "missing_word_question"},
            entry(correct="false", answer_id="52"),
            ["Blue", "0.0", "0", "1"],
        ),
        (
            CALCULATED,
            entry(correct=True, points=1, answer_id=771, text="14.0000"),
            ["x=>9,14.0000", "1.0", "1", "0"],
        ),
    ],
)
@pytest.mark.contract("7 Cells", "each question type has its cell")
def test_a_response_in_canvas_s_own_words_has_its_cell(
    school: School, asked: Json, given: Json, row: list[str]
) -> None:
    push(school, [asked], attempt(501, 7, submission_data=[given]))

    assert cells(school)[1] == [*row, "1.0"]


@pytest.mark.parametrize(
    ("html", "cell"),
    [
        ("<ul><li>one</li><li>two</li></ul>", "* one\n\n* two"),
        ("<h2>BIG</h2><p>x</p>", "---\nBIG\n---\n\nx"),
        ('<p><a href="https://e.example/a">https://e.example/a</a></p>', "https://e.example/a"),
        ("<pre>a = 1\nb = 2</pre>", "a = 1\nb = 2"),
    ],
)
def test_an_essay_is_plain_text_in_its_cell(school: School, html: str, cell: str) -> None:
    push(school, [question("essay")], attempt(501, 7, submission_data=[entry(text=html)]))

    assert cells(school)[1][0] == cell


GROUP = {"entry_type": "quiz_group", "id": 77, "pick_count": 1, "question_points": 5.0}


def drawn(question_id: int, **fields: Any) -> Json:
    answers = [{"id": 1, "text": "True", "weight": 100}, {"id": 2, "text": "False", "weight": 0}]
    return question(
        "true_false",
        question_id,
        **{"quiz_group_id": 77, "position": None, "points_possible": 1.0, "answers": answers, **fields},
    )


@pytest.mark.contract("6 Data in", "a drawn question is one of the attempts that drew it")
def test_drawn_questions_have_columns_where_some_attempt_drew_them(school: School) -> None:
    first = attempt(501, 7, submission_data=[entry(31051, correct=True, points=5.0, answer_id=1)])
    push(school, [drawn(31051), drawn(31052), GROUP], first)

    assert cells(school) == [
        ["31051: Q31051", "5.0", "n correct", "n incorrect", "score"],
        ["True", "5.0", "1", "0", "1.0"],
    ]
    assert [row[0] for row in table(school, "item_analysis")[1:]] == ["31051"]
    assert table(school, "item_analysis")[1][6] == "1"

    school.submissions(
        attempt(502, 8, submission_data=[entry(31052, answer_id=2)], updated_at="2026-09-01T00:00:00Z")
    )

    assert cells(school) == [
        ["31051: Q31051", "5.0", "31052: Q31052", "5.0", "n correct", "n incorrect", "score"],
        ["True", "5.0", "", "", "1", "0", "1.0"],
        ["", "", "False", "0.0", "0", "1", "1.0"],
    ]
    assert [row[:7] for row in table(school, "item_analysis")[1:]] == [
        ["31051", "Q31051", "1", "1", "0", "0", "2"],
        ["31052", "Q31052", "1", "1", "0", "0", "2"],
    ]


@pytest.mark.contract("6 Data in", "a drawn question is one of the attempts that drew it")
def test_the_points_of_a_drawn_question_are_the_group_s_else_those_of_the_newest_quiz_data(
    school: School,
) -> None:
    sent = [attempt(n, 7, n, quiz_data=[drawn(31051, points_possible=float(n))]) for n in (2, 3)]
    push(school, [drawn(31051)], attempt(4, 8, 4, submission_data=[entry(31051)]))
    assert cells(school)[0][:2] == ["31051: Q31051", "1.0"]

    # The newer one comes first.
    for one in reversed(sent):
        school.submissions(one)
    assert cells(school)[0][:2] == ["31051: Q31051", "3.0"]

    school.quiz([drawn(31051), GROUP])
    assert cells(school)[0][:2] == ["31051: Q31051", "5.0"]
    # The group is left when the question is not listed, as bank questions are not.
    school.quiz([GROUP])
    assert cells(school)[0][:2] == ["31051: Q31051", "5.0"]


@pytest.mark.contract("7 Rows", "the attempts of a student with several submissions are in one order")
@pytest.mark.parametrize("order", [1, -1])
def test_submissions_of_merged_accounts_are_those_of_one_student(school: School, order: int) -> None:
    ends = {1: ("2026-09-15T09:00:00Z", 2), 2: ("2026-09-12T09:00:00Z", 1)}
    attempts = [
        attempt(
            number,
            7,
            score=5.0,
            finished_at=end,
            updated_at=end,
            submission_data=[entry(31051, answer_id=answer_id)],
        )
        for number, (end, answer_id) in ends.items()
    ]
    push(school, [drawn(31051, quiz_group_id=None)])
    for one in attempts[::order]:
        school.submissions(one)

    (row,) = table(school)[1:]
    assert row[6:8] == ["2026-09-15 09:00:00 UTC", "False"]
    (item,) = table(school, "item_analysis")[1:]
    # The first attempt is that of 12 September, which chose True.
    assert item[2:9] == ["1", "0", "1", "0", "1", "1", "0"]


@pytest.mark.contract("6 Data in", "an entry that does not fit its question's type is invalid")
def test_a_choice_that_is_pushed_after_its_question_became_an_essay_is_refused(school: School) -> None:
    one = payloads.question(4000001, answers=[{"id": 8001, "text": "Golgi", "weight": 100}])
    late = attempt(501, 7, submission_data=[chosen(8001) | {"text": "8001"}])
    push(school, [{**one, "question_type": "essay_question", "answers": []}])

    (error,) = refused(school, late)
    assert error["place"] == "quiz_submissions[0].submission_data[0].answer_id"
    assert "send its quiz_data" in error["message"]

    school.submissions(late | {"quiz_data": [one]})
    assert cells(school)[1][0] == "Golgi"


def test_rows_that_hold_no_attempt_are_taken(school: School) -> None:
    push(
        school,
        [question("essay")],
        {"workflow_state": "settings_only", "attempt": None},
        {"workflow_state": "untaken", "submission_data": {}},
        attempt(501, 7, submission_data=[entry(text="a")], temporary_user_code="was 3.0 until Tue Sep 15"),
        attempt(502, 8, submission_data=None),
    )

    assert [row[0] for row in table(school)[1:]] == ["Ann Lee"]
    assert [row[0] for row in table(school, all_versions=True)[1:]] == ["Ann Lee"]


@pytest.mark.contract("6 Data in", "a section moves to the course that pushes it last")
def test_a_section_moves_with_its_students_before_its_course_is_pushed_without_it(school: School) -> None:
    other = f"/api/v1/courses/{COURSE_ID + 1}"
    push(school, [question("essay")], attempt(501, 7, submission_data=[]))
    before = school.course()["revision"]

    enrollment = {
        "user_id": 8,
        "course_section_id": 31,
        "type": "StudentEnrollment",
        "enrollment_state": "invited",
    }
    body = {
        "name": "Other",
        "sections": [{"id": 31, "name": "Section A"}],
        "users": [{"id": 8, "name": "Bo Ek"}],
        "enrollments": [enrollment],
    }
    answer = school.client.put(other, json={"course": body}, headers=school.admin)

    assert answer.status_code == 200
    assert school.course()["revision"] == before + 1
    # Ann was enrolled in that section alone.
    assert table(school)[1:] == []
