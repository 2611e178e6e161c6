"""What an LMS pushes: one builder each of a course, a quiz, a question, an attempt and a response.

The defaults fit together: a course of two students, a quiz of two questions, an attempt at it. A keyword
replaces a field or adds one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
COURSE_ID, QUIZ_ID = 101, 201
FIRST_QUESTION, SECOND_QUESTION = 4000001, 4000002


def course(**changes: Any) -> Json:
    """A course with two sections and a student in each."""
    return {
        "name": "Biology 101",
        "course_code": "BIO101",
        "sis_course_id": "2026-BIO-101",
        "sections": [
            {"id": 31, "name": "Section A", "sis_section_id": "BIO-A"},
            {"id": 32, "name": "Section B"},
        ],
        "users": [{"id": 7, "name": "Ann Lee", "sis_user_id": "s0007"}, {"id": 8, "name": "Bo Ek"}],
        "enrollments": [enrollment(7, 31), enrollment(8, 32)],
        **changes,
    }


def enrollment(user_id: int, section_id: int, kind: str = "StudentEnrollment") -> Json:
    """An active enrollment of a user in a section."""
    return {"user_id": user_id, "section_id": section_id, "type": kind, "enrollment_state": "active"}


def roster(section_id: int, *user_ids: int) -> Json:
    """The lists of a course with one section, in which these users are students."""
    return {
        "sections": [{"id": section_id, "name": f"Section {section_id}"}],
        "users": [{"id": user_id, "name": f"Student {user_id}"} for user_id in user_ids],
        "enrollments": [enrollment(user_id, section_id) for user_id in user_ids],
    }


def quiz(**changes: Any) -> Json:
    """A quiz of two multiple choice questions."""
    return {
        "title": "Cells",
        "quiz_type": "assignment",
        "assignment_id": 900,
        "questions": [question(FIRST_QUESTION), question(SECOND_QUESTION)],
        **changes,
    }


def question(question_id: int, **changes: Any) -> Json:
    """A multiple choice question with three answers, whose ids begin with those of the question."""
    return {
        "id": question_id,
        "question_type": "multiple_choice_question",
        "question_text": f"<p>Question {question_id}</p>",
        "points_possible": 1.0,
        "answers": [
            {"id": question_id * 10 + n, "text": f"Answer {n}", "weight": 100 if n == 1 else 0}
            for n in (1, 2, 3)
        ],
        **changes,
    }


def essay(question_id: int, **changes: Any) -> Json:
    """A question that is answered with a text."""
    return question(question_id, question_type="essay_question", **{"answers": [], **changes})


def attempt(submission_id: int = 501, number: int = 1, **changes: Any) -> Json:
    """An attempt of the first student, who chose one right and one wrong answer."""
    return {
        "id": submission_id,
        "user_id": 7,
        "attempt": number,
        "workflow_state": "complete",
        "score": 1.0,
        "started_at": "2026-09-10T09:00:00Z",
        "finished_at": "2026-09-10T09:12:31Z",
        "updated_at": "2026-09-10T09:12:31Z",
        "submission_data": [entry(FIRST_QUESTION), entry(SECOND_QUESTION, 2)],
        **changes,
    }


def many_attempts(count: int, first: int = 1000) -> Iterator[Json]:
    """Give attempts with ids from `first` up, all of the first student."""
    for number in range(count):
        yield attempt(first + number)


def entry(question_id: int, choice: int = 1, **changes: Any) -> Json:
    """A student's answer to a multiple choice question."""
    return {
        "question_id": question_id,
        "correct": choice == 1,
        "points": float(choice == 1),
        "answer_id": question_id * 10 + choice,
        "text": str(question_id * 10 + choice),
        **changes,
    }


def essay_entry(question_id: int, text: str, **changes: Any) -> Json:
    """A student's text, which is not graded yet."""
    return {"question_id": question_id, "correct": "undefined", "points": 0.0, "text": text, **changes}
