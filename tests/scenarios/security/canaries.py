"""What people wrote, marked so that it is found wherever it should not be."""

from __future__ import annotations

from typing import Any

COURSE, QUIZ = "/api/v1/courses/101", "/api/v1/courses/101/quizzes/201"
REPORTS = f"{QUIZ}/reports"
NAME, ANSWER, TITLE = "Canary-Name-4711", "Canary-Answer-4712", "Canary-Title-4713"
SIS_ID, COMMENT = "Canary-Sis-4714", "Canary-Message-4715"
PEOPLES = (NAME, ANSWER, TITLE, SIS_ID, COMMENT)


def course(**changes: Any) -> dict[str, Any]:
    """A course of one student."""
    return {
        "course": {
            "name": "Biology",
            "sections": [{"id": 31, "name": "=Section"}],
            "users": [{"id": 7, "name": NAME, "sis_user_id": SIS_ID}],
            "enrollments": [
                {"user_id": 7, "section_id": 31, "type": "StudentEnrollment", "enrollment_state": "active"}
            ],
            **changes,
        }
    }


QUIZ_BODY = {
    "quiz": {
        "title": TITLE,
        "quiz_type": "assignment",
        "questions": [
            {"id": 1, "question_type": "essay_question", "question_text": "+Why?", "points_possible": 1.0}
        ],
    }
}


def submissions(**changes: Any) -> dict[str, Any]:
    """One attempt of the student."""
    attempt = {
        "id": 501,
        "user_id": 7,
        "attempt": 1,
        "workflow_state": "complete",
        "score": -1.0,
        "finished_at": "2026-09-10T09:12:31Z",
        "updated_at": "2026-09-10T09:12:31Z",
        "submission_data": [{"question_id": 1, "correct": True, "points": 1.0, "text": f" =1+1 {ANSWER}"}],
    }
    return {"quiz_submissions": [{**attempt, **changes}]}
