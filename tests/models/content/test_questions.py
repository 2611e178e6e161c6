"""Questions are read in every form that the LMS sends them in, and told apart by their content."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from models.content.questions import Answer, Match, Question, Variable, digest, unshuffled
from models.errors import InvalidInputError, ValidationIssue
from models.issues import RefusedWhole
from models.lms.quizzes import QuestionType
from models.payloads.questions import read_questions

PLACE = "quiz.questions"


def raw(entries: tuple[Any, ...]) -> list[msgspec.Raw]:
    return [msgspec.Raw(msgspec.json.encode(entry)) for entry in entries]


def read(*entries: Any) -> list[Question]:
    policy = RefusedWhole()
    questions, _ = read_questions(raw(entries), PLACE, policy)
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


def test_answers_are_read_in_the_spelling_of_canvas_s_documentation() -> None:
    documented = {
        "id": 51,
        "answer_text": "Red",
        "answer_html": "<b>Red</b>",
        "answer_weight": 100,
        "answer_match_left": "l",
        "answer_match_right": "r",
        "text": "",
    }

    assert read(choice(documented))[0].answers == (
        Answer(id=51, text="Red", html="<b>Red</b>", weight=100.0, left="l", right="r"),
    )
    assert read(choice({**documented, "text": "Blue", "weight": 0}))[0].answers[0].text == "Blue"
    assert read(choice({**documented, "weight": 0}))[0].answers[0].weight == 0.0


@pytest.mark.contract("6 Data in", "groups keep their id and their questions' points")
def test_groups_are_read_apart_from_the_questions() -> None:
    entries = [
        {"entry_type": "quiz_group", "id": "77", "name": "Group", "pick_count": 2, "question_points": 5},
        choice(A, B, quiz_group_id="77"),
        {"entry_type": "quiz_group", "id": None},
    ]

    policy = RefusedWhole()

    questions, groups = read_questions(raw(tuple(entries)), PLACE, policy)

    policy.finish()
    assert questions is not None
    assert [question.quiz_group_id for question in questions.entries.values()] == [77]
    assert [(group.id, group.question_points) for group in groups] == [(77, 5.0), (None, None)]


def test_groups_are_skipped() -> None:
    group = {"entry_type": "quiz_group", "id": None, "name": "Group", "pick_count": 2}

    assert [question.id for question in read(group, choice(A, B), group)] == [1]


def test_shuffled_answers_make_no_new_version() -> None:
    assert digest(read(choice(A, B))[0]) == digest(read(choice(B, A))[0])


def test_the_order_of_answers_that_a_response_shows_makes_a_version() -> None:
    for kind in ("multiple_answers_question", "matching_question", "fill_in_multiple_blanks_question"):
        a, b = ({**answer, "blank_id": str(answer["id"])} for answer in (A, B))
        first, second = (read(choice(*order, question_type=kind))[0] for order in ((a, b), (b, a)))
        assert digest(first) != digest(second)


@pytest.mark.parametrize("kind", ["multiple_choice_question", "multiple_answers_question"])
def test_the_choices_of_all_attempts_are_in_the_order_of_the_quiz(kind: str) -> None:
    added, gone = {"id": 9, "text": "c"}, {"id": 12, "text": "d"}
    (present,) = read(choice(B, A, gone, question_type=kind))

    for order in ((A, added, B), (added, B, A)):
        shown = unshuffled(read(choice(*order, question_type=kind))[0], present)
        assert [answer.id for answer in shown.answers] == [11, 10, 9]


def test_choices_of_a_question_that_the_quiz_lacks_are_in_the_order_of_their_ids() -> None:
    shown = unshuffled(read(choice(B, A))[0], None)

    assert [answer.id for answer in shown.answers] == [10, 11]


def test_pairs_and_blanks_stay_in_the_order_in_which_they_were_shown() -> None:
    for kind in ("matching_question", "fill_in_multiple_blanks_question", "calculated_question"):
        a, b = ({**answer, "blank_id": str(answer["id"])} for answer in (A, B))
        present, shown = (read(choice(*order, question_type=kind))[0] for order in ((a, b), (b, a)))
        assert unshuffled(shown, present) == unshuffled(shown, None) == shown


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
        choice(A, B, quiz_group_id=77),
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
    for blank in ("", " ", "&nbsp;", "<p> </p>"):
        assert Answer(text=blank, html="<em>Ribosome</em>").label == "Ribosome"
    assert Answer(html='<img alt="a cell" src="cell.png">').label == "[a cell] (cell.png)"


@pytest.mark.parametrize(
    ("entry", "path", "reason"),
    [
        (
            choice(A, B, question_type="riddle"),
            "[0].question_type",
            f"invalid enum value 'riddle', must be one of {', '.join(sorted(QuestionType))}",
        ),
        ({"id": 1}, "[0].question_type", "is missing"),
        ({"question_type": "essay_question"}, "[0].id", "is missing"),
        (choice(A, B, id=True), "[0].id", "must be an integer, or a string of digits"),
        (choice(A, {**B, "weight": "100"}), "[0].answers[1].weight", "expected `float | null`, got `str`"),
        (choice(A, {**B, "text": ["b"]}), "[0].answers[1].text", "must be a text"),
        (choice(A, {"text": "b"}), "[0].answers[1].id", "is missing"),
        (choice(A, {"id": 11}), "[0].answers[1].text", "is missing, and so is html"),
        (
            choice(A, {"id": 11, "label": "b", "text": None}),
            "[0].answers[1].text",
            "is missing, and so is html",
        ),
        (
            choice({"id": 11, "text": ""}, {"id": 12, "html": " "}),
            "[0].answers",
            "have neither text nor html",
        ),
        (
            choice({"id": 11, "match_id": 1}, question_type="matching_question"),
            "[0].answers[0].text",
            "is missing, and so is html",
        ),
        ({"entry_type": "quiz_group", "id": "x"}, "[0].id", "must be an integer, or a string of digits"),
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
        ValidationIssue(f"{PLACE}[1].id", "is also the id of an earlier question or group")
    ]
