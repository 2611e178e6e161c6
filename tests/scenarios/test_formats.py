"""The formats of a report: each has the cells of the CSV file, and none changes without a new version."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from api.app import create_app
from api.services import Services
from models.access.tokens import create_token
from models.db.session import Database
from models.reports.variants import PUBLIC_TYPES, TYPES, ReportFormat, ReportType
from models.settings import Settings
from ops.sample.loading import sample_files
from tests.description import check
from tests.provenance import PROVENANCE
from tests.sample_reports import DIGESTS, KINDS, Kind, sample_pushes
from tests.workbooks import HOSTILE, saved_by_libreoffice, sheets
from workers.analysis.frames import Column, ColumnKind, Table, frame_of
from workers.formats import xlsx
from workers.generation import generate
from workers.resources import Resources

Texts = list[list[str]]


Files = Callable[[Kind, ReportFormat], bytes]


@pytest.fixture(scope="module")
def files(module_settings: Settings, migrated_database: Database) -> Iterator[Files]:
    """Push the sample course; the function downloads a report of it, which is made once for all tests."""
    with migrated_database.transaction() as session:
        headers = {"Authorization": f"Bearer {create_token(session, user_id=1, admin=True)}"}
    app = create_app(module_settings)
    client, resources = app.test_client(), Resources(module_settings)
    for path, body in sample_pushes():
        response = client.put(path, json=body, headers=headers)
        assert response.status_code == 200, response.text

    @cache
    def made(kind: Kind, report_format: ReportFormat) -> bytes:
        params = {**kind.params, "format": report_format}
        report: Any = client.post(kind.path, json={"quiz_report": params}, headers=headers).json
        generate(resources, report["id"], int(report["progress_url"].rsplit("/", 1)[1]))
        shown: Any = client.get(f"{kind.path}/{report['id']}", headers=headers).json
        path = f"/files/{shown['file']['id']}/download"
        response = client.get(path, headers=headers)
        check(app, "GET", path, response)
        return bytes(response.data)

    yield made
    resources.close()
    Services.of(app).close()


def csv_table(content: bytes) -> Texts:
    return list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))


def json_table(content: bytes) -> Texts:
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


def xlsx_table(content: bytes) -> list[list[Any]]:
    """Return the rows of the report, its short names first."""
    rows = sheets(content)["Report"]
    # Only the reports of students have columns that belong to questions, and a second header row.
    return rows if rows[0][0] == "Question Id" else [rows[0], *rows[2:]]


def has_the_cells(table: list[list[Any]], expected: Texts, kinds: Sequence[str], digits: float) -> bool:
    """Compare the rows of a workbook with those of a CSV file, numbers up to a relative difference."""

    def same(cell: Any, text: str, kind: str) -> bool:
        if kind == "text" or text in {"", "N/A"}:
            return bool(cell == text)
        if kind == "time":
            return f"{cell:%Y-%m-%d %H:%M:%S} UTC" == text
        return math.isclose(cell, float(text), rel_tol=digits)

    return len(table) == len(expected) and all(
        all(same(*cells) for cells in zip(row, texts, kinds, strict=True))
        for row, texts in zip(table[1:], expected[1:], strict=True)
    )


@pytest.mark.contract("4 File", "every format has the cells of the CSV file")
def test_xlsx_has_the_cells_of_the_csv_file_for_each_reader(files: Files, tmp_path: Path) -> None:
    tables = [csv_table(files(kind, ReportFormat.CSV)) for kind in KINDS]
    kinds = [
        [column["kind"] for column in json.loads(files(kind, ReportFormat.JSON))["columns"]] for kind in KINDS
    ]
    workbooks = [files(kind, ReportFormat.XLSX) for kind in KINDS]

    for content, table, of_columns in zip(workbooks, tables, kinds, strict=True):
        rows = xlsx_table(content)
        assert has_the_cells(rows, table, of_columns, digits=0.0)
        assert len(set(rows[0])) == len(rows[0])
    saved = saved_by_libreoffice(workbooks, tmp_path)
    for content, table, of_columns in zip(saved, tables, kinds, strict=True):
        # LibreOffice saves 15 digits of a number.
        assert has_the_cells(xlsx_table(content), table, of_columns, digits=1e-14)


def test_libreoffice_reads_no_text_as_anything_else(tmp_path: Path) -> None:
    columns = [Column("text", ColumnKind.TEXT)]
    table = Table(columns, iter([frame_of(columns, [pd.Series(HOSTILE, dtype="str")])]))
    (saved,) = saved_by_libreoffice([b"".join(xlsx.write(table, PROVENANCE))], tmp_path)

    # It takes a carriage return and a line break for one line break.
    expected = [[text.replace("\r\n", "\n")] for text in HOSTILE]
    assert sheets(saved)["Report"][1:] == expected


def test_the_options_of_an_item_analysis_have_a_sheet(files: Files) -> None:
    rows = sheets(files(KINDS[0], ReportFormat.XLSX))["Options"]

    # Of LSAT section 7, 828 of 1,000 people gave the correct response to the first item.
    assert rows[1][4:7] == ["correct", 100.0, 828.0]
    assert len(rows) == 1 + 5 * 2


def test_the_statistics_stand_beside_an_item_analysis(files: Files) -> None:
    workbook = sheets(files(KINDS[0], ReportFormat.XLSX))
    report = json.loads(files(KINDS[0], ReportFormat.JSON))

    tables = {table["title"]: table["rows"] for table in report["supplements"]}
    assert list(workbook)[1:-2] == list(tables)
    # The figures of LSAT section 7 that Bock and Lieberman published.
    for rows in (tables["Quiz Statistics"], workbook["Quiz Statistics"][1:]):
        values = {row[0]: row[1] for row in rows}
        assert (values["n"], values["mean"]) == (1000, 3.707)
        assert values["alpha"] == pytest.approx(0.453409, abs=5e-7)
        assert values["standard_deviation_population"] == pytest.approx(1.197978, abs=5e-7)
    facilities = [row[3] for row in tables["Question Statistics"] if row[2] == "facility"]
    assert facilities == [0.828, 0.658, 0.772, 0.606, 0.843]
    assert not any("supplements" in json.loads(files(kind, ReportFormat.JSON)) for kind in KINDS[2:])


def test_provenance_counts_the_attempts_of_the_rows(files: Files) -> None:
    for kind in KINDS:
        report = json.loads(files(kind, ReportFormat.JSON))
        attempts = report["provenance"]["attempts"]
        if kind.report_type is ReportType.STUDENT_ANALYSIS:
            assert attempts["counted"] == len(report["rows"])
        pushed = sample_files()[f"{NAMES[kind.quiz_id]}_submissions.json"]["quiz_submissions"]
        # An untaken row holds no attempt.
        total = sum(row["workflow_state"] != "untaken" for row in pushed)
        assert attempts["counted"] + sum(entry["count"] for entry in attempts["left_out"]) == total


NAMES = {201: "lsat", 202: "cells", 203: "survey"}

# What differs from file to file of the same data: the time of the data, and the release of the program.
MUTABLE = re.compile(rb'"generated_at":"[^"]*"|"software":"[^"]*"')


def lasting(report_format: ReportFormat, content: bytes) -> bytes:
    """Return what of a file is the same whenever it is made from the same data."""
    if report_format is ReportFormat.JSON:
        return MUTABLE.sub(b"", content)
    if report_format is ReportFormat.XLSX:
        # The compressed bytes depend on zlib, and the last sheet tells when it was made.
        *lasting_sheets, _ = sheets(content).items()
        return repr(lasting_sheets).encode()
    return content


def test_no_file_changes_unless_the_version_of_its_report_type_does(files: Files) -> None:
    found: dict[str, dict[str, Any]] = {
        report_type.value: {"version": TYPES[report_type].version} for report_type in PUBLIC_TYPES
    }
    for report_type, report_format in ((kind, form) for kind in PUBLIC_TYPES for form in TYPES[kind].formats):
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
