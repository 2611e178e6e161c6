"""What a quiz is, and how quizzes are found and counted."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from models.errors import NotFoundError
from models.lms.quizzes import (
    QuestionType,
    Quiz,
    QuizType,
    count_quizzes,
    find_quiz_and_course,
    find_quiz_by_assignment,
    list_quizzes,
    question_counts,
)
from tests.factories import (
    ANONYMOUS_SURVEY_ID,
    ASSIGNMENT_ID,
    COURSE_ID,
    OTHER_COURSE_ID,
    OTHER_QUIZ_ID,
    QUIZ_ID,
    SURVEY_ID,
    Api,
)
from tests.lms import Lms
from tests.payloads import QUIZ_ID as PUSHED_QUIZ_ID
from tests.payloads import question


@pytest.mark.parametrize("quiz_type", QuizType)
@pytest.mark.parametrize("anonymous", [True, False])
def test_only_an_anonymous_survey_hides_its_takers(quiz_type: QuizType, *, anonymous: bool) -> None:
    is_survey = quiz_type in {QuizType.SURVEY, QuizType.GRADED_SURVEY}

    assert quiz_type.is_survey is is_survey
    quiz = Quiz(quiz_type=quiz_type, anonymous_submissions=anonymous)
    assert quiz.is_anonymous_survey is (is_survey and anonymous)


def test_of_three_question_types_one_answer_is_chosen() -> None:
    choices = {kind for kind in QuestionType if kind.is_choice}

    assert choices == {QuestionType.MULTIPLE_CHOICE, QuestionType.TRUE_FALSE, QuestionType.MISSING_WORD}


def test_a_page_of_the_course_s_quizzes_is_listed_by_id(api: Api) -> None:
    with api.database.transaction() as session:
        assert count_quizzes(session, COURSE_ID) == 3
        page = list_quizzes(session, COURSE_ID, offset=1, limit=2)
        assert [quiz.id for quiz in page] == [SURVEY_ID, ANONYMOUS_SURVEY_ID]
        assert [quiz.id for quiz in list_quizzes(session, OTHER_COURSE_ID, offset=0, limit=9)] == [
            OTHER_QUIZ_ID
        ]


def test_a_quiz_is_found_by_its_assignment_within_its_course(api: Api) -> None:
    with api.database.transaction() as session:
        assert find_quiz_by_assignment(session, COURSE_ID, ASSIGNMENT_ID).id == QUIZ_ID
        with pytest.raises(NotFoundError):
            find_quiz_by_assignment(session, OTHER_COURSE_ID, ASSIGNMENT_ID)


def test_a_quiz_is_found_with_its_course(api: Api) -> None:
    with api.database.transaction() as session:
        quiz, course = find_quiz_and_course(session, OTHER_QUIZ_ID)
        assert (quiz.id, course.id) == (OTHER_QUIZ_ID, OTHER_COURSE_ID)
        with pytest.raises(NotFoundError):
            find_quiz_and_course(session, 999)


def test_texts_between_questions_do_not_count(lms: Lms) -> None:
    lms.put_course()
    lms.put_quiz(questions=[question(1), question(2, question_type="text_only_question"), question(3)])
    lms.put_quiz(2, assignment_id=None, questions=[])

    with lms.database.transaction() as session:
        quizzes = session.scalars(select(Quiz)).all()
        assert question_counts(session, quizzes) == {PUSHED_QUIZ_ID: 2, 2: 0}
        assert question_counts(session, []) == {}
