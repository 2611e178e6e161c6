"""What people wrote, marked so that it is found wherever it should not be."""

from __future__ import annotations

from typing import Any

from tests import payloads

COURSE, QUIZ = "/api/v1/courses/101", "/api/v1/courses/101/quizzes/201"
REPORTS = f"{QUIZ}/reports"
NAME, ANSWER, TITLE = "Canary-Name-4711", "Canary-Answer-4712", "Canary-Title-4713"
SIS_ID, COMMENT = "Canary-Sis-4714", "Canary-Message-4715"
PEOPLES = (NAME, ANSWER, TITLE, SIS_ID, COMMENT)


def course(**changes: Any) -> dict[str, Any]:
    """A course of one student."""
    student: dict[str, Any] = {
        "sections": [{"id": 31, "name": "=Section"}],
        "users": [{"id": 7, "name": NAME, "sis_user_id": SIS_ID}],
        "enrollments": [payloads.enrollment(7, 31)],
    }
    return {"course": payloads.course(**{**student, **changes})}


QUIZ_BODY = {"quiz": payloads.quiz(title=TITLE, questions=[payloads.essay(1, question_text="+Why?")])}


def submissions(**changes: Any) -> dict[str, Any]:
    """One attempt of the student."""
    written = payloads.essay_entry(1, f" =1+1 {ANSWER}", correct=True, points=1.0)
    attempt = payloads.attempt(score=-1.0, submission_data=[written])
    return {"quiz_submissions": [{**attempt, **changes}]}
