"""The formats of a report: each has the cells of the CSV file, and none changes without a new version."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.services import Services
from models.access.tokens import create_token
from models.db.session import Database
from models.reports.variants import TYPES, ReportFormat, ReportType
from models.settings import Settings
from ops.sample.loading import sample_files
from tests.description import check
from workers.generation import generate
from workers.resources import Resources

DIGESTS = Path(__file__).with_name("digests.json")

Table = list[list[str]]


@dataclass(frozen=True)
class Kind:
    """A report of the sample course."""

    report_type: ReportType
    quiz_id: int
    all_versions: bool = False
    section_ids: Sequence[int] = ()


# Real responses; every question type, second attempts and a logged-out taker; an anonymous survey.
KINDS = [
    Kind(ReportType.ITEM_ANALYSIS, 201),
    Kind(ReportType.ITEM_ANALYSIS, 202),
    Kind(ReportType.STUDENT_ANALYSIS, 202),
    Kind(ReportType.STUDENT_ANALYSIS, 202, all_versions=True),
    Kind(ReportType.STUDENT_ANALYSIS, 202, section_ids=(3101,)),
    Kind(ReportType.STUDENT_ANALYSIS, 203),
]

Files = Callable[[Kind, ReportFormat], bytes]


@pytest.fixture
def files(settings: Settings, database: Database) -> Iterator[Files]:
    """Push the sample course; the function makes a report of it and downloads the file."""
    with database.transaction() as session:
        headers = {"Authorization": f"Bearer {create_token(session, user_id=1, admin=True)}"}
    app = create_app(settings)
    client, resources = app.test_client(), Resources(settings)
    bodies = sample_files()
    for name in sorted(bodies, key=lambda name: (name != "course.json", "quiz" not in name)):
        response = client.put(push_path(bodies[name]), json=bodies[name], headers=headers)
        assert response.status_code == 200, response.text

    def made(kind: Kind, report_format: ReportFormat) -> bytes:
        reports = f"/api/v1/courses/101/quizzes/{kind.quiz_id}/reports"
        params = {
            "report_type": kind.report_type,
            "includes_all_versions": kind.all_versions,
            "section_ids": kind.section_ids,
            "format": report_format,
        }
        report: Any = client.post(reports, json={"quiz_report": params}, headers=headers).json
        generate(resources, report["id"], int(report["progress_url"].rsplit("/", 1)[1]))
        shown: Any = client.get(f"{reports}/{report['id']}", headers=headers).json
        path = f"/files/{shown['file']['id']}/download"
        response = client.get(path, headers=headers)
        check(app, "GET", path, response)
        return bytes(response.data)

    yield made
    resources.snapshots.close()
    resources.database.dispose()
    Services.of(app).close()


def push_path(body: Any) -> str:
    if "course" in body:
        return "/api/v1/courses/101"
    if "quiz" in body:
        return f"/api/v1/courses/101/quizzes/{body['quiz']['id']}"
    return f"/api/v1/courses/101/quizzes/{body['quiz_id']}/submissions"


def csv_table(content: bytes) -> Table:
    return list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))


def json_table(content: bytes) -> Table:
    report = json.loads(content)
    columns = report["columns"]

    def text(cell: object, column: Any) -> str:
        if cell is None:
            return "N/A" if column["name"] == "Alpha" else ""
        if column["kind"] == "time":
            return str(cell).replace("T", " ").replace("Z", " UTC")
        return str(cell)

    rows = [[text(*pair) for pair in zip(row, columns, strict=True)] for row in report["rows"]]
    return [[column["name"] for column in columns], *rows]


@pytest.mark.contract("4 File", "every format has the cells of the CSV file")
def test_json_has_the_cells_of_the_csv_file(files: Files) -> None:
    for kind in KINDS:
        table = json_table(files(kind, ReportFormat.JSON))
        assert table == csv_table(files(kind, ReportFormat.CSV)), kind


def test_provenance_counts_the_attempts_of_the_rows(files: Files) -> None:
    for kind in KINDS:
        report = json.loads(files(kind, ReportFormat.JSON))
        attempts = report["provenance"]["attempts"]
        if kind.report_type is ReportType.STUDENT_ANALYSIS:
            assert attempts["counted"] == len(report["rows"])
        total = len(sample_files()[f"{NAMES[kind.quiz_id]}_submissions.json"]["quiz_submissions"])
        assert attempts["counted"] + sum(entry["count"] for entry in attempts["left_out"]) == total


NAMES = {201: "lsat", 202: "cells", 203: "survey"}

# What differs from file to file of the same data: the time of the data, and the release of the program.
MUTABLE = re.compile(rb'"generated_at":"[^"]*"|"software":"[^"]*"')


def lasting(report_format: ReportFormat, content: bytes) -> bytes:
    """Return what of a file is the same whenever it is made from the same data."""
    return MUTABLE.sub(b"", content) if report_format is ReportFormat.JSON else content


def test_no_file_changes_unless_the_version_of_its_report_type_does(files: Files) -> None:
    found: dict[str, dict[str, Any]] = {
        report_type.value: {"version": spec.version} for report_type, spec in TYPES.items()
    }
    for report_type, report_format in ((kind, form) for kind in ReportType for form in ReportFormat):
        parts = [files(kind, report_format) for kind in KINDS if kind.report_type is report_type]
        digest = hashlib.sha256(b"".join(lasting(report_format, part) for part in parts))
        found[report_type][report_format] = digest.hexdigest()
    kept = json.loads(DIGESTS.read_bytes())
    changed = [name for name, entry in found.items() if entry != kept.get(name)]
    assert not changed, (
        f"the files of {', '.join(changed)} have changed: raise the version of the report type in"
        f" models/reports/variants.py, unless you have, and store in {DIGESTS.name}:\n"
        f"{json.dumps(found, indent=2)}"
    )
