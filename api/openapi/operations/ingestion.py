"""Ingestion: what the LMS pushes."""

from __future__ import annotations

from typing import Any, Final

from api.media_types import JSON, NDJSON
from api.openapi import schemas
from api.openapi.decorators import Content, Operation, ResponseSpec
from api.openapi.request_bodies import CourseBody, QuizBody, SubmissionsBody

_COURSE: Final = {
    "course": {
        "name": "Biology 101",
        "sections": [{"id": 31, "name": "Section A"}],
        "users": [{"id": 7, "name": "Ann Lee", "sis_user_id": "s0007"}],
        "enrollments": [{"user_id": 7, "section_id": 31, "type": "StudentEnrollment"}],
    }
}
_QUESTION: Final = {
    "id": 4000001,
    "position": 1,
    "question_type": "multiple_choice_question",
    "question_text": "<p>Which one makes ATP?</p>",
    "points_possible": 1.0,
    "answers": [
        {"id": 8001, "text": "Mitochondrion", "weight": 100},
        {"id": 8002, "text": "Ribosome", "weight": 0},
    ],
}
_QUIZ: Final = {"quiz": {"title": "Cells", "quiz_type": "assignment", "questions": [_QUESTION]}}
_ATTEMPT: Final = {
    "id": 501,
    "user_id": 7,
    "attempt": 1,
    "workflow_state": "complete",
    "score": 1.0,
    "finished_at": "2026-09-10T09:12:31Z",
    "updated_at": "2026-09-10T09:12:31Z",
    "submission_data": [{"question_id": 4000001, "correct": True, "points": 1.0, "answer_id": 8001}],
}


def _push(notes: str, body: dict[str, Content]) -> Operation:
    counts: dict[str, Any] = {JSON: Content(schemas.PushCounts)}
    return Operation(
        {200: ResponseSpec("How many rows were created, updated, unchanged and deleted.", counts)},
        body=body,
        refusals={422: "The body is invalid: `errors` names each path, up to twenty. Nothing was stored."},
        notes=notes,
    )


PUT_COURSE: Final = _push(
    "A list in the body replaces the list of the course; a list that is left out stays as it was.",
    {JSON: Content(CourseBody, _COURSE)},
)

PUT_QUIZ: Final = _push(
    'An entry of `questions` with `"entry_type": "quiz_group"` is a group: its `id` and `question_points` are'
    " kept. A question with a `quiz_group_id` is drawn, so it is in the reports of the attempts that had it.",
    {JSON: Content(QuizBody, _QUIZ)},
)

PUT_SUBMISSIONS: Final = _push(
    "An entry of `submission_data` has further keys that depend on the question: `answer_<answer id>`,"
    " `answer_for_<blank>`, `answer_id_for_<blank>`, `attachment_ids`. A row that holds no attempt (untaken,"
    " settings_only, attempt null) counts as unchanged, whatever its other fields.",
    {
        JSON: Content(SubmissionsBody, {"quiz_submissions": [_ATTEMPT]}),
        NDJSON: Content({"type": "string", "description": "One attempt in each line."}),
    },
)
