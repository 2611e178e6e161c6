"""A database that commits, and whose answer to that is lost on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from models.db.session import Database
from models.lms.courses import Course
from models.lms.quizzes import Quiz, QuizType, ScoringPolicy
from models.reports import jobs
from models.reports.requests import find_report
from models.reports.tables import QuizReport, ReportState
from models.reports.variants import ReportType, Variant
from tests.factories import request_variant
from workers.generation import generate
from workers.resources import Resources


@pytest.fixture
def report(database: Database) -> QuizReport:
    with database.transaction() as session:
        course = Course(id=101, name="Biology", roster_revision=1)
        session.add(course)
        session.flush()
        quiz = Quiz(
            id=201,
            course_id=101,
            title="Cells",
            quiz_type=QuizType.ASSIGNMENT,
            scoring_policy=ScoringPolicy.HIGHEST,
            revision=1,
        )
        session.add(quiz)
        session.flush()
        variant = Variant.of(quiz, ReportType.STUDENT_ANALYSIS, all_versions=False, sis_ids=False)
        return request_variant(session, variant).report


class LosesLastAnswer:
    """A database that has lost its connection when the statement by which a report ends was committed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def single_statement(self) -> Iterator[Session]:
        with self._database.single_statement() as session:
            yield session
            ended = session.scalar(text("SELECT state IN ('generated', 'failed') FROM quiz_reports"))
        # The claim is one, too.
        if ended:
            raise OperationalError("WITH quiz", {}, psycopg.OperationalError("the connection is lost"))


def test_an_object_is_kept_whose_row_may_have_been_committed(
    resources: Resources, database: Database, report: QuizReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(resources), "database", LosesLastAnswer(database))
    assert report.progress_id is not None
    generate(resources, report.id, report.progress_id)
    with database.transaction() as session:
        after = find_report(session, 201, report.id)
    assert after.state is ReportState.GENERATED
    assert after.file is not None
    assert resources.store.size(after.file.storage_key) == after.file.size
    with database.transaction() as session:
        assert jobs.unreferenced(session, [after.file.storage_key]) == []
