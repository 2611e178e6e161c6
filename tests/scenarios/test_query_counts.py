"""Listing reports, requesting one that is current, and making a small one cost the same for any quiz."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from models.db.session import Database
from models.settings import Settings
from tests.everyday import REPORT_TYPES, Everyday, open_everyday
from tests.school import School, Size
from tests.statements import statements_of
from workers.extract.snapshot import SnapshotConnection

SMALL, LARGE = Size(students=10, questions=2), Size(students=2_000, questions=2)
# The caller (of a POST before its body is received); the course, the quiz and the caller's roles; then a
# report of each type, or the lock of the variant, and its newest report with quiz and course as they are
# under the lock. A job is queued by one statement more, which returns its report.
INDEX_STATEMENTS, REUSE_STATEMENTS, QUEUE_STATEMENTS = 4, 4, 5
# The claim and the finish; the quiz, the selection, the questions, the attempts and the sections.
JOB_STATEMENTS, SNAPSHOT_STATEMENTS = 2, 5


@pytest.fixture(scope="module")
def quizzes(migrated_database: Database, module_settings: Settings) -> Iterator[list[Everyday]]:
    """A small and a larger quiz, each with both reports made; a test may request further ones."""
    school = School(migrated_database.url)
    with ExitStack() as opened:
        quizzes = [
            opened.enter_context(
                open_everyday(module_settings, migrated_database, school, school.add_quiz(size), size)
            )
            for size in (SMALL, LARGE)
        ]
        for quiz in quizzes:
            for report_type in REPORT_TYPES:
                quiz.make(quiz.request(report_type))
            # The first list makes the rows that are missing; from then on it only reads.
            quiz.list_reports()
        yield quizzes


def test_the_list_takes_a_fixed_number_of_statements(quizzes: list[Everyday]) -> None:
    counts = [len(statements_of(quiz.list_reports)) for quiz in quizzes]

    assert counts == [INDEX_STATEMENTS, INDEX_STATEMENTS]


def test_a_current_report_is_found_by_a_fixed_number_of_statements(quizzes: list[Everyday]) -> None:
    counts = [len(statements_of(partial(quiz.request, "student_analysis"))) for quiz in quizzes]

    assert counts == [REUSE_STATEMENTS, REUSE_STATEMENTS]


def test_a_job_is_queued_by_a_fixed_number_of_statements(quizzes: list[Everyday]) -> None:
    ask = [partial(quiz.request, "student_analysis", all_versions=False) for quiz in quizzes]

    assert [len(statements_of(request)) for request in ask] == [QUEUE_STATEMENTS, QUEUE_STATEMENTS]


def reuse_item_analysis(quiz: Everyday) -> None:
    quiz.request("item_analysis")


@pytest.mark.parametrize("action", [Everyday.list_reports, reuse_item_analysis])
def test_no_statement_touches_attempts(quizzes: list[Everyday], action: Callable[[Everyday], Any]) -> None:
    for quiz in quizzes:
        assert [sql for sql in statements_of(partial(action, quiz)) if "attempts" in sql] == []


def test_a_small_report_is_made_by_a_fixed_number_of_statements(
    quizzes: list[Everyday], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, reads = SnapshotConnection.read, []

    def noted(connection: SnapshotConnection, sql: str, expected_rows: int = 1) -> Any:
        reads.append(sql)
        return read(connection, sql, expected_rows)

    monkeypatch.setattr(SnapshotConnection, "read", noted)
    another = replace(quizzes[0], quiz_id=quizzes[0].school.add_quiz(SMALL))
    report = another.request("student_analysis")

    assert len(statements_of(partial(another.make, report))) == JOB_STATEMENTS
    assert len(reads) == SNAPSHOT_STATEMENTS
