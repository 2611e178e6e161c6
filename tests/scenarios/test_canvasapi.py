"""The Python client that people use with Canvas, unmodified, walks from a course to a report's bytes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import canvasapi
import pytest
from canvasapi.exceptions import (
    BadRequest,
    Conflict,
    Forbidden,
    InvalidAccessToken,
    ResourceDoesNotExist,
    UnprocessableEntity,
)
from canvasapi.file import File
from canvasapi.quiz import Quiz
from sqlalchemy import select

from api.app import create_app
from api.services import Services
from models.reports.tables import QuizReport, ReportState
from tests import serving
from tests.factories import COURSE_ID, CSV, QUIZ_ID, SIS_COURSE_ID, SURVEY_ID, Api
from tests.waiting import wait_for
from workers.generation import generate
from workers.resources import Resources

pytestmark = pytest.mark.filterwarnings("ignore:Canvas may respond unexpectedly:UserWarning")


@pytest.fixture
def served(api: Api) -> Iterator[Api]:
    """An application that is reached over a socket, below its own address."""
    settings = replace(api.settings, public_url="")
    app = create_app(settings)
    with serving.served(app) as app.config["ADDRESS"]:
        yield replace(api, app=app, settings=settings)
    Services.of(app).close()


def canvas(api: Api, caller: str = "teacher") -> canvasapi.Canvas:
    return canvasapi.Canvas(api.app.config["ADDRESS"], api.tokens.get(caller, caller))


def quiz(api: Api, caller: str = "teacher") -> Quiz:
    return canvas(api, caller).get_course(COURSE_ID).get_quiz(QUIZ_ID)


@pytest.mark.contract("1 Routes", "an unmodified client walks from a course to the bytes")
def test_from_a_course_to_the_bytes(served: Api, tmp_path: Path) -> None:
    course = canvas(served).get_course(SIS_COURSE_ID, use_sis_id=True)
    assert course.get_quizzes()[0].id == QUIZ_ID
    report = course.get_quiz(QUIZ_ID).create_report("student_analysis")
    progress = canvas(served).get_progress(report.progress_url.rsplit("/", 1)[1])
    assert (progress.workflow_state, progress.completion) == ("queued", 0)

    served.finish(report.id)

    assert progress.query().workflow_state == "completed"
    shown = quiz(served).get_quiz_report(report.id)
    file = File(shown._requester, shown.file)
    file.download(str(tmp_path / "report.csv"))
    assert (tmp_path / "report.csv").read_bytes() == CSV
    assert file.get_contents() == CSV.decode()
    assert file.get_contents(binary=True) == CSV
    assert canvas(served).get_file(file.id).size == len(CSV)


@pytest.mark.contract("1 Routes", "an unmodified client walks from a course to the bytes")
def test_list_request_again_and_remove(served: Api) -> None:
    listed = list(quiz(served).get_all_quiz_reports())
    assert [report.report_type for report in listed] == ["student_analysis", "item_analysis"]
    report = quiz(served).create_report("item_analysis", quiz_report={"includes_all_versions": True})
    assert report.id == listed[1].id
    assert report.abort_or_delete() is True
    assert not hasattr(quiz(served).get_quiz_report(report.id), "progress_url")


def test_each_refusal_is_its_own_exception(served: Api) -> None:
    with pytest.raises(InvalidAccessToken):
        canvas(served, "nonsense").get_course(COURSE_ID)
    with pytest.raises(Forbidden):
        quiz(served, "student")
    with pytest.raises(ResourceDoesNotExist):
        quiz(served).get_quiz_report(999)
    with pytest.raises(BadRequest):
        canvas(served).get_course(COURSE_ID).get_quiz(SURVEY_ID).create_report("item_analysis")
    report = quiz(served).create_report("item_analysis")
    with pytest.raises(Conflict):
        quiz(served).create_report("item_analysis")
    served.start(report.id)
    with pytest.raises(UnprocessableEntity):
        report.abort_or_delete()


@pytest.mark.contract("1 Statistics", "both forms of Accept, a list of one")
def test_statistics_and_what_is_read_next_to_them(served: Api, resources: Resources) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(lambda: list(quiz(served).get_statistics()))
        report = wait_for(lambda: _live_report(served))
        assert report.progress_id is not None
        generate(resources, report.id, report.progress_id)
        [statistics] = waiting.result()

    assert (statistics.id, statistics.quiz_id) == (report.id, QUIZ_ID)
    assert statistics.question_statistics == []
    assert statistics.submission_statistics["unique_count"] == 0
    assert [section.name for section in canvas(served).get_course(COURSE_ID).get_sections()] == ["Section A"]
    assert list(quiz(served).get_questions()) == []
    assert list(quiz(served).get_submissions()) == []


def _live_report(api: Api) -> QuizReport | None:
    with api.database.transaction() as session:
        return session.scalars(select(QuizReport).where(QuizReport.state == ReportState.QUEUED)).first()
