"""The sample quiz "Cells": what an invented class answered to questions of every type.

Among the attempts are some that no report shows: of a test student, of somebody who left the course, a
teacher's preview, one that was never handed in.
"""

from __future__ import annotations

from ops.sample.cells_questions import (
    BLANKS,
    CALCULATED,
    CHOICE,
    DRAWN_CHOICE,
    DRAWN_TRUE_FALSE,
    DROPDOWNS,
    ESSAY,
    MATCHING,
    NUMERICAL,
    SEVERAL,
    SHORT,
    TRUE_FALSE,
    UPLOAD,
    presented,
    questions,
)
from ops.sample.course import (
    ANA,
    ANGEL,
    FORMULA,
    JOERG,
    LATE,
    LEFT,
    TALIB,
    TEACHER,
    TEST_STUDENT,
    YAMADA,
    Json,
    SampleQuiz,
)

_HTML_ESSAY = (
    '<p>First <strong>prophase</strong>,<br>then metaphase.</p><p>See <a href="https://example.edu/mitosis">'
    "the notes</a>.</p>"
)


def cells_quiz() -> SampleQuiz:
    """Make the quiz and its attempts."""
    return SampleQuiz(
        id=202,
        name="cells",
        quiz={
            "title": "Cells: questions of every type",
            "quiz_type": "assignment",
            "published_at": "2026-09-01T08:00:00Z",
            "scoring_policy": "keep_highest",
            "points_possible": 19.0,
            "assignment_id": 902,
            "questions": questions(),
        },
        submissions=[*_twice_taken(), *_once_taken(), *_unseen()],
        has_later_attempts=True,
    )


def _attempt(id_: int, taker: Json, finished: str, answers: list[Json], **more: object) -> Json:
    return {
        "id": id_,
        **taker,
        "attempt": 1,
        "workflow_state": "complete",
        "score": sum(float(answer["points"]) for answer in answers),
        "started_at": f"{finished[:10]}T07:00:00Z",
        "finished_at": finished,
        "updated_at": finished,
        "submission_data": answers,
        **more,
    }


def _said(question_id: int, correct: bool | str, points: float, text: str = "", **more: object) -> Json:
    return {"question_id": question_id, "correct": correct, "points": points, "text": text, **more}


def _chose(question_id: int, correct: bool, points: float, answer_id: int) -> Json:
    return _said(question_id, correct, points, str(answer_id), answer_id=answer_id)


def _twice_taken() -> list[Json]:
    """Make the attempts of those who came again: one was better the first time, the other the second."""
    ana, yamada = {"user_id": ANA}, {"user_id": YAMADA}
    return [
        _attempt(
            601,
            ana,
            "2026-09-10T09:12:31Z",
            _all_right(),
            kept_score=19.0,
            quiz_data=presented(DRAWN_CHOICE),
            attachments=[{"id": 9001, "display_name": "Zellskizze – Übung.pdf"}],
        ),
        _attempt(
            601,
            ana,
            "2026-09-11T10:00:00Z",
            _half_right(),
            attempt=2,
            kept_score=19.0,
            quiz_data=presented(DRAWN_TRUE_FALSE, {"x": 5, "y": 7.5}),
        ),
        _attempt(603, yamada, "2026-09-10T09:30:00Z", [_chose(CHOICE, False, 0.0, 81002)], kept_score=5.0),
        _attempt(
            603,
            yamada,
            "2026-09-12T08:05:09Z",
            [
                _chose(CHOICE, True, 1.0, 81001),
                _said(NUMERICAL, True, 1.0, "46", answer_id=88001),
                _said(ESSAY, True, 3.0, "<p>細胞分裂 🧬</p>"),
                _chose(DRAWN_CHOICE, False, 0.0, 90002),
            ],
            attempt=2,
            kept_score=5.0,
            quiz_data=presented(DRAWN_CHOICE),
        ),
    ]


def _all_right() -> list[Json]:
    return [
        _chose(CHOICE, True, 1.0, 81001),
        _chose(TRUE_FALSE, True, 1.0, 82001),
        _said(SHORT, True, 1.0, "photosynthesis", answer_id=83001),
        _said(BLANKS, True, 2.0, **_filled(dna=("thymine", 84001), rna=("uracil", 84002))),
        _said(SEVERAL, True, 2.0, answer_85001="1", answer_85002="1", answer_85003="0"),
        _said(DROPDOWNS, True, 2.0, **_filled(cell=("86001", 86001), part=("86003", 86003))),
        _said(MATCHING, True, 2.0, answer_87001="901", answer_87002="902"),
        _said(NUMERICAL, True, 1.0, "46", answer_id=88001),
        _said(CALCULATED, True, 1.0, "25.3"),
        _said(ESSAY, True, 3.0, "<p>One cell becomes two.</p>"),
        _said(UPLOAD, True, 2.0, attachment_ids=["9001"]),
        _chose(DRAWN_CHOICE, True, 1.0, 90001),
    ]


def _half_right() -> list[Json]:
    return [
        _chose(CHOICE, False, 0.0, 81002),
        _chose(TRUE_FALSE, False, 0.0, 82002),
        _said(BLANKS, "partial", 1.0, **_filled(dna=("thymine", 84001), rna=("", None))),
        _said(SEVERAL, "partial", 1.0, answer_85001="1", answer_85002="0", answer_85003="0"),
        _said(DROPDOWNS, "partial", 1.0, **_filled(cell=("86001", 86001), part=("", None))),
        _said(MATCHING, "partial", 1.0, answer_87001="901", answer_87002=""),
        _said(CALCULATED, True, 1.0, "12.5"),
        _said(ESSAY, False, 0.0),
        _chose(DRAWN_TRUE_FALSE, True, 1.0, 90102),
    ]


def _filled(**blanks: tuple[str, int | None]) -> Json:
    """Give the values of blanks, each with the answer that it is."""
    values = {f"answer_for_{blank}": value for blank, (value, _) in blanks.items()}
    return values | {f"answer_id_for_{blank}": answer_id for blank, (_, answer_id) in blanks.items()}


def _once_taken() -> list[Json]:
    return [
        _attempt(
            602,
            {"user_id": JOERG},
            "2026-09-10T09:20:00Z",
            [
                _chose(CHOICE, False, 0.0, 81003),
                _chose(TRUE_FALSE, True, 1.0, 82001),
                _said(SHORT, False, 0.0, "light & water"),
                _said(ESSAY, "partial", 1.5, _HTML_ESSAY),
            ],
        ),
        _attempt(
            604,
            {"user_id": TALIB},
            "2026-09-12T09:00:00Z",
            [
                _chose(TRUE_FALSE, True, 1.0, 82001),
                _said(ESSAY, "undefined", 0.0, "<p>6 &lt; 7 is\n &quot;true&quot;</p>"),
                _said(UPLOAD, "undefined", 0.0, attachment_ids=["9004"]),
            ],
            workflow_state="pending_review",
            attachments=[{"id": 9004, "display_name": "خلية.pdf"}],
        ),
        _attempt(605, {"user_id": ANGEL}, "2026-09-09T15:00:00Z", []),
        # Handed in in the same second as another, with a text that a spreadsheet would compute.
        _attempt(
            606,
            {"user_id": FORMULA},
            "2026-09-10T09:20:00Z",
            [_chose(CHOICE, True, 1.0, 81001), _said(SHORT, False, 0.0, "=1+1")],
        ),
        _attempt(
            610,
            {"temporary_user_code": "tmp-sample-1"},
            "2026-09-13T12:00:00Z",
            [_chose(CHOICE, True, 1.0, 81001)],
        ),
    ]


def _unseen() -> list[Json]:
    answers = [_chose(CHOICE, True, 1.0, 81001)]
    unfinished = {"workflow_state": "untaken", "score": None, "finished_at": None}
    return [
        _attempt(607, {"user_id": LEFT}, "2026-09-10T11:00:00Z", answers),
        _attempt(608, {"user_id": TEST_STUDENT}, "2026-09-10T11:00:00Z", answers),
        _attempt(
            609,
            {"user_id": TEACHER},
            "2026-09-10T11:00:00Z",
            answers,
            workflow_state="preview",
            was_preview=True,
        ),
        _attempt(611, {"user_id": LATE}, "2026-09-14T11:00:00Z", [], **unfinished),
    ]
