"""PUT of a quiz: its questions are stored by content, in the order that the quiz has them in."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from models.errors import InvalidInputError, NotFoundError
from models.ingestion import quizzes
from models.ingestion.counts import PushCounts
from models.ingestion.quizzes import apply_quiz
from models.issues import Skipped
from models.payloads.quizzes import read_quiz
from tests.lms import Lms
from tests.payloads import COURSE_ID, FIRST_QUESTION, QUIZ_ID, SECOND_QUESTION, Json, attempt, question, quiz
from tests.races import together
from tests.waiting import wait_for

OTHER_COURSE_ID, OTHER_QUIZ_ID = 102, 202
QUESTIONS_IN_ORDER = """
    SELECT content FROM quizzes JOIN question_sets ON question_sets.id = question_set_id,
        unnest(question_version_ids) WITH ORDINALITY AS part (version_id, place)
    JOIN question_versions ON question_versions.id = version_id
    WHERE quizzes.id = 201 ORDER BY place"""


def places(push: Callable[[], object]) -> list[str]:
    with pytest.raises(InvalidInputError) as caught:
        push()
    return [issue.path for issue in caught.value.issues]


def shuffled(question_id: int) -> dict[str, Any]:
    asked = question(question_id)
    return {**asked, "answers": asked["answers"][::-1]}


def stored_questions(lms: Lms) -> list[dict[str, Any]]:
    return [content for (content,) in lms.rows(QUESTIONS_IN_ORDER)]


@pytest.fixture
def lms(lms: Lms) -> Lms:
    lms.put_course()
    return lms


def test_a_new_quiz_is_stored_with_its_questions(lms: Lms) -> None:
    assert lms.put_quiz() == PushCounts(created=3, updated=0, unchanged=0, deleted=0, revision=1)
    assert lms.rows("SELECT course_id, title, quiz_type, assignment_id, scoring_policy FROM quizzes") == [
        (COURSE_ID, "Cells", "assignment", 900, "keep_highest")
    ]
    assert [content["id"] for content in stored_questions(lms)] == [FIRST_QUESTION, SECOND_QUESTION]


@pytest.mark.contract("6 Data in", "every PUT is an idempotent upsert")
def test_the_same_quiz_again_changes_nothing(lms: Lms) -> None:
    lms.put_quiz()
    before = lms.stored()

    assert lms.put_quiz() == PushCounts(created=0, updated=0, unchanged=3, deleted=0, revision=1)
    assert lms.stored() == before


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({"title": "Cells and more"}, (0, 1, 2, 0)),
        ({"points_possible": 3}, (0, 1, 2, 0)),
        ({"published_at": "2026-09-01T08:00:00Z", "points_possible": 3}, (0, 1, 2, 0)),
        ({"anonymous_submissions": True}, (0, 1, 2, 0)),
        ({"scoring_policy": "keep_latest"}, (0, 1, 2, 0)),
        ({"questions": [question(FIRST_QUESTION)]}, (0, 0, 2, 1)),
        ({"questions": [*quiz()["questions"], question(3)]}, (1, 0, 3, 0)),
        ({"questions": quiz()["questions"][::-1]}, (0, 1, 2, 0)),
        (
            {"questions": [question(FIRST_QUESTION, question_text="?"), question(SECOND_QUESTION)]},
            (0, 1, 2, 0),
        ),
        ({"questions": [shuffled(FIRST_QUESTION), question(SECOND_QUESTION)]}, (0, 1, 2, 0)),
        ({"questions": [question(FIRST_QUESTION, position=5), question(SECOND_QUESTION)]}, (0, 1, 2, 0)),
    ],
)
def test_what_changed_is_counted_and_raises_the_revision_once(
    lms: Lms, changes: dict[str, Any], counts: tuple[int, int, int, int]
) -> None:
    lms.put_quiz()

    assert lms.put_quiz(**changes) == PushCounts(*counts, revision=2)
    assert lms.put_quiz(**changes).revision == 2


@pytest.mark.parametrize("changes", [{"published_at": "2026-09-01T08:00:00Z"}, {"assignment_id": 901}])
def test_what_no_report_shows_is_counted_and_leaves_the_revision(lms: Lms, changes: dict[str, Any]) -> None:
    lms.put_quiz()

    assert lms.put_quiz(**changes) == PushCounts(0, updated=1, unchanged=2, deleted=0, revision=1)
    assert lms.put_quiz(**changes) == PushCounts(0, 0, unchanged=3, deleted=0, revision=1)
    assert lms.rows("SELECT assignment_id, published_at IS NULL FROM quizzes") == [
        (changes.get("assignment_id", 900), "published_at" not in changes)
    ]


def test_what_is_left_out_stays(lms: Lms) -> None:
    lms.put_quiz(published_at="2026-09-01T08:00:00Z", points_possible=2)
    before = lms.stored()

    assert lms.patch_quiz(title="Cells") == PushCounts(0, 0, unchanged=1, deleted=0, revision=1)
    assert lms.stored() == before


def test_null_clears_a_field(lms: Lms) -> None:
    lms.put_quiz(points_possible=2, scoring_policy="keep_latest")

    lms.patch_quiz(points_possible=None, assignment_id=None, scoring_policy=None, anonymous_submissions=None)

    assert lms.rows(
        "SELECT points_possible, assignment_id, scoring_policy, anonymous_submissions FROM quizzes"
    ) == [(None, None, "keep_highest", False)]


def test_questions_return_to_the_version_that_they_had(lms: Lms) -> None:
    lms.put_quiz()
    lms.put_quiz(questions=[question(FIRST_QUESTION, question_text="other"), question(SECOND_QUESTION)])
    lms.put_quiz()

    assert lms.value("SELECT count(*) FROM question_versions") == 3
    assert lms.value("SELECT count(*) FROM question_sets") == 2


def test_answers_stand_as_the_quiz_has_them_not_as_an_attempt_saw_them(lms: Lms) -> None:
    lms.put_quiz()
    lms.put_attempts(attempt(quiz_data=[shuffled(FIRST_QUESTION), question(SECOND_QUESTION)]))
    assert stored_questions(lms)[0]["answers"][0]["text"] == "Answer 1"

    lms.put_quiz(questions=[shuffled(FIRST_QUESTION), question(SECOND_QUESTION)])
    assert stored_questions(lms)[0]["answers"][0]["text"] == "Answer 3"
    assert lms.value("SELECT count(*) FROM question_versions") == 2


def test_a_quiz_may_be_without_questions(lms: Lms) -> None:
    assert lms.put_quiz(questions=[]).created == 1
    assert lms.patch_quiz(OTHER_QUIZ_ID, title="Empty", quiz_type="survey").created == 1
    assert lms.put_attempts(attempt(submission_data=[])).created == 1


GROUP = {"entry_type": "quiz_group", "id": 5, "name": "Group", "pick_count": 1}


@pytest.mark.contract("6 Data in", "groups keep their id and their questions' points")
def test_groups_are_skipped(lms: Lms) -> None:
    assert lms.put_quiz(questions=[GROUP, question(FIRST_QUESTION)]).created == 2


@pytest.mark.contract("6 Data in", "groups keep their id and their questions' points")
def test_groups_that_a_later_push_does_not_name_are_dropped(lms: Lms) -> None:
    lms.put_quiz(questions=[GROUP, question(1, quiz_group_id=6)])
    assert lms.value("SELECT question_groups FROM quizzes") == {"5": None, "6": None}

    lms.put_quiz(questions=[{**GROUP, "id": 7}, {"entry_type": "quiz_group"}, {"entry_type": "quiz_group"}])
    assert lms.value("SELECT question_groups FROM quizzes") == {"7": None}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"quiz_type": "exam"}, ["quiz.quiz_type"]),
        ({"title": None}, ["quiz.title"]),
        ({"anonymous_submissions": 1}, ["quiz.anonymous_submissions"]),
        ({"published_at": "yesterday"}, ["quiz.published_at"]),
        ({"published_at": "1066-10-14T09:00:00Z"}, ["quiz.published_at"]),
        ({"assignment_id": 900}, ["quiz.assignment_id"]),
        ({"questions": [question(1), question(1)]}, ["quiz.questions[1].id"]),
        ({"questions": [GROUP, question(5), {**GROUP, "question_points": 2.0}]}, ["quiz.questions[2].id"]),
        (
            {"questions": [question(1, question_type="riddle"), question(2, answers=[{"text": "a"}])]},
            ["quiz.questions[0].question_type", "quiz.questions[1].answers[0].id"],
        ),
    ],
)
@pytest.mark.contract("6 Data in", "all or nothing")
def test_an_invalid_quiz_is_refused_and_nothing_of_it_is_stored(
    lms: Lms, fields: dict[str, Any], path: list[str]
) -> None:
    lms.put_quiz()
    before = lms.stored()

    assert places(lambda: lms.put_quiz(OTHER_QUIZ_ID, **{"assignment_id": None, **fields})) == path
    assert lms.stored() == before


def test_a_new_quiz_needs_a_title_and_a_type(lms: Lms) -> None:
    assert places(lambda: lms.patch_quiz(OTHER_QUIZ_ID)) == ["quiz.title", "quiz.quiz_type"]


def test_a_quiz_of_another_course_is_refused(lms: Lms) -> None:
    lms.put_quiz()
    lms.patch_course(OTHER_COURSE_ID, name="Other")

    assert places(lambda: lms.put_quiz(QUIZ_ID, OTHER_COURSE_ID)) == ["quiz"]


def test_a_quiz_of_an_unknown_course_is_not_found(lms: Lms) -> None:
    with pytest.raises(NotFoundError):
        lms.put_quiz(course_id=OTHER_COURSE_ID)


def skipping(lms: Lms, quiz_id: int = QUIZ_ID, **fields: Any) -> tuple[PushCounts, Skipped]:
    """Push what is given of a quiz, and skip what is invalid."""
    issues = Skipped()
    pushed = read_quiz(msgspec.json.encode({"quiz": fields}), issues)
    with lms.database.transaction() as session:
        return apply_quiz(session, COURSE_ID, quiz_id, pushed).counts, issues


def question_ids(lms: Lms) -> list[int]:
    return [content["id"] for content in stored_questions(lms)]


@pytest.mark.contract("6 Data in", "what is skipped stays as it is stored, with what depends on it")
@pytest.mark.parametrize("first", [question(1, question_type="riddle"), question(1, question_text="New")])
def test_a_question_that_is_sent_again_and_is_invalid_stands_once(lms: Lms, first: Json) -> None:
    lms.put_quiz(questions=[question(1), question(2)])
    invalid = question(1, question_type="riddle")

    _, issues = skipping(lms, questions=[first, question(2), invalid])

    assert question_ids(lms) == [1, 2]
    assert issues.n_skipped == (2 if first == invalid else 1)


@pytest.mark.contract("6 Data in", "what is skipped stays as it is stored, with what depends on it")
def test_an_invalid_new_question_is_left_out(lms: Lms) -> None:
    lms.put_quiz(questions=[question(1)])

    skipping(lms, questions=[question(3, question_type="riddle"), question(1)])

    assert question_ids(lms) == [1]


@pytest.mark.contract("6 Data in", "what is skipped stays as it is stored, with what depends on it")
def test_while_a_key_cannot_be_read_every_stored_question_stays(lms: Lms) -> None:
    lms.put_quiz(questions=[question(1), question(2)])

    skipping(lms, questions=[{"id": "x"}, question(2), question(3)])

    assert question_ids(lms) == [2, 3, 1]


@pytest.mark.contract("6 Data in", "a quiz has at most 10,000 questions, also where some are skipped")
def test_a_quiz_gets_no_more_questions_than_it_may_have(lms: Lms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quizzes, "MOST_QUESTIONS", 4)
    lms.put_quiz(questions=[question(1), question(2)])
    invalid = question(1, question_type="riddle")

    # The key of the first entry cannot be read, so everything that is stored stays.
    counts, issues = skipping(
        lms, questions=[{"id": "x"}, *map(question, (3, 4, 5)), question(2, question_text="New"), question(6)]
    )

    assert question_ids(lms) == [3, 4, 2, 1]
    assert (counts.created, counts.updated, counts.deleted) == (2, 1, 0)
    assert issues.n_skipped == 3
    [too_long] = [counted for counted in issues.counts if counted.kind == "too_long"]
    assert too_long.examples == ["quiz.questions[3]", "quiz.questions[5]"]

    skipping(lms, questions=[invalid, *map(question, (5, 6, 7, 8))])

    assert question_ids(lms) == [1, 5, 6, 7]


def test_pushes_at_once_do_not_pass_the_limit_of_questions_together(
    lms: Lms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quizzes, "MOST_QUESTIONS", 4)
    lms.put_quiz(questions=[question(1)])

    together(
        *[
            partial(skipping, lms, questions=[{"id": "x"}, question(number), question(number + 1)])
            for number in (10, 20, 30)
        ]
    )

    ids = question_ids(lms)
    assert (len(ids), len(set(ids)), 1 in ids) == (4, 4, True)


def test_a_quiz_that_is_skipped_without_questions_changes_nothing(lms: Lms) -> None:
    before = lms.stored()

    counts, _ = skipping(lms, OTHER_QUIZ_ID, quiz_type="assignment")

    assert counts == PushCounts(0, 0, 0, 0, revision=0)
    assert lms.stored() == before


def test_invalid_fields_of_a_stored_quiz_stay_and_its_questions_are_stored(lms: Lms) -> None:
    lms.put_quiz(title="Cells", questions=[question(1)])

    counts, _ = skipping(lms, title=7, questions=[question(1), question(2)])

    assert (counts.created, counts.unchanged) == (1, 1)
    assert lms.value("SELECT title FROM quizzes") == "Cells"


def test_of_two_quizzes_that_take_an_assignment_at_once_the_later_is_refused(lms: Lms) -> None:
    pushed = read_quiz(msgspec.json.encode({"quiz": quiz(assignment_id=7)}))

    with ThreadPoolExecutor(1) as pool:
        with lms.database.transaction() as session:
            apply_quiz(session, COURSE_ID, 301, pushed)
            later = pool.submit(lms.put_quiz, 302, assignment_id=7)
            wait_for(lambda: session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))
        with pytest.raises(InvalidInputError) as caught:
            later.result(timeout=30)

    assert [issue.path for issue in caught.value.issues] == ["quiz.assignment_id"]
    assert lms.rows("SELECT id FROM quizzes") == [(301,)]
