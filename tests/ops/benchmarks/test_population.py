from __future__ import annotations

import numpy as np
import pytest

from models.lms.quizzes import QuestionType
from ops.benchmarks.exam import ExamStyle, make_exam
from ops.benchmarks.population import BLOCK, Course, Population, students_of

ATTEMPTS = BLOCK + 1_000


@pytest.fixture(scope="module")
def population() -> Population:
    return Population(Course(1, students_of(ATTEMPTS)), 1, attempts=ATTEMPTS, questions=20)


def test_a_tenth_of_the_questions_has_several_parts_and_a_twentieth_are_essays() -> None:
    kinds = [item.kind for item in make_exam(1, 20, seed=1)]

    assert sum(kind.is_choice for kind in kinds) == 17
    assert kinds.count(QuestionType.ESSAY) == 1


def test_essays_have_eight_hundred_characters(population: Population) -> None:
    essay = next(item for item in population.items if item.kind is QuestionType.ESSAY)

    lengths = [len(response.text or "") for response in essay.responses[1:]]

    assert np.median(lengths) == pytest.approx(800, rel=0.02)


def test_a_wordy_exam_has_multiple_answers_essays_and_options_of_thirty_characters() -> None:
    items = make_exam(1, 50, seed=1, style=ExamStyle.WORDY)

    kinds = [item.kind for item in items]
    options = [
        len(answer["text"])
        for item in items
        if item.kind is not QuestionType.ESSAY
        for answer in item.question["answers"]
    ]
    essays = [
        len(response.text or "")
        for item in items
        if item.kind is QuestionType.ESSAY
        for response in item.responses[1:]
    ]

    assert kinds.count(QuestionType.MULTIPLE_ANSWERS) == 5
    assert kinds.count(QuestionType.ESSAY) == 2
    assert kinds.count(QuestionType.MULTIPLE_CHOICE) == 43
    assert np.median(options) == pytest.approx(30, abs=1)
    assert np.median(essays) == pytest.approx(600, rel=0.02)


def test_the_same_seed_makes_the_same_attempts(population: Population) -> None:
    again = Population(population.course, 1, attempts=ATTEMPTS, questions=20)

    assert again.definition() == population.definition()
    assert np.array_equal(again.block(BLOCK).codes, population.block(BLOCK).codes)


def test_the_order_of_the_attempts_is_not_the_order_of_the_report(population: Population) -> None:
    places = population.positions(np.arange(ATTEMPTS))

    assert sorted(places) == list(range(ATTEMPTS))
    assert np.abs(np.corrcoef(places, np.arange(ATTEMPTS))[0, 1]) < 0.1


def test_able_students_answer_more_questions_rightly(population: Population) -> None:
    block = population.block(0)
    right = (block.codes == 1).mean(axis=1)
    halves = [right[block.student % 2 == half] for half in (0, 1)]

    # Of two halves of the questions, what a student has right in one goes with what he has in the other.
    odd, even = (block.codes[:, 0::2] == 1).mean(axis=1), (block.codes[:, 1::2] == 1).mean(axis=1)

    assert np.corrcoef(odd, even)[0, 1] > 0.3
    assert all(0.3 < half.mean() < 0.8 for half in halves)


def test_every_attempt_has_a_key_of_its_own(population: Population) -> None:
    keys = {
        (student, attempt)
        for block in population.blocks()
        for student, attempt in zip(block.student.tolist(), block.attempt.tolist(), strict=True)
    }

    assert len(keys) == ATTEMPTS
    assert len({student for student, _ in keys}) == students_of(ATTEMPTS) == population.course.students
