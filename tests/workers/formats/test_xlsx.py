"""Reports as workbooks: typed cells, no formula whatever the text, nothing cut silently."""

import io
import os
import tempfile
import time
import zipfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.provenance import PROVENANCE
from tests.workbooks import HOSTILE, sheets
from workers.analysis.frames import Column, ColumnKind, Table, frame_of
from workers.formats import xlsx
from workers.formats.limits import DoesNotFitError

COLUMNS = [
    Column("name", ColumnKind.TEXT, meaning="The respondent's name."),
    Column("id", ColumnKind.INTEGER, missing=""),
    Column("submitted", ColumnKind.TIME),
    Column("11: Why?", ColumnKind.TEXT, question_id=11),
    Column("1.0", ColumnKind.NUMBER, question_id=11, missing=""),
    Column("12: Which?", ColumnKind.TEXT, question_id=12),
    Column("1.0", ColumnKind.NUMBER, question_id=12, missing=""),
    Column("Alpha", ColumnKind.NUMBER, missing="N/A"),
]
ANN = ("Ann Lee", 7, "2026-09-10T09:12:31.9Z", "because", 0.1 + 0.2, "A", 1.0, 0.5)
BO = ("", None, None, "", 0.0, "", None, None)

DTYPES: Any = {ColumnKind.TEXT: "str", ColumnKind.INTEGER: "Int64", ColumnKind.NUMBER: "float64"}


def frame(*rows: Sequence[Any]) -> pd.DataFrame:
    cells = zip(COLUMNS, zip(*rows, strict=True), strict=True)
    return frame_of(
        COLUMNS,
        [
            pd.to_datetime(pd.Series(values))
            if column.kind is ColumnKind.TIME
            else pd.array(list(values), dtype=DTYPES[column.kind])
            for column, values in cells
        ],
    )


def workbook(*frames: pd.DataFrame, supplements: dict[str, Table] | None = None, **options: Any) -> bytes:
    table = Table(COLUMNS, iter(frames), supplements or {})
    return b"".join(xlsx.write(table, PROVENANCE, **options))


def xml(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_cells_keep_their_types_and_their_digits() -> None:
    _, _, ann, bo = sheets(workbook(frame(ANN, BO)))["Report"]

    moment = datetime(2026, 9, 10, 9, 12, 31)  # noqa: DTZ001 - spreadsheets have no time zones.
    assert ann == ["Ann Lee", 7, moment, "because", 0.1 + 0.2, "A", 1.0, 0.5]
    assert bo == ["", "", "", "", 0.0, "", "", "N/A"]


def test_the_header_has_short_unique_names_and_below_them_the_questions() -> None:
    names, questions, *_ = sheets(workbook(frame(ANN)))["Report"]

    assert names == [
        "name",
        "id",
        "submitted",
        "11 response",
        "11 points",
        "12 response",
        "12 points",
        "Alpha",
    ]
    assert questions == ["", "", "", "11: Why?", "1.0", "12: Which?", "1.0", ""]


def test_the_header_is_frozen_and_filters_the_rows() -> None:
    sheet = xml(workbook(frame(ANN, BO)))["xl/worksheets/sheet1.xml"]

    assert 'ySplit="2" topLeftCell="B3"' in sheet
    assert '<autoFilter ref="A2:H4"/>' in sheet


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_stays_what_it_is(text: str) -> None:
    content = workbook(frame((text, 7, None, text, 1.0, text, 1.0, None)))
    row = sheets(content)["Report"][2]
    report = xml(content)["xl/worksheets/sheet1.xml"]

    assert [row[0], row[3], row[5]] == [text] * 3
    assert "<f>" not in report
    assert "hyperlink" not in report


def test_a_long_id_is_a_text_so_that_it_keeps_its_digits() -> None:
    rows = sheets(workbook(frame(*(("", id_, None, "", None, "", None, None) for id_ in LONG_IDS))))["Report"]

    assert [row[1] for row in rows[2:]] == [10**15 - 1, str(10**15), str(2**63 - 1), str(-(2**63))]


LONG_IDS = [10**15 - 1, 10**15, 2**63 - 1, -(2**63)]


def test_each_response_has_a_row_but_not_a_question_that_the_attempt_did_not_have() -> None:
    assert sheets(workbook(frame(ANN), frame(BO)))["Responses"] == [
        ["row", "name", "id", "question_id", "response", "points"],
        [1, "Ann Lee", 7, 11, "because", 0.1 + 0.2],
        [1, "Ann Lee", 7, 12, "A", 1.0],
        [2, "", "", 11, "", 0.0],
    ]


def test_definitions_say_what_each_column_holds() -> None:
    header, first, *rows = sheets(workbook(frame(ANN)))["Definitions"]

    assert header == ["Column", "Name in the CSV file", "Kind", "Meaning"]
    assert first == ["name", "name", "text", "The respondent's name."]
    assert ["11 points", "1.0", "number", ""] in rows
    assert len({row[0] for row in rows}) == len(rows)


def test_provenance_tells_where_the_figures_come_from() -> None:
    facts = sheets(workbook(frame(ANN)))["About"]

    assert ["Sections", "31, 32"] in facts
    assert ["Attempts left out", "1: previews"] in facts
    assert ["Made at", "2026-09-10 09:30:00 UTC"] in facts


def test_a_supplement_is_read_after_the_report_and_has_a_sheet() -> None:
    read = []

    def frames() -> Any:
        read.append("report")
        yield frame(ANN)

    def options() -> Any:
        read.append("options")
        yield frame_of(OPTIONS, [["A", "B"]])

    table = Table(COLUMNS, frames(), {"Options": Table(OPTIONS, options())})
    content = b"".join(xlsx.write(table, PROVENANCE))

    assert read == ["report", "options"]
    assert sheets(content)["Options"] == [["Option"], ["A"], ["B"]]


def test_an_empty_part_follows_every_hundred_rows_of_a_supplement() -> None:
    read = []

    def options() -> Any:
        for number in range(2):
            read.append(number)
            yield frame_of(OPTIONS, [["A"] * 250])

    parts = xlsx.write(Table(COLUMNS, iter([]), {"Options": Table(OPTIONS, options())}), PROVENANCE)

    assert [(next(parts), read[-1]) for _ in range(6)] == [*[(b"", 0)] * 3, *[(b"", 1)] * 3]


OPTIONS = [Column("Option", ColumnKind.TEXT)]


def test_more_rows_than_a_sheet_holds_go_on_in_the_next() -> None:
    found = sheets(workbook(frame(*[ANN] * 5), most_rows=4))

    assert [len(found[name]) for name in ("Report", "Report 2", "Report 3")] == [4, 4, 3]
    assert found["Report"][:2] == found["Report 2"][:2] == found["Report 3"][:2]
    # Of ten responses, three on each sheet.
    assert [row[0] for name, rows in found.items() if name.startswith("Responses") for row in rows[1:]] == [
        number for number in range(1, 6) for _ in range(2)
    ]


@pytest.mark.parametrize("character", ["a", "👍"])
def test_a_text_that_a_cell_cannot_hold_is_refused_with_what_to_do(character: str) -> None:
    units = len(character.encode("utf-16-le")) // 2
    longest = character * (xlsx.MOST_CHARACTERS // units)
    assert sheets(workbook(frame((longest, *ANN[1:]))))["Report"][2][0] == longest

    with pytest.raises(DoesNotFitError, match=r"row 3, column 1 of the sheet Report has 32,76[89] char"):
        workbook(frame((longest + character, *ANN[1:])))


def test_more_columns_than_a_sheet_holds_are_refused() -> None:
    columns = [Column(f"c{n}", ColumnKind.TEXT) for n in range(xlsx.MOST_COLUMNS + 1)]

    with pytest.raises(DoesNotFitError, match=r"it has 16,385 columns.* Request it as CSV or JSON instead"):
        list(xlsx.write(Table(columns, iter([])), PROVENANCE))


@pytest.fixture
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_no_temporary_file_is_left(temporary_folder: Path) -> None:
    workbook(frame(ANN))
    assert not list(temporary_folder.iterdir())

    with pytest.raises(DoesNotFitError):
        workbook(frame(("a" * 40_000, *ANN[1:])))
    assert not list(temporary_folder.iterdir())

    parts = xlsx.write(Table(COLUMNS, iter([frame(ANN)])), PROVENANCE)
    assert next(parts) == b""
    assert list(temporary_folder.iterdir())
    parts.close()  # type: ignore[attr-defined]
    assert not list(temporary_folder.iterdir())


def test_what_killed_workers_have_left_is_removed_after_a_day(temporary_folder: Path) -> None:
    abandoned, recent = (temporary_folder / f"quiz-reports-xlsx-{n}" for n in (1, 2))
    for folder in (abandoned, recent):
        folder.mkdir()
    yesterday = time.time() - 25 * 3600
    os.utime(abandoned, (yesterday, yesterday))
    workbook(frame(ANN))

    assert list(temporary_folder.iterdir()) == [recent]
