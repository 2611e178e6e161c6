"""The students and attempts of a synthetic quiz: a Rasch model, and chance for all that it leaves open.

A student of ability θ answers a question of difficulty b correctly with probability 1/(1 + exp(b − θ)).
Source: Rasch, G. (1960), Probabilistic Models for Some Intelligence and Attainment Tests.
Everything follows from the seed, and each block of attempts can be made without the others.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.lms.quizzes import QuestionType
from ops.benchmarks.exam import ExamStyle, Item, Json, make_exam
from ops.benchmarks.words import person

Integers = npt.NDArray[np.int64]

BLOCK = 5_000
# The ids of users begin at the id of their course times this, those of submissions at that of their quiz.
_NUMBERS = 10_000_000
_SECTION_SIZE = 30
_MOST_SECTIONS = 40
_BLANK_SHARE = 0.03
# Every tenth attempt is the second attempt of the student before.
_SECOND_ATTEMPTS = 10
_STRIDE = 1_000_003
_BEGIN = np.datetime64("2026-09-01T08:00:00", "us")


@dataclass(frozen=True)
class Course:
    """A course and its students."""

    id: int
    students: int

    @property
    def sections(self) -> int:
        """The number of sections."""
        return max(1, min(_MOST_SECTIONS, self.students // _SECTION_SIZE))

    def definition(self) -> Json:
        """Return the course and its roster as pushed."""
        students = range(self.students)
        return {
            "id": self.id,
            "name": f"Biology {self.id}",
            "sis_course_id": f"BIO-{self.id}",
            "sections": [self.section(number) for number in range(self.sections)],
            "users": [self.user(student) for student in students],
            "enrollments": [
                {
                    "user_id": self.user_id(student),
                    "section_id": self.section(number)["id"],
                    "type": "StudentEnrollment",
                    "enrollment_state": "active",
                }
                for student in students
                for number in self.sections_of(student)
            ],
        }

    def user_id(self, student: int) -> int:
        """Return the LMS's id of a student; students are numbered from 0."""
        return self.id * _NUMBERS + student

    def user(self, student: int) -> Json:
        """Return a student as pushed."""
        return {
            "id": self.user_id(student),
            "name": person(student),
            # One in fifty has no SIS id.
            "sis_user_id": None if student % 50 == 7 else f"s{self.id}-{student}",
        }

    def section(self, number: int) -> Json:
        """Return a section as pushed."""
        sis = None if number == 2 else f"BIO-{self.id}-{number}"
        return {
            "id": self.id * 1_000 + number,
            "name": f"Section {number}, room {100 + number}",
            "sis_section_id": sis,
        }

    def sections_of(self, student: int) -> list[int]:
        """Return the numbers of a student's sections, ascending: two for one student in twenty, else one."""
        first = student % self.sections
        second = (first + 1) % self.sections
        return sorted({first, second}) if student % 20 == 3 else [first]


@dataclass(frozen=True)
class Block:
    """Consecutive attempts, in the order in which they are stored.

    `number` counts the attempts of the quiz; `codes` has one row per attempt and one column per question,
    with the index of the response.
    """

    number: Integers
    student: Integers
    attempt: Integers
    updated_at: npt.NDArray[np.datetime64]
    codes: Integers
    scores: npt.NDArray[np.float64]


class Population:
    """The attempts of one quiz."""

    def __init__(
        self,
        course: Course,
        quiz_id: int,
        *,
        attempts: int,
        questions: int,
        style: ExamStyle = ExamStyle.MIXED,
        seed: int = 1,
    ) -> None:
        self.course = course
        self.quiz_id = quiz_id
        self.attempts = attempts
        self.items: list[Item] = make_exam(quiz_id, questions, seed=seed, style=style)
        self._seed = [seed, quiz_id]
        dice = np.random.default_rng(self._seed)
        self._difficulties = dice.normal(-0.3, 1.0, questions)
        self._abilities = dice.standard_normal(students_of(attempts))
        self._widths = np.array([len(item.responses) for item in self.items])
        self._points = [np.array([response.points for response in item.responses]) for item in self.items]

    def definition(self) -> Json:
        """Return the quiz as pushed."""
        return {
            "title": f"Cells {self.quiz_id}",
            "quiz_type": "assignment",
            "scoring_policy": "keep_highest",
            "points_possible": float(sum(item.question["points_possible"] for item in self.items)),
            "published_at": "2026-09-01T08:00:00Z",
            "questions": [item.question for item in self.items],
        }

    def blocks(self) -> Iterator[Block]:
        """Make all attempts, in an order that differs from that of the reports."""
        return (self.block(start) for start in range(0, self.attempts, BLOCK))

    def block(self, start: int) -> Block:
        """Make the block of attempts that begins at a multiple of BLOCK."""
        number = np.arange(start, min(start + BLOCK, self.attempts), dtype=np.int64)
        student = number - (number + 1) // _SECOND_ATTEMPTS
        codes = self._respond(np.random.default_rng([*self._seed, start]), self._abilities[student])
        return Block(
            number=number,
            student=student,
            attempt=1 + (number % _SECOND_ATTEMPTS == _SECOND_ATTEMPTS - 1),
            updated_at=_BEGIN + (self.positions(number) // 2).astype("timedelta64[s]"),
            codes=codes,
            scores=np.sum([points[codes[:, q]] for q, points in enumerate(self._points)], axis=0),
        )

    def positions(self, number: Integers) -> Integers:
        """Return the positions of attempts in the shuffled order of their submission, two in each second."""
        # The stride is coprime with every number of attempts that is used here.
        return number * _STRIDE % self.attempts

    @property
    def first_submission_id(self) -> int:
        """The LMS's id of the submission of student 0; the others follow it."""
        return self.quiz_id * _NUMBERS

    def pushed(self, block: Block, row: int) -> Json:
        """Return an attempt as the LMS would push it."""
        updated_at = block.updated_at[row].astype(datetime.datetime)
        student = int(block.student[row])
        return {
            "id": self.first_submission_id + student,
            "user_id": self.course.user_id(student),
            "attempt": int(block.attempt[row]),
            "workflow_state": "complete",
            "score": float(block.scores[row]),
            "started_at": f"{updated_at - datetime.timedelta(minutes=31):%Y-%m-%dT%H:%M:%SZ}",
            "finished_at": f"{updated_at - datetime.timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}",
            "updated_at": f"{updated_at:%Y-%m-%dT%H:%M:%SZ}",
            "submission_data": [
                item.responses[code].entry for item, code in zip(self.items, block.codes[row], strict=True)
            ],
        }

    def _respond(self, dice: np.random.Generator, abilities: npt.NDArray[np.float64]) -> Integers:
        """Draw the responses: 0 is none, 1 the correct one, the others are equally likely."""
        shape = (len(abilities), len(self.items))
        chance = 1 / (1 + np.exp(self._difficulties - abilities[:, None]))
        right = dice.random(shape) < chance
        others = 2 + (dice.random(shape) * (self._widths - 2)).astype(np.int64)
        essays = [item.kind is QuestionType.ESSAY for item in self.items]
        right[:, essays] = False
        codes = np.where(right, 1, others)
        codes[dice.random(shape) < _BLANK_SHARE] = 0
        return codes


def students_of(attempts: int) -> int:
    """Return the number of students who make this number of attempts."""
    return attempts - attempts // _SECOND_ATTEMPTS
