"""A course as Canvas's REST API returns it goes in with a short converter, and gives the right cells."""

from __future__ import annotations

import ast
import csv
import inspect
import io
from typing import Any

import pytest

from ops.sample.canvas_rest.convert import RECORDED, convert, read
from tests.factories import Api, reports_path
from workers.generation import generate
from workers.resources import Resources

COURSE_ID, QUIZ_ID = 1101, 5101
QUIZ = f"/api/v1/courses/{COURSE_ID}/quizzes/{QUIZ_ID}"

# The most that an integrator should have to write.
MOST_LINES = 15

HEADER = [
    *("name", "id", "sis_id", "section", "section_id", "section_sis_id", "submitted", "attempt"),
    *("9101: What makes a leaf green?", "1.0", "9102: Match the parts.", "2.0"),
    *(
        "9103: Why do leaves fall?",
        "4.0",
        "9104: Needles are leaves.",
        "2.0",
        "9105: Mosses have veins.",
        "2.0",
    ),
    *("n correct", "n incorrect", "score"),
]
ROWS = [
    [
        *("Ann Lee", "7101", "s7101", "Section A", "3101", "BOT-1-A", "2026-09-11 08:15:00 UTC", "2"),
        *("Chlorophyll", "1.0", "Stoma=>takes in carbon dioxide,Vein=>carries water", "2.0"),
        *("Trees save water.", "4.0", "", "", "False", "2.0"),
        *("4", "0", "9.0"),
    ],
    [
        *("Ann Lee", "7101", "s7101", "Section A", "3101", "BOT-1-A", "2026-09-10 08:15:00 UTC", "1"),
        *("Carotene", "0.0", "Stoma=>takes in carbon dioxide,Vein=>takes in carbon dioxide", "1.0"),
        *("It is cold.", "1.0", "True", "2.0", "", ""),
        *("3", "1", "4.0"),
    ],
    [
        *(
            "Bo Ek",
            "7102",
            "",
            "Section A, Section B",
            "3101, 3102",
            "BOT-1-A, ",
            "2026-09-10 09:30:00 UTC",
            "1",
        ),
        *("Chlorophyll", "1.0", "Stoma=>,Vein=>carries water", "1.0"),
        *("No light, no work.", "0.0", "False", "0.0", "", ""),
        *("3", "1", "3.0"),
    ],
]


def push(api: Api, path: str, body: Any, **query: str) -> Any:
    response = api.call("PUT", path, "admin", json=body, query_string=query)
    assert response.status_code == 200, response.text
    return response.json


def test_the_converter_is_short() -> None:
    function = ast.parse(inspect.getsource(convert)).body[0]

    assert function.end_lineno is not None
    assert function.end_lineno - function.lineno + 1 <= MOST_LINES


@pytest.mark.contract("6 Data in", "Canvas's REST shapes go in with a short converter")
def test_a_recorded_course_gives_the_right_cells(api: Api) -> None:
    files = convert(read(RECORDED))
    push(api, f"/api/v1/courses/{COURSE_ID}", files["course"])
    push(api, QUIZ, files["quiz"])
    pushed = push(api, f"{QUIZ}/submissions", files["submissions"])
    assert pushed["created"] == len(ROWS)

    params = {"quiz_report": {"report_type": "student_analysis", "includes_all_versions": True}}
    report = api.post(reports_path(QUIZ_ID, COURSE_ID), "admin", json=params).json
    resources = Resources(api.settings)
    generate(resources, report["id"], int(report["progress_url"].rsplit("/", 1)[1]))
    resources.snapshots.close()
    resources.database.dispose()
    file = api.get(f"{reports_path(QUIZ_ID, COURSE_ID)}/{report['id']}", "admin").json["file"]
    content = api.get(f"/files/{file['id']}/download", "admin").text

    assert list(csv.reader(io.StringIO(content, newline=""))) == [HEADER, *ROWS]


@pytest.mark.contract("6 Data in", "Canvas's REST shapes go in with a short converter")
def test_a_check_of_the_recorded_course_finds_nothing(api: Api) -> None:
    files = convert(read(RECORDED))
    known = {**files["course"], **files["quiz"]}

    body = push(api, f"{QUIZ}/submissions", {**known, **files["submissions"]}, check="true")

    assert (body["issues"], body["skipped"], body["created"]) == ([], 0, len(ROWS))
