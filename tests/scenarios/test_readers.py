"""What people read the file with: each reader gets the same table, by name and by position."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import pandas
import polars
import pytest

from tests.factories import COURSE_ID, QUIZ_ID, SECTION_ID, Api, reports_path
from tests.payloads import attempt, enrollment, essay, essay_entry, question
from workers.generation import generate
from workers.resources import Resources

NAMES = ['Ann "Annie" Lee', "Ek, Bo", "=1+1", "山田太郎", "  spaces  ", "NA", "O'Neil"]
FIRST_USER = 500
# The line break in the header is part of the question's text.
QUESTIONS = [
    essay(11, question_text="<p>Why,</p>\n<p>do you?</p>"),
    essay(12, question_text='Say "yes"'),
    question(13, question_type="short_answer_question", question_text="a\r\nb", answers=[]),
]
TEXTS = ['He said "no",<br>twice', "", "null"]

Table = list[list[str]]


@pytest.fixture
def content(api: Api) -> bytes:
    """The bytes of a student_analysis as a client gets them."""
    push(api, "", {"course": course()})
    push(api, f"/quizzes/{QUIZ_ID}", {"quiz": {"questions": QUESTIONS}})
    push(api, f"/quizzes/{QUIZ_ID}/submissions", {"quiz_submissions": list(attempts())})
    params = {"quiz_report": {"report_type": "student_analysis"}}
    report = api.post(reports_path(), json=params).json
    resources = Resources(api.settings)
    generate(resources, report["id"], int(report["progress_url"].rsplit("/", 1)[1]))
    resources.snapshots.close()
    resources.database.dispose()
    file = api.get(f"{reports_path()}/{report['id']}").json["file"]
    return bytes(api.get(f"/files/{file['id']}/download").data)


def push(api: Api, path: str, body: dict[str, Any]) -> None:
    response = api.call("PUT", f"/api/v1/courses/{COURSE_ID}{path}", "admin", json=body)
    assert response.status_code == 200, response.text


def course() -> dict[str, Any]:
    users = [{"id": FIRST_USER + n, "name": name} for n, name in enumerate(NAMES)]
    teacher = enrollment(7, SECTION_ID, "TeacherEnrollment")
    students = [enrollment(FIRST_USER + n, SECTION_ID) for n in range(len(NAMES))]
    return {"users": [*users, {"id": 7, "name": "T"}], "enrollments": [teacher, *students]}


def attempts() -> Iterator[dict[str, Any]]:
    for number in range(len(NAMES)):
        yield attempt(
            number + 1,
            user_id=FIRST_USER + number,
            score=number / 3,
            updated_at=f"2026-09-10T09:{number:02}:00Z",
            submission_data=[
                essay_entry(asked["id"], text, points=0.1 * number)
                for asked, text in zip(QUESTIONS, TEXTS, strict=True)
            ],
        )


@pytest.fixture
def table(content: bytes) -> Table:
    """The table as Python's own reader sees it, all texts, the header first."""
    return list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))


@pytest.mark.contract("7 Bytes", "what begins like a formula stays, unless the guard is on")
def test_the_table_is_the_one_that_was_pushed(table: Table) -> None:
    header, *rows = table
    assert [row[0] for row in rows] == NAMES[::-1]
    assert {len(row) for row in rows} == {len(header)}
    assert header[-3:] == ["n correct", "n incorrect", "score"]


def test_a_line_break_in_a_header_survives(table: Table) -> None:
    assert "11: Why,\ndo you?" in table[0]
    assert "13: a\r\nb" in table[0]


@pytest.mark.contract("7 Bytes", "every reader gets the same table")
def test_csv_dict_reader(content: bytes, table: Table) -> None:
    reader = csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True)
    assert list(reader.fieldnames or ()) == table[0]
    for row, expected in zip(reader, table[1:], strict=True):
        assert None not in row
        # Of columns of the same name it keeps the last.
        assert row == dict(zip(table[0], expected, strict=True))


@pytest.mark.contract("7 Bytes", "every reader gets the same table")
def test_pandas(content: bytes, table: Table) -> None:
    frame = pandas.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    assert [re.sub(r"^1\.0\.\d+$", "1.0", str(name)) for name in frame.columns] == table[0]
    assert frame.to_numpy().tolist() == table[1:]


def test_pandas_with_its_own_guesses(content: bytes, table: Table) -> None:
    frame = pandas.read_csv(io.BytesIO(content))
    assert len(frame) == len(NAMES)
    assert frame["id"].tolist() == [int(row[1]) for row in table[1:]]
    assert frame["score"].tolist() == [float(row[-1]) for row in table[1:]]
    assert list(frame.columns).count("1.0") == 1
    assert {"1.0.1", "1.0.2"} <= set(frame.columns)


@pytest.mark.contract("7 Bytes", "every reader gets the same table")
def test_polars(content: bytes, table: Table) -> None:
    frame = polars.read_csv(content, infer_schema=False)
    # It numbers names that repeat, and leaves a header's doubled quotes doubled.
    names = [re.sub(r"^1\.0_duplicated_\d+$", "1.0", name).replace('""', '"') for name in frame.columns]
    assert names == table[0]
    # It tells a null, nothing between the commas, from an empty text.
    assert [[value or "" for value in row] for row in frame.rows()] == table[1:]
    assert frame["sis_id"].null_count() == len(NAMES)
    assert frame.to_series(table[0].index('12: Say "yes"')).null_count() == 0


@pytest.mark.contract("7 Bytes", "every reader gets the same table")
def test_a_script_that_reads_by_position(content: bytes, table: Table) -> None:
    """As scripts in R do: the header is skipped, questions stand in pairs between six columns and three."""
    rows = papaparse(content.decode())[1:]
    first = table[0].index("11: Why,\ndo you?")
    questions = range(first, len(table[0]) - 3, 2)
    assert [table[0][column].split(":")[0] for column in questions] == ["11", "12", "13"]
    for row, number in zip(rows, reversed(range(len(NAMES))), strict=True):
        assert [float(row[column + 1]) for column in questions] == [0.1 * number] * 3
        assert (int(row[-3]), int(row[-2]), float(row[-1])) == (3, 0, number / 3)


@pytest.mark.contract("7 Bytes", "every reader gets the same table")
def test_a_reader_like_papaparse(content: bytes, table: Table) -> None:
    assert papaparse(content.decode()) == table


def test_a_reader_like_papaparse_with_a_header(content: bytes, table: Table) -> None:
    seen: dict[str, int] = {}
    names = []
    for name in papaparse(content.decode())[0]:
        count = seen.get(name, 0)
        seen[name] = count + 1
        names.append(f"{name}_{count}" if count else name)
    assert [name for name in names if name.startswith("1.0")] == ["1.0", "1.0_1", "1.0_2"]
    assert len(set(names)) == len(table[0])


def papaparse(text: str) -> Table:
    """Read as browsers' scripts do: character by character, one line break for the whole file."""
    rows: Table = []
    row: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == '"':
            value, at = quoted(text, at + 1)
        else:
            end = next(i for i in range(at, len(text)) if text[i] in ",\n")
            value, at = text[at:end], end
        row.append(value)
        if text[at] == "\n":
            rows.append(row)
            row = []
        at += 1
    assert row == []
    return rows


def quoted(text: str, at: int) -> tuple[str, int]:
    """Read a field behind its first quote; return it, and the place behind its last."""
    value = ""
    while True:
        end = text.index('"', at)
        value += text[at:end]
        if text[end + 1] != '"':
            return value, end + 1
        value, at = value + '"', end + 2
