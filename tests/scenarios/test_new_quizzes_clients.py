"""Small readers, written after public clients of New Quizzes, read reports of a question of every type."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from ops.sample.loading import sample_files
from tests.factories import Api
from workers.analysis.new_quizzes import ITEM_TYPES
from workers.generation import generate
from workers.resources import Resources

COURSE_ID, ASSIGNMENT_ID = 101, 902
REPORTS = f"/api/quiz/v1/courses/{COURSE_ID}/quizzes/{ASSIGNMENT_ID}/reports"
LEADING = 9
COLUMNS_OF_ITEM = 5
CLOSING = 5


@pytest.fixture
def sample(api: Api) -> Api:
    """The sample's quiz with a question of every type."""
    files = sample_files()
    course = {name: value for name, value in files["course.json"]["course"].items() if name != "id"}
    cells = files["cells_quiz.json"]["quiz"]
    quiz = f"/api/v1/courses/{COURSE_ID}/quizzes/{cells['id']}"
    questions = {name: value for name, value in cells.items() if name not in {"id", "course_id"}}
    for path, body in (
        (f"/api/v1/courses/{COURSE_ID}", {"course": course}),
        (quiz, {"quiz": questions}),
        (f"{quiz}/submissions", files["cells_submissions.json"]),
    ):
        assert api.call("PUT", path, "admin", json=body).status_code == 200
    return api


def fetch(api: Api, report_type: str, report_format: str) -> bytes:
    """Request a report, wait for its job and download the file without a token, as those clients do."""
    params = {"quiz_report[report_type]": report_type, "quiz_report[format]": report_format}
    response = api.post(REPORTS, "admin", data=params)
    assert response.status_code == 201, response.text
    body = response.json
    progress_id = body["progress"]["id"]
    resources = Resources(api.settings)
    generate(resources, body["progress"]["context_id"], progress_id)
    resources.snapshots.close()
    resources.database.dispose()
    progress = api.get(f"/api/v1/progress/{progress_id}", "admin").json
    assert progress["workflow_state"] == "completed", progress["message"]
    url = urlsplit(progress["results"]["url"])
    response = api.get(f"{url.path}?{url.query}", None)
    assert response.mimetype == {"csv": "text/csv", "json": "application/json"}[report_format]
    return bytes(response.data)


def scores_by_item(attempts: Any) -> dict[tuple[str, int], dict[str, float]]:
    """Collect the points of each attempt by item, as a client that grades from the JSON does."""
    return {
        (row["student_data"]["name"], row["student_data"]["attempt"]): {
            response["item_id"]: response["score"] for response in row["item_responses"]
        }
        for row in attempts
    }


@pytest.mark.contract("1 Routes", "New Quizzes' own student_analysis in CSV and JSON, every attempt a row")
def test_both_layouts_have_every_attempt_and_every_item_type(sample: Api) -> None:
    attempts = json.loads(fetch(sample, "student_analysis", "json"))
    table = list(csv.reader(io.StringIO(fetch(sample, "student_analysis", "csv").decode(), newline="")))

    header, *rows = table
    assert len(rows) == len(attempts) > len({row["student_data"]["id"] for row in attempts})
    assert header[:3] == ["Name", "ID", "SISID"]
    assert header[-CLOSING:] == [
        "NumberOfCorrect",
        "NumberOfIncorrect",
        "NoResponse",
        "PointsPossible",
        "OverallScore",
    ]
    assert (len(header) - LEADING - CLOSING) % COLUMNS_OF_ITEM == 0
    types = {response["item_type"] for row in attempts for response in row["item_responses"]}
    assert types == set(ITEM_TYPES.values())
    by_item = scores_by_item(attempts)
    statuses = set()
    for row in rows:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", row[6])
        assert re.fullmatch(r"(\d+:\d\d:\d\d)?", row[7])
        items = [row[i : i + COLUMNS_OF_ITEM] for i in range(LEADING, len(row) - CLOSING, COLUMNS_OF_ITEM)]
        assert {item[0]: float(item[3]) for item in items if item[4]} == by_item[row[0], int(row[8])]
        own = [item[4] for item in items if item[4]]
        assert [int(count) for count in row[-CLOSING:-2]] == [
            own.count(status) for status in ("correct", "incorrect", "no response")
        ]
        statuses |= set(own)
    assert {"correct", "incorrect", "partial", "no response"} <= statuses


def test_the_layout_never_shares_a_file_with_classic(sample: Api) -> None:
    new = fetch(sample, "student_analysis", "csv")
    classic = sample.post(
        f"/api/v1/courses/{COURSE_ID}/quizzes/202/reports",
        "admin",
        json={"quiz_report": {"report_type": "student_analysis", "includes_all_versions": True}},
    ).json

    assert new.startswith(b"Name,ID,SISID,")
    assert "file" not in classic


@pytest.mark.contract(
    "1 Routes", "New Quizzes' item_analysis: Classic's CSV, in JSON its rows by column name"
)
def test_an_item_analysis_has_the_rows_of_classics_file_by_column_name(sample: Api) -> None:
    table = fetch(sample, "item_analysis", "csv").decode()
    rows = json.loads(fetch(sample, "item_analysis", "json"))

    assert table.startswith("Question Id,Question Title,")
    expected = list(csv.DictReader(io.StringIO(table, newline="")))
    assert [list(row) for row in rows] == [list(row) for row in expected]
    for row, texts in zip(rows, expected, strict=True):
        assert row["Question Id"] == int(texts["Question Id"])
        assert row["Question Title"] == texts["Question Title"]
        assert row["Difficulty Index"] == pytest.approx(float(texts["Difficulty Index"]))
        assert [name for name, value in row.items() if value is None] == [
            name for name, text in texts.items() if text in {"", "N/A"}
        ]
