"""PUT of attempts: an idempotent upsert by (id, attempt), newest first served, all or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from models.errors import InvalidInputError, NotFoundError
from models.ingestion.counts import PushCounts
from tests.lms import Lms
from tests.payloads import (
    FIRST_QUESTION,
    QUIZ_ID,
    SECOND_QUESTION,
    Json,
    attempt,
    entry,
    many_attempts,
    question,
)

LATER, EARLIER = "2026-09-11T00:00:00Z", "2026-09-10T09:12:30Z"
OTHER_QUIZ_ID = 202
RESPONSES = "SELECT answer_ids, texts, points, n_correct, n_incorrect FROM attempts"


def places(push: Callable[[], object]) -> list[str]:
    with pytest.raises(InvalidInputError) as caught:
        push()
    return [issue.path for issue in caught.value.issues]


def test_a_new_attempt_is_stored_with_its_responses_and_as_it_came(school: Lms) -> None:
    assert school.put_attempts(attempt(kept_score=1, was_preview=False)) == PushCounts(1, 0, 0, 0, revision=2)
    assert school.rows(RESPONSES) == [([40000011, 40000022], [None, None], [1.0, 0.0], 1, 1)]
    assert school.rows(
        "SELECT submission_id, attempt, user_id, workflow_state, score, kept_score FROM attempts"
    ) == [(501, 1, 7, "complete", 1.0, 1.0)]
    assert school.payload() == attempt(kept_score=1, was_preview=False)


@pytest.mark.contract("6 Data in", "every PUT is an idempotent upsert")
def test_the_same_attempts_again_change_nothing(school: Lms) -> None:
    school.put_attempts(*many_attempts(5))
    before = school.stored()

    assert school.put_attempts(*many_attempts(5)) == PushCounts(0, 0, unchanged=5, deleted=0, revision=2)
    assert school.put_lines(many_attempts(5)) == PushCounts(0, 0, unchanged=5, deleted=0, revision=2)
    assert school.stored() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"score": 2},
        {"kept_score": 2},
        {"workflow_state": "pending_review"},
        {"was_preview": True},
        {"updated_at": LATER},
        {"finished_at": None},
        {"user_id": 8},
        {"user_id": None, "temporary_user_code": "abc"},
        {"submission_data": [entry(FIRST_QUESTION), entry(SECOND_QUESTION)]},
        {"submission_data": [entry(FIRST_QUESTION, correct="partial"), entry(SECOND_QUESTION, 2)]},
        {"quiz_data": [question(FIRST_QUESTION), question(SECOND_QUESTION, question_text="other")]},
    ],
)
def test_a_changed_attempt_takes_the_place_of_the_stored_one(school: Lms, changes: dict[str, Any]) -> None:
    school.put_attempts(attempt())

    assert school.put_attempts(attempt(**changes)) == PushCounts(0, 1, 0, 0, revision=3)
    assert school.payload() == attempt(**changes)


@pytest.mark.contract("6 Data in", "an older attempt does not undo a regrade; deleted takes one back")
def test_a_late_retry_does_not_undo_a_regrade(school: Lms) -> None:
    school.put_attempts(attempt(score=2, updated_at=LATER))
    before = school.stored()

    assert school.put_attempts(attempt(score=1, updated_at=EARLIER)) == PushCounts(0, 0, 1, 0, revision=2)
    assert school.put_attempts(attempt(workflow_state="deleted", updated_at=EARLIER)).deleted == 0
    assert school.stored() == before


def test_each_attempt_of_a_student_is_one_of_its_own(school: Lms) -> None:
    assert school.put_attempts(attempt(), attempt(attempt=2), attempt(502, attempt=2)).created == 3


@pytest.mark.contract("6 Data in", "an older attempt does not undo a regrade; deleted takes one back")
def test_an_attempt_is_taken_back(school: Lms) -> None:
    school.put_attempts(attempt(), attempt(502))

    assert school.put_attempts(attempt(workflow_state="deleted")) == PushCounts(
        0, 0, 0, deleted=1, revision=3
    )
    assert school.put_attempts(attempt(workflow_state="deleted")) == PushCounts(
        0, 0, 1, deleted=0, revision=3
    )
    assert school.rows("SELECT submission_id FROM attempts") == [(502,)]
    assert school.value("SELECT count(*) FROM attempt_payloads") == 1


@pytest.mark.contract("6 Data in", "an attempt keeps the questions that it saw")
def test_an_attempt_without_quiz_data_is_one_at_the_questions_of_its_day(school: Lms) -> None:
    school.put_attempts(attempt())
    school.put_quiz(questions=[question(SECOND_QUESTION)])

    # Regraded after the quiz was edited.
    regraded = attempt(score=2, submission_data=[entry(FIRST_QUESTION), entry(SECOND_QUESTION)])
    assert school.put_attempts(regraded).updated == 1
    assert school.rows(RESPONSES) == [([40000011, 40000021], [None, None], [1.0, 1.0], 2, 0)]
    new = attempt(502, submission_data=[entry(SECOND_QUESTION)])
    assert school.put_attempts(new).created == 1
    assert places(lambda: school.put_attempts(attempt(503))) == [
        "quiz_submissions[0].submission_data[0].question_id"
    ]


@pytest.mark.contract("6 Data in", "an attempt keeps the questions that it saw")
def test_quiz_data_says_what_an_attempt_saw(school: Lms) -> None:
    essay = {"id": 9, "question_type": "essay_question", "question_text": "Why?"}
    seen = attempt(
        quiz_data=[question(SECOND_QUESTION), essay],
        submission_data=[
            {"question_id": 9, "text": "<p>So, <b>6 &lt; 7</b></p>", "points": 2},
            entry(SECOND_QUESTION),
        ],
    )

    school.put_attempts(seen)

    assert school.rows(RESPONSES) == [([40000021, None], [None, "So, 6 < 7"], [1.0, 2.0], 1, 1)]


def test_attempts_at_the_same_questions_share_them_however_shuffled(school: Lms) -> None:
    asked = [question(FIRST_QUESTION), question(SECOND_QUESTION)]
    shuffled = [{**q, "answers": q["answers"][::-1], "position": 9} for q in asked]

    school.put_attempts(attempt(1, quiz_data=asked), attempt(2, quiz_data=shuffled), attempt(3))
    school.put_attempts(attempt(4, quiz_data=asked[::-1]))

    assert school.value("SELECT count(*) FROM question_versions") == 2
    assert school.value("SELECT count(DISTINCT question_set_id) FROM attempts") == 2
    assert school.rows("SELECT answer_ids FROM attempts WHERE submission_id = 4") == [([40000022, 40000011],)]


@pytest.mark.parametrize(
    "text",
    ["a\\b", 'say "x"', "{a,NULL}", "NULL", "a\nb", "=1+1", "שלום 👩‍🔬", "'); --", "\x01", "x" * 100_000],
)
def test_any_text_is_stored_as_it_was_given(school: Lms, text: str) -> None:
    essay = {"id": 9, "question_type": "essay_question"}

    school.put_attempts(attempt(quiz_data=[essay], submission_data=[{"question_id": 9, "text": text}]))

    assert school.value("SELECT texts[1] FROM attempts") == text.replace("\n", " ")


@pytest.mark.parametrize("points", [1e-5, 0.1, 1 / 3, 1e12, 5e-324, -0.5, 3])
def test_points_are_stored_to_the_last_digit(school: Lms, points: float) -> None:
    school.put_attempts(attempt(score=points, submission_data=[entry(FIRST_QUESTION, points=points)]))

    assert school.rows("SELECT points[1], score FROM attempts") == [(points, points)]


@pytest.mark.parametrize(
    ("attempts", "path"),
    [
        ([attempt(), attempt(502, user_id=99)], ["[1].user_id"]),
        ([attempt(), attempt()], ["[1]"]),
        ([attempt(submission_data=[entry(5)])], ["[0].submission_data[0].question_id"]),
        ([attempt(submission_data=[entry(FIRST_QUESTION, 9)])], ["[0].submission_data[0].answer_id"]),
        ([attempt(quiz_data={})], ["[0].quiz_data"]),
        ([attempt(quiz_data=[{"id": 1}])], ["[0].quiz_data[0].question_type"]),
        ([attempt(quiz_data=[question(1), question(1)])], ["[0].quiz_data[1].id"]),
        ([attempt(score="1"), attempt(502, user_id=99)], ["[0].score", "[1].user_id"]),
        ([attempt(n, user_id=99) for n in range(50)], [f"[{n}].user_id" for n in range(20)]),
    ],
)
@pytest.mark.contract("6 Data in", "all or nothing")
def test_invalid_attempts_are_refused_and_nothing_of_the_request_is_stored(
    school: Lms, attempts: list[dict[str, Any]], path: list[str]
) -> None:
    school.put_attempts(attempt(7))
    before = school.stored()

    assert places(lambda: school.put_attempts(attempt(600), *[*attempts, attempt(601)])) == [
        f"quiz_submissions[{int(p[1:].split(']')[0]) + 1}]{p[p.index(']') + 1 :]}" for p in path
    ]
    assert school.stored() == before


@pytest.mark.contract("6 Data in", "users that are unknown are named, all of them")
def test_all_users_that_a_batch_does_not_know_are_named(school: Lms) -> None:
    with pytest.raises(InvalidInputError) as caught:
        school.put_attempts(attempt(), *(attempt(600 + n, user_id=100 + n // 2) for n in range(60)))

    first, second, *_ = caught.value.issues
    others = ", ".join(str(100 + n) for n in range(1, 30))
    assert first.reason == f"100 is not a user of the course, nor are {others}"
    assert second.reason == "100 is not a user of the course"
    assert len(caught.value.issues) == 20


@pytest.mark.contract("6 Data in", "rows that hold no attempt are taken and counted as unchanged")
def test_rows_that_hold_no_attempt_count_as_unchanged(school: Lms) -> None:
    rows: list[Json] = [{"workflow_state": "settings_only", "attempt": None}, {"workflow_state": "untaken"}]

    assert school.put_attempts(*rows, attempt()) == PushCounts(1, 0, unchanged=2, deleted=0, revision=2)
    assert school.put_lines(rows) == PushCounts(0, 0, unchanged=2, deleted=0, revision=2)


def test_an_untaken_submission_leaves_its_stored_attempt(school: Lms) -> None:
    school.put_attempts(attempt())
    before = school.stored()

    assert school.put_attempts(attempt(workflow_state="untaken", updated_at=LATER)).unchanged == 1
    assert school.stored() == before


DRAWN = [question(n, quiz_group_id=77) for n in (FIRST_QUESTION, SECOND_QUESTION, 4000003)]
QUESTION_IDS = """
    SELECT array(
        SELECT question_id FROM unnest(question_version_ids) WITH ORDINALITY AS element (id, number)
        JOIN question_versions USING (id) ORDER BY number)
    FROM attempts JOIN question_sets ON question_sets.id = question_set_id ORDER BY submission_id"""


@pytest.mark.contract("6 Data in", "a drawn question is one of the attempts that drew it")
def test_an_attempt_had_the_drawn_questions_that_it_has_entries_for(school: Lms) -> None:
    school.put_quiz(questions=[DRAWN[0], question(1), *DRAWN[1:]])

    school.put_attempts(
        attempt(501, submission_data=[entry(SECOND_QUESTION)]),
        attempt(502, submission_data=[]),
        attempt(503, submission_data=None),
        attempt(504, quiz_data=DRAWN, submission_data=[]),
    )
    # One alone, which is stored without the lock of several.
    school.put_attempts(attempt(505, submission_data=[entry(4000003), entry(FIRST_QUESTION)]))

    assert [ids for (ids,) in school.rows(QUESTION_IDS)] == [
        [1, SECOND_QUESTION],
        [1],
        [1],
        [FIRST_QUESTION, SECOND_QUESTION, 4000003],
        [FIRST_QUESTION, 1, 4000003],
    ]


@pytest.mark.contract("6 Data in", "an attempt keeps the questions that it saw")
def test_a_regrade_may_have_entries_for_other_drawn_questions_of_its_day(school: Lms) -> None:
    school.put_quiz(questions=DRAWN)
    school.put_attempts(attempt(submission_data=[]))
    school.put_quiz(questions=[question(SECOND_QUESTION, question_type="essay_question")])

    school.put_attempts(attempt(score=2, submission_data=[entry(SECOND_QUESTION)]))

    assert school.rows(QUESTION_IDS) == [([SECOND_QUESTION],)]


def test_a_group_whose_points_change_raises_the_revision(school: Lms) -> None:
    def group(points: float | None) -> dict[str, Any]:
        return {"entry_type": "quiz_group", "id": 77, "question_points": points}

    school.put_quiz(questions=[*DRAWN, group(5)])

    assert school.value("SELECT question_groups FROM quizzes") == {"77": 5.0}
    assert school.put_quiz(questions=[*DRAWN, group(5)]).updated == 0
    assert school.put_quiz(questions=[*DRAWN, group(6)]).updated == 1
    assert school.put_quiz(questions=DRAWN).updated == 1
    assert school.value("SELECT question_groups FROM quizzes") == {"77": None}
    assert school.patch_quiz(title="Cells", quiz_type="assignment").updated == 0


@pytest.mark.contract("6 Data in", "an entry that does not fit its question's type is invalid")
def test_a_choice_at_what_is_an_essay_now_needs_the_questions_of_its_attempt(school: Lms) -> None:
    before = [question(FIRST_QUESTION), question(SECOND_QUESTION)]
    school.put_attempts(attempt(501))
    school.put_quiz(questions=[question(FIRST_QUESTION, question_type="essay_question"), before[1]])

    with pytest.raises(InvalidInputError, match="send its quiz_data"):
        school.put_attempts(attempt(502))
    assert school.put_attempts(attempt(501, score=2)).updated == 1
    assert school.put_attempts(attempt(502, quiz_data=before)).created == 1


def test_shuffled_choices_are_shown_in_one_order_whatever_came_first(school: Lms) -> None:
    several = question(9, question_type="multiple_answers_question")
    school.put_quiz(questions=[question(1), several])
    ticked = [{"question_id": 9, **{f"answer_{answer['id']}": "1" for answer in several["answers"]}}]
    for submission_id, step in ((501, -1), (502, 1)):
        shuffled = {**several, "answers": several["answers"][::step], "question_text": "as it was"}
        school.put_attempts(attempt(submission_id, quiz_data=[shuffled], submission_data=ticked))

    assert school.rows("SELECT DISTINCT texts FROM attempts") == [(["Answer 1,Answer 2,Answer 3"],)]
    assert school.value("SELECT count(*) FROM question_versions WHERE question_id = 9") == 2


def test_a_submission_of_another_quiz_is_refused(school: Lms) -> None:
    school.put_quiz(OTHER_QUIZ_ID, assignment_id=None)
    school.put_attempts(attempt())

    assert places(lambda: school.put_attempts(attempt(attempt=2), quiz_id=OTHER_QUIZ_ID)) == [
        "quiz_submissions[0].id"
    ]


@pytest.mark.parametrize(("quiz_id", "course_id"), [(999, 101), (QUIZ_ID, 999)])
def test_a_quiz_that_is_not_there_is_not_found(school: Lms, quiz_id: int, course_id: int) -> None:
    with pytest.raises(NotFoundError):
        school.put_attempts(attempt(), quiz_id=quiz_id, course_id=course_id)


def test_a_user_who_left_the_course_may_have_attempts_taken_back(school: Lms) -> None:
    school.put_attempts(attempt())
    school.patch_course(users=[], enrollments=[])

    assert places(lambda: school.put_attempts(attempt(score=2))) == ["quiz_submissions[0].user_id"]
    assert school.put_attempts(attempt(workflow_state="deleted")).deleted == 1


def test_one_quiz_raises_no_other_quizs_revision(school: Lms) -> None:
    school.put_quiz(OTHER_QUIZ_ID, assignment_id=None)

    school.put_attempts(attempt())

    assert school.rows("SELECT id, revision FROM quizzes ORDER BY id") == [(QUIZ_ID, 2), (OTHER_QUIZ_ID, 1)]


def test_the_quiz_knows_how_many_responses_it_has(school: Lms) -> None:
    def count() -> int:
        return int(school.value("SELECT response_count FROM quizzes"))

    school.put_attempts(*many_attempts(5))
    assert count() == 10
    school.put_attempts(attempt(1000, quiz_data=[question(FIRST_QUESTION)], submission_data=[]))
    assert count() == 9
    school.put_attempts(attempt(1001, workflow_state="deleted"), attempt(9, submission_data=[]))
    assert count() == 9


def test_no_attempts_are_no_change(school: Lms) -> None:
    assert school.put_attempts() == school.put_lines([]) == PushCounts(0, 0, 0, 0, revision=1)


@pytest.mark.parametrize(
    "limit",
    [
        *(f"attempt_questions.{name}" for name in ("_MAX_BYTES", "_MAX_QUESTION_SETS", "_MAX_QUESTIONS")),
        *("question_sets._MAX_PARSERS", "question_sets._MAX_VERSIONS", "question_sets._MAX_CHARACTERS"),
        "attempts.MAX_BYTES",
    ],
)
def test_what_is_stored_does_not_depend_on_what_is_remembered(
    school: Lms, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(f"models.ingestion.{limit}", 1)
    monkeypatch.setattr("models.payloads.batches.MAX_ATTEMPTS", 2)

    school.put_attempts(
        *(
            attempt(
                500 + number,
                quiz_data=[question(number % 3 + 1), question(9)],
                submission_data=[{"question_id": number % 3 + 1, "answer_id": 10 * (number % 3 + 1) + 1}],
            )
            for number in range(8)
        )
    )

    assert school.rows("SELECT answer_ids[1] FROM attempts ORDER BY submission_id") == [
        (10 * (number % 3 + 1) + 1,) for number in range(8)
    ]
    assert school.value("SELECT count(DISTINCT question_set_id) FROM attempts") == 3
