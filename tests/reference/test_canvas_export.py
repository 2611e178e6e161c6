"""An untouched Canvas export of an anonymous survey, taken apart and made again byte for byte."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.attempt_frames import STUDENT_ATTEMPTS, as_csv, attempt_frame
from tests.reference import DATA
from workers.analysis.frames import Column, ColumnKind, Item, Option, frame_of
from workers.analysis.student_analysis import StudentAnalysis, StudentAnalysisOptions

Line = list[str | None]

CHOICE_QUESTIONS = 7
QUESTIONS = 9
BEFORE_QUESTIONS = 5


@pytest.fixture
def export() -> bytes:
    return (DATA / "anonymous_survey_student_analysis.csv").read_bytes()


def parsed(content: str) -> Iterator[Line]:
    """Yield the lines of a CSV file; a field that is nothing is None, a quoted one is never."""
    line: Line = []
    position = 0
    while position < len(content):
        if content[position] == '"':
            text = ""
            while True:
                end = content.index('"', position + 1)
                text += content[position + 1 : end]
                position = end + 1
                if content[position] != '"':
                    break
                text += '"'
            line.append(text)
        else:
            end = min(
                index for index in (content.find(",", position), content.find("\n", position)) if index >= 0
            )
            line.append(content[position:end] or None)
            position = end
        if content[position] == "\n":
            yield line
            line = []
        position += 1


def test_the_parser_keeps_null_and_the_empty_string_apart() -> None:
    assert list(parsed('a,,""\n"b,""c""\n",\nd\n')) == [["a", None, ""], ['b,"c"\n', None], ["d"]]


def test_the_export_parsed_and_written_again_is_the_export(export: bytes) -> None:
    header, *rows = parsed(export.decode())
    columns = [Column(name or "", ColumnKind.TEXT) for name in header]
    cells = [list(column) for column in zip(*rows, strict=True)]

    assert len(rows) == 13
    assert as_csv(columns, frame_of(columns, cells)).encode() == export


def questions_of(header: Line, rows: list[Line]) -> list[Item]:
    """The survey's questions; the answers of the choice questions are the cells that occur."""
    questions = []
    for index in range(QUESTIONS):
        column = BEFORE_QUESTIONS + 2 * index
        question_id, title = (header[column] or "").split(": ", 1)
        is_choice = index < CHOICE_QUESTIONS
        chosen = sorted({line[column] or "" for line in rows}) if is_choice else []
        answers = tuple(Option(100 * index + rank, text, 0.0) for rank, text in enumerate(chosen))
        points = float(header[column + 1] or "")
        questions.append(Item(int(question_id), title, points, index, is_choice, answers))
    return questions


def attempt_of(line: Line, questions: list[Item]) -> dict[str, Any]:
    """The attempt that a line of the export was made from."""
    section, section_id, section_sis_id, submitted, attempt = line[:BEFORE_QUESTIONS]
    cells = line[BEFORE_QUESTIONS:-3:2]
    chosen = [
        next((answer.id for answer in question.options if answer.text == cell), None)
        for question, cell in zip(questions, cells, strict=True)
    ]
    finished_at = datetime.strptime(submitted or "", "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    return {
        "section": section,
        "section_id": section_id,
        "section_sis_id": section_sis_id,
        "logged_out": False,
        "finished_at": finished_at,
        "attempt": int(attempt or ""),
        "question_set_id": 1,
        "answer_ids": chosen,
        "texts": [cell if answer is None else None for cell, answer in zip(cells, chosen, strict=True)],
        "points": [float(points or "") for points in line[BEFORE_QUESTIONS + 1 : -3 : 2]],
        "n_correct": int(line[-3] or ""),
        "n_incorrect": int(line[-2] or ""),
        "score": float(line[-1] or ""),
    }


def test_the_export_made_again_from_its_attempts_is_the_export(export: bytes) -> None:
    header, *rows = parsed(export.decode())
    questions = questions_of(header, rows)
    attempts = attempt_frame([attempt_of(line, questions) for line in rows], STUDENT_ATTEMPTS)
    options = StudentAnalysisOptions(
        includes_all_versions=True, includes_sis_ids=True, includes_root_accounts=False, anonymous=True
    )
    analysis = StudentAnalysis(options, questions, {1: questions})

    assert as_csv(analysis.columns, analysis.rows(attempts)).encode() == export
