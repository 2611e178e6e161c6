"""The plain computations agree with reports written by hand, and tell where a file differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.reference import compare

COURSE = {
    "id": 1,
    "sections": [
        {"id": 11, "name": "Morning", "sis_section_id": "AM"},
        {"id": 12, "name": "Evening"},
    ],
    "users": [
        {"id": 21, "name": "Ejemplo, Ángel", "sis_user_id": "s21"},
        {"id": 22, "name": "Ana"},
    ],
    "enrollments": [
        {"user_id": 21, "section_id": 12},
        {"user_id": 21, "section_id": 11},
        {"user_id": 22, "section_id": 12},
    ],
}
QUESTIONS = [
    {
        "id": 31,
        "question_type": "multiple_choice_question",
        "question_text": "<p>6 &lt; 7?</p>",
        "points_possible": 1,
        "answers": [{"id": 311, "text": "no", "weight": 0}, {"id": 312, "text": "yes, it is", "weight": 100}],
    },
    {
        "id": 32,
        "question_type": "essay_question",
        "question_text": "Why?",
        "points_possible": 2.5,
        "answers": [],
    },
    {
        "id": 33,
        "question_type": "matching_question",
        "question_text": "Match.",
        "points_possible": 1.0,
        "answers": [{"id": 331, "left": "a", "text": "a"}, {"id": 332, "left": "b", "text": "b"}],
        "matches": [{"match_id": 1, "text": "one"}, {"match_id": 2, "text": "two"}],
    },
]


def attempt(id_: int, user_id: int, number: int, at: str, score: float, *given: dict[str, Any]) -> Any:
    responses = [{"question_id": question["id"], **g} for question, g in zip(QUESTIONS, given, strict=True)]
    return {
        "id": id_,
        "user_id": user_id,
        "attempt": number,
        "score": score,
        "finished_at": at,
        "updated_at": at,
        "submission_data": responses,
    }


NOTHING = {"correct": False, "points": 0.0, "text": ""}
ATTEMPTS = [
    attempt(
        *(41, 21, 1, "2026-09-10T08:00:00Z", 3.0),
        {"correct": True, "points": 1.0, "answer_id": 312},
        {"correct": "undefined", "points": 1.5, "text": "<p>So.</p><p>And so &amp; so.</p>"},
        {"correct": "partial", "points": 0.5, "answer_331": "2", "answer_332": ""},
    ),
    attempt(*(42, 22, 1, "2026-09-11T08:00:00Z", 0.0), {**NOTHING, "answer_id": 311}, NOTHING, NOTHING),
    attempt(
        *(41, 21, 2, "2026-09-10T09:00:00Z", 1.0),
        {"correct": True, "points": 1.0, "answer_id": 312},
        NOTHING,
        NOTHING,
    ),
]
STUDENT_ANALYSIS = """\
name,id,sis_id,section,section_id,section_sis_id,submitted,attempt,\
31: 6 < 7?,1.0,32: Why?,2.5,33: Match.,1.0,n correct,n incorrect,score
Ana,22,,Evening,12,,2026-09-11 08:00:00 UTC,1,no,0.0,"",0.0,"a=>,b=>",0.0,0,3,0.0
"Ejemplo, Ángel",21,s21,"Morning, Evening","11, 12","AM, ",2026-09-10 09:00:00 UTC,2,\
"yes, it is",1.0,"",0.0,"a=>,b=>",0.0,1,2,1.0
"Ejemplo, Ángel",21,s21,"Morning, Evening","11, 12","AM, ",2026-09-10 08:00:00 UTC,1,\
"yes, it is",1.0,"So.

And so & so.",1.5,"a=>two,b=>",0.5,3,0,3.0
"""
# Of two students one is right: the variance is 1/4, and who is right has the higher total.
ITEM_ANALYSIS = """\
Question Id,Question Title,Answered Student Count,Top Student Count,Middle Student Count,\
Bottom Student Count,Quiz Question Count,Correct Student Count,Wrong Student Count,Correct Student Ratio,\
Wrong Student Ratio,Correct Top Student Count,Correct Middle Student Count,Correct Bottom Student Count,\
Variance,Standard Deviation,Difficulty Index,Alpha,Point Biserial of Correct,Point Biserial of Distractor 2
31,6 < 7?,2,1,0,1,1,1,1,0.5,0.5,1,0,0,0.25,0.5,0.5,N/A,1.0,-1.0
"""


@pytest.fixture
def pushed(tmp_path: Path) -> list[str]:
    course, quiz, attempts = (tmp_path / name for name in ("course.json", "quiz.json", "attempts.ndjson"))
    course.write_text(json.dumps({"course": COURSE}))
    quiz.write_text(json.dumps({"quiz": {"id": 2, "questions": QUESTIONS}}))
    attempts.write_text("".join(json.dumps(attempt) + "\n" for attempt in ATTEMPTS))
    return [str(course), str(quiz), str(attempts)]


def ends_with(report_type: str, content: str, pushed: list[str]) -> str:
    """Compare a report; return what is said of it, nothing where all is alike."""
    report = Path(pushed[0]).with_name("report.csv")
    report.write_text(content, newline="")
    try:
        compare.main(report_type, str(report), *pushed)
    except SystemExit as ended:
        return str(ended)
    return ""


@pytest.mark.parametrize(
    ("report_type", "content"), [("student_analysis", STUDENT_ANALYSIS), ("item_analysis", ITEM_ANALYSIS)]
)
def test_a_report_written_by_hand_is_the_plain_one(report_type: str, content: str, pushed: list[str]) -> None:
    assert ends_with(report_type, content, pushed) == ""


@pytest.mark.parametrize(
    ("report_type", "content", "says"),
    [
        ("student_analysis", STUDENT_ANALYSIS.replace("s21", "s12", 1), "row 2 of the student_analysis"),
        ("student_analysis", STUDENT_ANALYSIS.replace(',"",', ",,", 1), "row 1 of the student_analysis"),
        ("student_analysis", STUDENT_ANALYSIS + "more\n", "goes on after its end: b'more"),
        ("student_analysis", STUDENT_ANALYSIS[:-1], "row 3 of the student_analysis"),
        ("item_analysis", ITEM_ANALYSIS.replace("0.25", "0.25000001"), "'0.25000001' is not 0.25"),
        ("item_analysis", ITEM_ANALYSIS.replace("N/A", ""), "'' is not 'N/A'"),
        ("item_analysis", ITEM_ANALYSIS.splitlines(keepends=True)[0], "has 1 lines, not 2"),
    ],
)
def test_a_difference_is_named(report_type: str, content: str, says: str, pushed: list[str]) -> None:
    assert says in ends_with(report_type, content, pushed)
