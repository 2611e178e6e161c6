"""Questions are read in every form that the LMS sends them in, and told apart by their content."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from models.content.questions import Answer, Match, Question, Variable, digest
from models.errors import InvalidInputError, ValidationIssue
from models.issues import RefusedWhole
from models.lms.quizzes import QuestionType
from models.payloads.questions import read_questions

PLACE = "quiz.questions"


def raw(entries: tuple[Any, ...]) -> list[msgspec.Raw]:
    return [msgspec.Raw(msgspec.json.encode(entry)) for entry in entries]


def read(*entries: Any) -> list[Question]:
    policy = RefusedWhole()
    questions = read_questions(raw(entries), PLACE, policy)
    policy.finish()
    assert questions is not None
    return [Question.of(pushed) for pushed in questions.entries.values()]


def issues(*entries: Any) -> list[ValidationIssue]:
    policy = RefusedWhole()
    try:
        read_questions(raw(entries), PLACE, policy)
        policy.finish()
    except InvalidInputError as error:
        return list(error.issues)
    return []


def choice(*answers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": 1, "question_type": "multiple_choice_question", "answers": list(answers), **fields}


A, B = {"id": 10, "text": "a", "weight": 100}, {"id": 11, "text": "b", "weight": 0}


@pytest.mark.parametrize("question_type", list(QuestionType))
def test_every_question_type_is_read(question_type: QuestionType) -> None:
    assert read({"id": 1, "question_type": question_type.value})[0].question_type is question_type


def test_a_question_is_read_with_all_that_a_report_needs() -> None:
    entry = {
        "id": "4000001",
        "position": 3,
        "question_name": "Q1",
        "question_type": "matching_question",
        "question_text": "<p>Which?</p>",
        "points_possible": 2,
        "answers": [
            {"id": "8001", "text": "left", "match_id": "5", "right": "r", "html": None, "weight": None},
            {"id": 8002, "left": "l", "match_id": 6, "variables": [{"name": "x", "value": 4.3}]},
        ],
        "matches": [{"match_id": "5", "text": "five"}, {"match_id": 6, "text": 6}],
    }

    assert read(entry) == [
        Question(
            id=4000001,
            question_type=QuestionType.MATCHING,
            question_text="<p>Which?</p>",
            points_possible=2.0,
            position=3,
            answers=(
                Answer(id=8001, text="left", match_id=5, right="r"),
                Answer(id=8002, left="l", match_id=6, variables=(Variable("x", "4.3"),)),
            ),
            matches=(Match(5, "five"), Match(6, "6")),
        )
    ]


def test_a_question_is_the_same_after_it_was_stored_as_json() -> None:
    question = read(choice(A, B, position=1))[0]

    assert msgspec.json.decode(msgspec.json.encode(question), type=Question) == question


def test_groups_are_skipped() -> None:
    group = {"entry_type": "quiz_group", "id": None, "name": "Group", "pick_count": 2}

    assert [question.id for question in read(group, choice(A, B), group)] == [1]


def test_shuffled_answers_make_no_new_version() -> None:
    assert digest(read(choice(A, B))[0]) == digest(read(choice(B, A))[0])


def test_another_position_makes_no_new_version() -> None:
    assert digest(read(choice(A, B, position=1))[0]) == digest(read(choice(A, B, position=7))[0])


@pytest.mark.parametrize(
    "other",
    [
        choice(A, B, question_text="other"),
        choice(A, B, points_possible=2),
        choice(A, {**B, "text": "c"}),
        choice(A, {**B, "weight": 100}),
        choice(A),
        choice(A, B, question_type="true_false_question"),
    ],
)
def test_another_content_makes_a_new_version(other: dict[str, Any]) -> None:
    assert digest(read(choice(A, B))[0]) != digest(read(other)[0])


def test_the_variables_that_were_shown_make_a_version_of_a_calculated_question() -> None:
    first, second = ({"variables": [{"name": "x", "value": value}]} for value in (1, 2))
    calculated = {"id": 1, "question_type": "calculated_question"}

    assert digest(read({**calculated, "answers": [first, second]})[0]) != digest(
        read({**calculated, "answers": [second, first]})[0]
    )


def test_an_answer_is_called_by_its_text_and_by_its_html_where_that_is_blank() -> None:
    assert Answer(text="6 &lt; 7", html="<b>x</b>").label == "6 < 7"
    assert Answer(text=" ", html="<em>Ribosome</em>").label == "Ribosome"


@pytest.mark.parametrize(
    ("entry", "path", "reason"),
    [
        (choice(A, B, question_type="riddle"), "[0].question_type", "invalid enum value 'riddle'"),
        ({"id": 1}, "[0].question_type", "is missing"),
        ({"question_type": "essay_question"}, "[0].id", "is missing"),
        (choice(A, B, id=True), "[0].id", "must be an integer, or a string of digits"),
        (choice(A, {**B, "weight": "100"}), "[0].answers[1].weight", "expected `float | null`, got `str`"),
        (choice(A, {**B, "text": ["b"]}), "[0].answers[1].text", "must be a text"),
        (choice(A, {"text": "b"}), "[0].answers[1].id", "is missing"),
        (choice(A, A), "[0].answers[1].id", "is also the id of an earlier answer"),
        (
            {"id": 1, "question_type": "multiple_dropdowns_question", "answers": [A]},
            "[0].answers[0].blank_id",
            "is missing",
        ),
        (choice(A, B, position=2**40), "[0].position", "expected `int` <= 2147483647"),
        (7, "[0]", "expected `object`, got `int`"),
    ],
)
def test_a_wrong_question_is_refused_at_its_place(entry: Any, path: str, reason: str) -> None:
    assert issues(entry) == [ValidationIssue(PLACE + path, reason)]


def test_a_question_that_is_given_twice_is_refused() -> None:
    assert issues(choice(A), choice(B)) == [
        ValidationIssue(f"{PLACE}[1].id", "is also the id of an earlier question")
    ]
