"""LSAT section 7 as a quiz: real data, a thousand people at five items.

The data are the 32 counts of answer patterns published by R. D. Bock and M. Lieberman, "Fitting a response
model for n dichotomously scored items", Psychometrika 35 (1970). They tell right from wrong and no more, not
which wrong answer was chosen: so each item has two answers here, and every wrong response is at the second.
Names and times are invented.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ops.sample.course import TEST_TAKERS, Json, SampleQuiz

# How many people answered so, items 1 to 5, from 00000 (all wrong) up in binary order to 11111 (all right).
PATTERN_COUNTS = (
    *(12, 19, 1, 7, 3, 19, 3, 17, 10, 5, 3, 7, 7, 23, 8, 28),
    *(7, 39, 11, 34, 14, 51, 15, 90, 6, 25, 7, 35, 18, 136, 32, 308),
)
_ITEMS = 5
_BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def lsat_quiz() -> SampleQuiz:
    """Make the quiz and its thousand attempts."""
    return SampleQuiz(
        id=201,
        name="lsat",
        quiz={
            "title": "LSAT section 7",
            "quiz_type": "assignment",
            "published_at": "2026-03-02T08:00:00Z",
            "scoring_policy": "keep_highest",
            "points_possible": float(_ITEMS),
            "assignment_id": 901,
            "questions": [_question(item) for item in range(1, _ITEMS + 1)],
        },
        submissions=[
            _attempt(index, user_id, pattern)
            for index, (user_id, pattern) in enumerate(zip(TEST_TAKERS, _patterns(), strict=True))
        ],
    )


def _patterns() -> list[int]:
    """List one pattern a person; the highest bit is item 1."""
    return [pattern for pattern, count in enumerate(PATTERN_COUNTS) for _ in range(count)]


def _question(item: int) -> Json:
    return {
        "id": 4000000 + item,
        "position": item,
        "question_name": f"Item {item}",
        "question_type": "multiple_choice_question",
        "question_text": f"<p>LSAT section 7, item {item}</p>",
        "points_possible": 1.0,
        "answers": [
            {"id": _answer_id(item, is_right=True), "text": "the right answer", "weight": 100},
            {"id": _answer_id(item, is_right=False), "text": "another answer", "weight": 0},
        ],
    }


def _answer_id(item: int, *, is_right: bool) -> int:
    return 80000 + 10 * item + (1 if is_right else 2)


def _attempt(index: int, user_id: int, pattern: int) -> Json:
    finished = (_BEGIN + timedelta(minutes=35, seconds=index)).strftime("%Y-%m-%dT%H:%M:%SZ")
    responses = [bool(pattern >> (_ITEMS - item) & 1) for item in range(1, _ITEMS + 1)]
    return {
        "id": 100001 + index,
        "user_id": user_id,
        "attempt": 1,
        "workflow_state": "complete",
        "score": float(sum(responses)),
        "started_at": _BEGIN.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "finished_at": finished,
        "updated_at": finished,
        "submission_data": [
            {
                "question_id": 4000000 + item,
                "correct": is_right,
                "points": float(is_right),
                "answer_id": _answer_id(item, is_right=is_right),
                "text": str(_answer_id(item, is_right=is_right)),
            }
            for item, is_right in enumerate(responses, start=1)
        ],
    }
