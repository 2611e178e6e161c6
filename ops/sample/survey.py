"""The sample survey: anonymous, so its file names nobody, and there is nothing to analyse by item."""

from __future__ import annotations

from ops.sample.course import ANA, ANGEL, JOERG, TALIB, YAMADA, Json, SampleQuiz

_SCALE, _WORDS = 4200001, 4200002
_OPINIONS = {84101: "Agree", 84102: "Neither", 84103: "Disagree"}

# Who, when, which opinion, which words (None: no answer).
_ANSWERS = (
    (ANA, "2026-10-01T10:00:00Z", 84101, "More microscopes, please."),
    (JOERG, "2026-10-01T10:05:00Z", 84101, None),
    (YAMADA, "2026-10-01T10:07:30Z", 84102, '<p>Less "theory",</p><p>more practice.</p>'),
    (TALIB, "2026-10-02T08:00:00Z", 84103, "<ul><li>shorter quizzes</li></ul>"),
    (ANGEL, "2026-10-02T08:30:00Z", None, "Nothing"),
)


def survey_quiz() -> SampleQuiz:
    """Make the survey and its answers."""
    return SampleQuiz(
        id=203,
        name="survey",
        quiz={
            "title": "How was the course?",
            "quiz_type": "survey",
            "anonymous_submissions": True,
            "published_at": "2026-10-01T08:00:00Z",
            "scoring_policy": "keep_latest",
            "questions": [_scale(), _words()],
        },
        submissions=[_attempt(701 + index, *answers) for index, answers in enumerate(_ANSWERS)],
    )


def _scale() -> Json:
    return {
        "id": _SCALE,
        "position": 1,
        "question_type": "multiple_choice_question",
        "question_text": "<p>The course was well organised.</p>",
        "points_possible": 1.0,
        "answers": [{"id": id_, "text": text, "weight": 0} for id_, text in _OPINIONS.items()],
    }


def _words() -> Json:
    return {
        "id": _WORDS,
        "position": 2,
        "question_type": "essay_question",
        "question_text": "<p>What should we change?</p>",
        "points_possible": 0.0,
        "answers": [],
    }


def _attempt(id_: int, user_id: int, finished: str, opinion: int | None, words: str | None) -> Json:
    answers: list[Json] = []
    if opinion is not None:
        chosen = {"question_id": _SCALE, "correct": "undefined", "points": 0.0}
        answers.append({**chosen, "answer_id": opinion, "text": str(opinion)})
    if words is not None:
        answers.append({"question_id": _WORDS, "correct": "undefined", "points": 0.0, "text": words})
    return {
        "id": id_,
        "user_id": user_id,
        "attempt": 1,
        "workflow_state": "complete",
        "score": 0.0,
        "started_at": "2026-10-01T09:00:00Z",
        "finished_at": finished,
        "updated_at": finished,
        "submission_data": answers,
    }
