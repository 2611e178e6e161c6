"""A quiz with a question of every type, and six students whose responses were worked out by hand."""

from __future__ import annotations

from typing import Any

from tests.payloads import Json

STUDENTS = range(51, 57)
CHOICE, SHORT, SEVERAL, BLANKS, DROPDOWNS, MATCHING, ESSAY, CALCULATED, UPLOAD, NUMERICAL, TEXT = range(1, 12)


def questions() -> list[Json]:
    """The questions; the correct answers are Mitochondrion, cell, 31 and 32, red and round, and so on."""
    return [
        _question(
            CHOICE,
            "multiple_choice",
            answers=[
                {"id": 11, "text": "Mitochondrion", "weight": 100},
                {"id": 12, "text": "", "html": "<em>Ribosome</em>", "weight": 0},
            ],
        ),
        _question(SHORT, "short_answer", answers=[{"id": 21, "text": "cell", "weight": 100}]),
        _question(
            SEVERAL,
            "multiple_answers",
            answers=[
                {"id": 31, "text": "plant", "weight": 100},
                {"id": 32, "text": "animal", "weight": 100},
                {"id": 33, "text": "stone", "weight": 0},
            ],
        ),
        _question(
            BLANKS,
            "fill_in_multiple_blanks",
            answers=[
                {"id": 41, "text": "red", "blank_id": "color", "weight": 100},
                {"id": 42, "text": "round", "blank_id": "shape", "weight": 100},
            ],
        ),
        _question(
            DROPDOWNS,
            "multiple_dropdowns",
            answers=[
                {"id": 51, "text": "one", "blank_id": "number", "weight": 100},
                {"id": 52, "text": "two", "blank_id": "number", "weight": 0},
            ],
        ),
        _question(
            MATCHING,
            "matching",
            answers=[
                {"id": 61, "text": "Rome", "match_id": 71, "weight": 100},
                {"id": 62, "text": "Oslo", "match_id": 72, "weight": 100},
            ],
            matches=[{"match_id": 71, "text": "Italy"}, {"match_id": 72, "text": "Norway"}],
        ),
        _question(ESSAY, "essay", points_possible=4.0),
        _question(CALCULATED, "calculated", answers=[{"id": 81, "variables": [{"name": "x", "value": "2"}]}]),
        _question(UPLOAD, "file_upload"),
        _question(
            NUMERICAL,
            "numerical",
            answers=[
                {"id": 91, "exact": 12, "margin": 0.5, "weight": 100},
                {"id": 92, "start": 3, "end": 6, "weight": 100},
            ],
        ),
        _question(TEXT, "text_only", points_possible=0.0),
    ]


def attempts() -> list[Json]:
    """One attempt of each student; the first three do well, the last leaves everything blank."""
    return [_attempt(number, user_id) for number, user_id in enumerate(STUDENTS)]


def _question(number: int, kind: str, **fields: Any) -> Json:
    return {
        "id": number,
        "position": number,
        "question_type": f"{kind}_question",
        "question_text": f"<p>Question {number}</p>",
        "points_possible": 1.0,
        **fields,
    }


def _attempt(number: int, user_id: int) -> Json:
    good, blank = number < 3, number == 5
    entries = _blank() if blank else _good() if good else _poor(number)
    score = sum(entry.get("points", 0.0) for entry in entries)
    return {
        "id": 500 + number,
        "user_id": user_id,
        "attempt": 1,
        "workflow_state": "complete",
        "score": score,
        "started_at": "2026-09-10T09:00:00Z",
        "finished_at": f"2026-09-10T09:{10 + number}:00Z",
        "updated_at": f"2026-09-10T09:{10 + number}:00Z",
        "submission_data": entries,
        "attachments": [{"id": 9, "display_name": "essay.pdf"}],
    }


def _good() -> list[Json]:
    return [
        _entry(CHOICE, True, answer_id=11),
        _entry(SHORT, True, text="Cell"),
        _entry(SEVERAL, True, answer_31="1", answer_32="1", answer_33="0"),
        _entry(BLANKS, True, answer_for_color="RED", answer_for_shape="round"),
        _entry(DROPDOWNS, True, answer_for_number="51"),
        _entry(MATCHING, True, answer_61="71", answer_62="72"),
        _entry(ESSAY, "undefined", 0.0, text="<p>It is a cell.</p>"),
        _entry(CALCULATED, True, text="4"),
        _entry(UPLOAD, True, attachment_ids=["9"]),
        _entry(NUMERICAL, True, text="12.2", answer_id=91),
        _entry(TEXT, None, 0.0),
    ]


def _poor(number: int) -> list[Json]:
    return [
        _entry(CHOICE, False, 0.0, answer_id=12),
        _entry(SHORT, False, 0.0, text="atom"),
        _entry(SEVERAL, "partial", 0.5, answer_31="1", answer_32="0", answer_33="0"),
        _entry(BLANKS, "partial", 0.5, answer_for_color="red", answer_for_shape="flat"),
        _entry(DROPDOWNS, False, 0.0, answer_for_number="52"),
        _entry(MATCHING, "partial", 0.5, answer_61="71", answer_62=""),
        _entry(ESSAY, True, 4.0 if number == 3 else 2.5, text="<p>No idea.</p>"),
        _entry(CALCULATED, False, 0.0, text="5"),
        _entry(UPLOAD, False, 0.0, attachment_ids=[]),
        _entry(NUMERICAL, False, 0.0, text="100"),
        _entry(TEXT, None, 0.0),
    ]


def _blank() -> list[Json]:
    return [_entry(number, None, 0.0) for number in range(CHOICE, TEXT + 1)]


def _entry(number: int, correct: object, points: float = 1.0, **fields: Any) -> Json:
    return {"question_id": number, "correct": correct, "points": points, **fields}
