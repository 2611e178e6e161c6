"""The student_analysis of New Quizzes: every item type and status, in CSV and in JSON."""

from __future__ import annotations

import csv
import datetime
import io
import json
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from models.lms.quizzes import QuestionType
from tests.attempt_frames import STUDENT_ATTEMPTS, as_csv, attempt_frame
from workers.analysis.frames import NEW_QUIZZES_ATTEMPTS, Item, Option
from workers.analysis.new_quizzes import ITEM_TYPES, NewQuizzesAnalysis, NewQuizzesOptions
from workers.formats import new_quizzes_json

SCHEMA = pa.schema([("started_at", pa.timestamp("us", "UTC")), ("outcomes", pa.string()), *STUDENT_ATTEMPTS])
END = datetime.datetime(2026, 3, 17, 5, 34, 5, tzinfo=datetime.UTC)
CHOICE = Item(
    11, "Green?", 1.0, 1, True, (Option(1, "Yes", 100.0), Option(2, "No", 0.0)), "multiple_choice_question"
)
ESSAY = Item(12, "Why, and how?", 4.0, 2, False, (), "essay_question")
BLOCK = Item(13, "Read this", 0.0, 3, False, (), "text_only_question")
DRAWN = Item(14, "Match", 2.0, 4, False, (), "matching_question")
ITEMS = [CHOICE, ESSAY, BLOCK, DRAWN]
SETS = {1: [CHOICE, ESSAY, BLOCK], 2: ITEMS}
LEADING = "Name,ID,SISID,SectionIDs,SectionNames,SectionSISIDs,Submitted,ElapsedTime,Attempt"
CLOSING = "NumberOfCorrect,NumberOfIncorrect,NoResponse,PointsPossible,OverallScore"


def row(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Ann Lee",
        "user_id": 7,
        "sis_user_id": "s7",
        "root_account": None,
        "section": "A, B",
        "section_id": "31, 32",
        "section_sis_id": "BIO-A, ",
        "logged_out": False,
        "started_at": END - datetime.timedelta(seconds=604),
        "finished_at": END,
        "attempt": 1,
        "question_set_id": 2,
        "answer_ids": [1, None, None, None],
        "texts": [None, "because", None, "a=>b"],
        "points": [1.0, 2.5, None, 1.0],
        "outcomes": "CU-P",
        "n_correct": 3,
        "n_incorrect": 0,
        "score": 4.5,
        **changes,
    }


def analysis(*, sis_ids: bool = True, anonymous: bool = False) -> NewQuizzesAnalysis:
    return NewQuizzesAnalysis(NewQuizzesOptions(sis_ids, anonymous), ITEMS, SETS)


def written(*rows: dict[str, Any], **options: bool) -> list[list[str]]:
    made = analysis(**options)
    text = as_csv(made.columns, made.rows(attempt_frame(rows, SCHEMA)))
    return list(csv.reader(io.StringIO(text, newline="")))


def in_json(*rows: dict[str, Any], **options: bool) -> Any:
    made = analysis(**options)
    frames = iter([made.rows(attempt_frame([row], SCHEMA)) for row in rows])
    return json.loads(b"".join(new_quizzes_json.write_attempts(made.columns, frames)))


def test_the_frame_has_the_columns_that_are_read() -> None:
    assert set(SCHEMA.names) == set(NEW_QUIZZES_ATTEMPTS)


def test_every_question_type_but_text_blocks_has_an_item_type() -> None:
    assert {kind.value for kind in QuestionType} - ITEM_TYPES.keys() <= {"text_only_question", "Error"}


def test_the_header_has_five_columns_an_item_and_none_for_text_blocks() -> None:
    items = ",".join(
        f"ItemID,ItemType,{title},EarnedPoints,Status" for title in ("Green?", '"Why, and how?"', "Match")
    )

    made = analysis()
    assert as_csv(made.columns) == f"{LEADING},{items},{CLOSING}\n"


@pytest.mark.contract("1 Routes", "New Quizzes' own student_analysis in CSV and JSON, every attempt a row")
def test_a_row_has_the_respondent_the_items_and_the_sums() -> None:
    [_, cells] = written(row())

    assert cells == [
        *("Ann Lee", "7", "s7", "31, 32", "A, B", "BIO-A, ", "2026-03-17 05:34:05 UTC", "0:10:04", "1"),
        *("11", "choice", "Yes", "1.0", "correct"),
        *("12", "essay", "because", "2.5", "ungraded"),
        *("14", "matching", "a=>b", "1.0", "partial"),
        *("1", "0", "0", "7.0", "4.5"),
    ]


@pytest.mark.parametrize(
    ("outcome", "points", "status"),
    [
        ("C", 4.0, "correct"),
        ("I", 0.0, "incorrect"),
        ("P", 1.0, "partial"),
        ("U", 0.0, "ungraded"),
        ("-", None, "no response"),
        ("i", 0.0, "no response"),
        ("c", 4.0, "no response"),
        ("D", 4.0, "correct"),
        ("D", 5.0, "correct"),
        ("D", 1.0, "partial"),
        ("D", 0.0, "incorrect"),
    ],
)
def test_the_status_says_how_a_response_was_graded(outcome: str, points: float | None, status: str) -> None:
    [_, cells] = written(row(outcomes=f"C{outcome}-C", points=[1.0, points, None, 2.0]))

    assert cells[18] == status
    assert [int(count) for count in cells[-5:-2]] == [
        2 + (status == "correct"), int(status == "incorrect"), int(status == "no response"),
    ]  # fmt: skip


def test_an_item_that_the_attempt_did_not_have_is_empty_and_counts_nowhere() -> None:
    lists = {"answer_ids": [2, None, None], "texts": [None, "x", None], "points": [0.0, 4.0, None]}
    fewer = row(question_set_id=1, outcomes="IC-", **lists)

    [_, cells, _] = written(fewer, row())

    assert cells[19:24] == ["14", "matching", "", "", ""]
    assert cells[-5:] == ["1", "1", "0", "5.0", "4.5"]
    assert [response["item_id"] for response in in_json(fewer)[0]["item_responses"]] == ["11", "12"]


def test_sis_ids_and_names_are_empty_texts_where_they_are_hidden() -> None:
    [_, cells] = written(row(), sis_ids=False)
    assert (cells[0], cells[2], cells[5]) == ("Ann Lee", "", "")
    [_, cells] = written(row(), anonymous=True)
    assert cells[:4] == ["", "", "", "31, 32"]
    [_, cells] = written(row(logged_out=True, user_id=None, name=None))
    assert cells[:6] == [""] * 6
    made = analysis(sis_ids=False)
    assert ',7,"",' in as_csv(made.columns, made.rows(attempt_frame([row()], SCHEMA)))


@pytest.mark.parametrize(
    ("seconds", "elapsed"), [(0, "0:00:00"), (59.9, "0:00:59"), (90_000, "25:00:00"), (None, ""), (-5, "")]
)
def test_the_elapsed_time_is_written_as_hours_minutes_and_seconds(
    seconds: float | None, elapsed: str
) -> None:
    start = None if seconds is None else END - datetime.timedelta(seconds=seconds)

    assert written(row(started_at=start))[1][7] == elapsed


@pytest.mark.contract("1 Routes", "New Quizzes' own student_analysis in CSV and JSON, every attempt a row")
def test_json_is_a_list_of_attempts() -> None:
    [first, second] = in_json(row(), row(attempt=2, score=None, finished_at=None, sis_user_id=None))

    assert first == {
        "student_data": {
            "id": 7, "name": "Ann Lee", "sis_id": "s7", "submitted": "2026-03-17 05:34:05 UTC",
            "elapsed": "0:10:04", "attempt": 1,
        },
        "item_responses": [
            {"item_id": "11", "item_type": "choice", "answer": "Yes", "score": 1.0},
            {"item_id": "12", "item_type": "essay", "answer": "because", "score": 2.5},
            {"item_id": "14", "item_type": "matching", "answer": "a=>b", "score": 1.0},
        ],
        "summary": {"score": 4.5, "points_possible": 7.0},
    }  # fmt: skip
    assert second["student_data"] == {
        **first["student_data"],
        "attempt": 2,
        "submitted": None,
        "elapsed": None,
        "sis_id": None,
    }
    assert second["summary"]["score"] is None


def test_json_without_an_attempt_or_an_item() -> None:
    assert in_json() == []
    bare = NewQuizzesAnalysis(NewQuizzesOptions(True, False), [], {1: []})
    empty = {"question_set_id": 1, "answer_ids": [], "texts": [], "points": [], "outcomes": ""}
    frame: pd.DataFrame = bare.rows(attempt_frame([row(**empty)], SCHEMA))
    [attempt] = json.loads(b"".join(new_quizzes_json.write_attempts(bare.columns, iter([frame]))))
    assert (attempt["item_responses"], attempt["summary"]) == ([], {"score": 4.5, "points_possible": 0.0})
