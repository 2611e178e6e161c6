"""XLSX: a workbook with typed cells, in which no text is ever a formula.

The first sheet has the rows of the report, below short names of the columns, each of them once. If columns
belong to questions, a second row has the question's text, or the points possible, and a further sheet has a
row for each response. The supplements of the report, the meaning of each column and where the figures come
from have sheets of their own. A table with more rows than a sheet holds goes on in the next sheet; what a
cell or a row cannot hold raises DoesNotFitError.

XlsxWriter keeps one row of each sheet in memory, and the others in files of a temporary folder, which is
removed at the end.
"""

import datetime
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Final

from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileSizeError
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from workers.analysis import cells
from workers.analysis.frames import Column, ColumnKind, Table
from workers.analysis.provenance import Provenance
from workers.formats.limits import DoesNotFitError

MOST_ROWS: Final = 1_048_576
MOST_COLUMNS: Final = 16_384
MOST_CHARACTERS: Final = 32_767
# Spreadsheets keep fifteen digits of a number, so a longer id is a text.
_LEAST_LONG_INTEGER: Final = 10**15

_FOLDER: Final = "quiz-reports-xlsx-"
# Longer than any job may run: a killed worker has left the folder.
_ABANDONED_AFTER_SECONDS: Final = 24 * 3600
_PART_BYTES: Final = 2**20
# Rows of fifty questions take a second or so.
_ROWS_AT_ONCE: Final = 100
_WIDTH: Final = 16

_MEANING: Final = (
    Column("Column", ColumnKind.TEXT),
    Column("Name in the CSV file", ColumnKind.TEXT),
    Column("Kind", ColumnKind.TEXT),
    Column("Meaning", ColumnKind.TEXT),
)
_FACTS: Final = (Column("About", ColumnKind.TEXT), Column("Value", ColumnKind.TEXT))


def write(table: Table, provenance: Provenance, *, most_rows: int = MOST_ROWS) -> Iterator[bytes]:
    """Yield the workbook after all rows are read; until then, yield an empty part whenever some are written.

    A sheet has at most ``most_rows`` rows. Raises DoesNotFitError if a spreadsheet cannot hold the report,
    and ValueError for numbers that are not finite.
    """
    _remove_abandoned_folders()
    with tempfile.TemporaryDirectory(prefix=_FOLDER) as folder:
        path = Path(folder, "report.xlsx")
        workbook = Workbook(path, {"constant_memory": True, "tmpdir": folder})
        try:
            yield from _Sheets(workbook, most_rows).write(table, provenance)
        except BaseException:
            # There is no other way to close its files.
            workbook.close()
            raise
        yield from _packed(workbook)
        with path.open("rb") as file:
            while part := file.read(_PART_BYTES):
                yield part


class _Sheets:
    """Writes the sheets of a workbook."""

    def __init__(self, workbook: Workbook, most_rows: int) -> None:
        self._workbook = workbook
        self._most_rows = most_rows
        self._styles = _Styles(workbook)
        self._named: dict[str, Column] = {}

    def write(self, table: Table, provenance: Provenance) -> Iterator[bytes]:
        """Write all sheets, and yield an empty part whenever some rows are written."""
        made_at = _utc(provenance.generated_at)
        self._workbook.set_properties({"title": provenance.quiz_title, "created": made_at})
        yield from self._write_report(table)
        for title, supplement in table.supplements.items():
            sheet = self._sheet(title, supplement.columns)
            for frame in supplement.frames:
                yield from _written(sheet, cells.rows(supplement.columns, frame))
            sheet.end()
        definitions = [(name, c.name, c.kind.value, c.meaning) for name, c in self._named.items()]
        for title, columns, rows in (
            ("Definitions", _MEANING, definitions),
            ("About", _FACTS, list(_facts(provenance))),
        ):
            sheet = _SheetRows(self._workbook, self._styles, title, columns, self._most_rows)
            sheet.extend(rows)
            sheet.end()

    def _write_report(self, table: Table) -> Iterator[bytes]:
        report = self._sheet("Report", table.columns)
        responses = _Responses(table.columns)
        by_response = self._sheet("Responses", responses.columns) if responses.questions else None
        for frame in table.frames:
            rows = cells.rows(table.columns, frame)
            del frame
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                some, count = rows[start : start + _ROWS_AT_ONCE], report.count
                report.extend(some)
                if by_response is not None:
                    by_response.extend(responses.of(some, count))
                yield b""
            del rows
        report.end()
        if by_response is not None:
            by_response.end()

    def _sheet(self, title: str, columns: Sequence[Column]) -> "_SheetRows":
        self._named |= {_short_name(column): column for column in columns}
        return _SheetRows(self._workbook, self._styles, title, columns, self._most_rows)


class _Styles:
    """The formats of cells."""

    def __init__(self, workbook: Workbook) -> None:
        self.name: Format = workbook.add_format({"bold": True})
        self.question: Format = workbook.add_format({"italic": True, "text_wrap": True, "valign": "top"})
        self.integer: Format = workbook.add_format({"num_format": "0"})
        self.time: Format = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})


class _SheetRows:
    """The rows of a table, on as many sheets as they need."""

    def __init__(
        self, workbook: Workbook, styles: _Styles, title: str, columns: Sequence[Column], most_rows: int
    ) -> None:
        if len(columns) > MOST_COLUMNS:
            raise _does_not_fit(f"it has {len(columns):,} columns, and a sheet holds {MOST_COLUMNS:,}")
        self.count = 0
        self._workbook = workbook
        self._styles = styles
        self._title = title
        self._columns = columns
        self._most_rows = most_rows
        self._writers = [_writer(column, styles) for column in columns]
        self._sheets = 0
        self._begin()

    def extend(self, rows: Iterable[Sequence[cells.Cell]]) -> None:
        """Write rows."""
        for row in rows:
            if self._row == self._most_rows:
                self.end()
                self._begin()
            for n, value in enumerate(row):
                self._writers[n](self._sheet, self._row, n, value)
            self._row += 1
            self.count += 1

    def end(self) -> None:
        """Let the last row of the header filter the rows below it."""
        self._sheet.autofilter(self._header_rows - 1, 0, self._row - 1, len(self._columns) - 1)

    def _begin(self) -> None:
        self._sheets += 1
        title = self._title if self._sheets == 1 else f"{self._title} {self._sheets}"
        self._sheet: Worksheet = self._workbook.add_worksheet(title)
        self._sheet.set_column(0, len(self._columns) - 1, _WIDTH)
        for n, column in enumerate(self._columns):
            _write_text(self._sheet, 0, n, _short_name(column), self._styles.name)
        self._header_rows = 1
        if any(column.question_id is not None for column in self._columns):
            self._header_rows = 2
            for n, column in enumerate(self._columns):
                if column.question_id is not None:
                    _write_text(self._sheet, 1, n, column.name, self._styles.question)
        self._sheet.freeze_panes(self._header_rows, 1)
        self._row = self._header_rows


class _Responses:
    """A row for each response, from the rows of a report with columns for its questions."""

    def __init__(self, columns: Sequence[Column]) -> None:
        by_question: dict[int, dict[ColumnKind, int]] = {}
        for n, column in enumerate(columns):
            if column.question_id is not None:
                by_question.setdefault(column.question_id, {})[column.kind] = n
        self.questions = [
            (question_id, positions[ColumnKind.TEXT], positions[ColumnKind.NUMBER])
            for question_id, positions in by_question.items()
        ]
        self._respondent = [n for n, column in enumerate(columns) if column.name in {"name", "id", "attempt"}]
        self.columns = [
            Column("row", ColumnKind.INTEGER, meaning="The row of the report, from 1."),
            *(columns[n] for n in self._respondent),
            Column("question_id", ColumnKind.INTEGER, meaning="The question's id in the LMS."),
            Column("response", ColumnKind.TEXT, meaning="The response to the question."),
            Column("points", ColumnKind.NUMBER, meaning="The points given for the response."),
        ]

    def of(self, rows: Iterable[Sequence[cells.Cell]], count: int) -> Iterator[Sequence[cells.Cell]]:
        """Yield the responses of rows that follow ``count`` others.

        A question that an attempt did not have has none.
        """
        for number, row in enumerate(rows, count + 1):
            respondent = [row[n] for n in self._respondent]
            for question_id, response, points in self.questions:
                if row[points] is not None:
                    yield number, *respondent, question_id, row[response], row[points]


def _written(sheet: _SheetRows, rows: Sequence[Sequence[cells.Cell]]) -> Iterator[bytes]:
    """Write rows, and yield an empty part whenever some are written."""
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        sheet.extend(rows[start : start + _ROWS_AT_ONCE])
        yield b""


CellWriter = Callable[[Worksheet, int, int, Any], None]


def _writer(column: Column, styles: _Styles) -> CellWriter:
    """Return the function that writes a cell of a column."""

    def text(sheet: Worksheet, row: int, n: int, value: str | None) -> None:
        if value:
            _write_text(sheet, row, n, value)

    def integer(sheet: Worksheet, row: int, n: int, value: int) -> None:
        if abs(value) < _LEAST_LONG_INTEGER:
            sheet.write_number(row, n, value, styles.integer)
        else:
            sheet.write_string(row, n, str(value))

    def number(sheet: Worksheet, row: int, n: int, value: float) -> None:
        # Whole numbers of up to 15 digits are exact anyway.
        exact = value.is_integer() and abs(value) < _LEAST_LONG_INTEGER
        sheet.write_number(row, n, value if exact else _ExactFloat(value))

    def moment(sheet: Worksheet, row: int, n: int, value: datetime.datetime) -> None:
        sheet.write_datetime(row, n, value, styles.time)

    writers: Mapping[ColumnKind, CellWriter] = {
        ColumnKind.TEXT: text,
        ColumnKind.INTEGER: integer,
        ColumnKind.NUMBER: number,
        ColumnKind.TIME: moment,
    }
    write_value = writers[column.kind]

    def write_or_mark(sheet: Worksheet, row: int, n: int, value: Any) -> None:
        if value is not None:
            write_value(sheet, row, n, value)
        elif column.missing:
            sheet.write_string(row, n, column.missing)

    return write_or_mark


class _ExactFloat(float):
    """A float that XlsxWriter writes with all its digits, where it would round to 16."""

    def __format__(self, spec: str) -> str:
        """Return the shortest text that is read back as this number."""
        return float.__repr__(self)


def _write_text(sheet: Worksheet, row: int, n: int, text: str, style: Format | None = None) -> None:
    """Write a text as it is, or raise DoesNotFitError."""
    # Spreadsheets count the units of UTF-16, of which a character has at most two.
    if len(text) > MOST_CHARACTERS // 2 and (units := len(text.encode("utf-16-le")) // 2) > MOST_CHARACTERS:
        raise _does_not_fit(
            f"the text in row {row + 1}, column {n + 1} of the sheet {sheet.get_name()} has {units:,}"
            f" characters, and a cell holds {MOST_CHARACTERS:,}"
        )
    if text.startswith("<r>") and text.endswith("</r>"):
        # XlsxWriter would take it for the markup of a text in several styles, so it is given as one.
        sheet.write_rich_string(row, n, text[:1], text[1:2], text[2:])
    else:
        sheet.write_string(row, n, text, style)


def _does_not_fit(reason: str) -> DoesNotFitError:
    return DoesNotFitError(
        f"The report does not fit into a spreadsheet: {reason}. Request it as CSV or JSON instead."
    )


def _short_name(column: Column) -> str:
    """Return a name that is short, and that no other column has."""
    if column.question_id is None:
        return column.name
    return f"{column.question_id} {'response' if column.kind is ColumnKind.TEXT else 'points'}"


def _facts(provenance: Provenance) -> Iterator[tuple[str, str]]:
    """Yield what a workbook tells about where it comes from."""
    yield "Report", provenance.report_type
    yield "Course", str(provenance.course_id)
    yield "Quiz", f"{provenance.quiz_id}: {provenance.quiz_title}"
    yield "Every version", _yes_or_no(provenance.includes_all_versions)
    yield "SIS ids", _yes_or_no(provenance.includes_sis_ids)
    yield "Anonymous", _yes_or_no(provenance.anonymous)
    yield "Sections", ", ".join(map(str, provenance.section_ids)) or "all"
    yield "Attempts in the report", f"{provenance.attempts.counted}. {provenance.attempts.rule}"
    for left_out in provenance.attempts.left_out:
        yield "Attempts left out", f"{left_out.count}: {left_out.reason}"
    for convention in provenance.conventions:
        yield "Convention", convention
    yield "Revision of the quiz", str(provenance.quiz_revision)
    yield "Revision of the roster", str(provenance.roster_revision)
    yield "Version of the analysis", provenance.analysis_version
    yield "Made at", f"{_utc(provenance.generated_at):%Y-%m-%d %H:%M:%S} UTC"
    yield "Made by", provenance.software


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def _utc(moment: datetime.datetime) -> datetime.datetime:
    return moment.astimezone(datetime.UTC).replace(tzinfo=None)


def _packed(workbook: Workbook) -> Iterator[bytes]:
    """Pack a workbook, and yield an empty part every second."""
    with ThreadPoolExecutor(1) as pool:
        packing = pool.submit(workbook.close)
        while not packing.done():
            wait([packing], timeout=1)
            yield b""
        try:
            packing.result()
        except FileSizeError as error:
            raise _does_not_fit("one of its sheets takes more than 2 GiB") from error


def _remove_abandoned_folders() -> None:
    """Remove what killed workers have left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        try:
            age = time.time() - folder.stat().st_mtime
        except FileNotFoundError:
            continue
        if age > _ABANDONED_AFTER_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
