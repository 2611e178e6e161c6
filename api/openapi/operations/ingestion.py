"""Ingestion: what the LMS pushes."""

from __future__ import annotations

from typing import Any, Final, Literal

from api.media_types import JSON, NDJSON
from api.openapi import schemas
from api.openapi.decorators import Content, Operation, Parameter, ResponseSpec
from api.openapi.request_bodies import BooleanText, CourseBody, QuizBody, SubmissionsBody
from models.errors import IssueKind
from models.issues import MOST_CHECK_SECONDS, MOST_CHECKED_ISSUES

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


_CHECK: Final = Parameter(
    "check",
    BooleanText,
    "Whether to check only and store nothing. The response has the counts that `on_error=skip` would give,"
    f" and the issues. It stops after {MOST_CHECKED_ISSUES:,} issues or {MOST_CHECK_SECONDS:.0f} seconds, and"
    " is then not `complete`; issues of what is stored all the same do not count towards that.",
    "true",
)
_ON_ERROR: Final = Parameter(
    "on_error",
    Literal["skip"],
    "What to do with invalid parts. Without it, the request is refused for one. `skip` stores what is valid:"
    " what is skipped stays as it is stored, what depends on it is skipped too, and of a repeated key the"
    " first counts. A broken line is skipped; a broken document is refused.",
    "skip",
)
_KINDS: Final = " ".join(f"`{kind}`: {kind.meaning}." for kind in IssueKind)


def _push(notes: str, body: dict[str, Content]) -> Operation:
    counts: dict[str, Any] = {JSON: Content(schemas.PushCounts)}
    return Operation(
        {
            200: ResponseSpec(
                "How many rows were created, updated, unchanged and deleted. With `check` or `on_error`, also"
                " the issues by kind, with up to five paths each, and how many things were skipped."
                f" The kinds: {_KINDS}",
                counts,
            )
        },
        parameters=[_CHECK, _ON_ERROR],
        body=body,
        refusals={
            400: "`check` or `on_error` has another value.",
            422: "The body is invalid: `errors` names each path, up to twenty. Nothing was stored.",
        },
        notes=notes,
    )


PUT_COURSE: Final = _push(
    "A list in the body replaces the list of the course; a list that is left out stays as it was.",
    {JSON: Content(CourseBody, _COURSE)},
)

PUT_QUIZ: Final = _push(
    'An entry of `questions` with `"entry_type": "quiz_group"` is a group: its `id` and `question_points` are'
    " kept. A question with a `quiz_group_id` is drawn, so it is in the reports of the attempts that had it."
    " With `check`, the `course` that is to be pushed first may stand beside `quiz`.",
    {JSON: Content(QuizBody, _QUIZ)},
)

PUT_SUBMISSIONS: Final = _push(
    "An entry of `submission_data` has further keys by the type of its question. Multiple answers:"
    ' `answer_<answer id>`, `"1"` or `"0"` for each answer. Matching: `answer_<answer id>`, the chosen'
    " `match_id`. Blanks: `answer_for_<blank>`, the typed text. Dropdowns: `answer_for_<blank>` or"
    " `answer_id_for_<blank>`, the id of the chosen answer. File upload: `attachment_ids`, of files that"
    " `attachments` of the attempt names. A row that holds no attempt (untaken, unsubmitted, settings_only,"
    " attempt null) counts as unchanged, whatever its other fields. With `check`, the `course` and the `quiz`"
    " that are to be pushed first may stand beside the attempts, or in the first line.",
    {
        JSON: Content(SubmissionsBody, {"quiz_submissions": [_ATTEMPT]}),
        NDJSON: Content({"type": "string", "description": "One attempt in each line."}),
    },
)
