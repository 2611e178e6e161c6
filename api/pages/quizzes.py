"""The page of a course's quizzes: a line for each, with figures of its statistics where there are any."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from flask import Blueprint
from markupsafe import Markup
from werkzeug import Response

from api.auth import CourseAccess
from api.errors import NotReadyError
from api.links import links
from api.pages.charts import score_bars
from api.pages.rendering import course_page_response
from api.pages.sign_in import signed_in
from api.params import page
from api.services import services
from api.statistics_documents import read_document
from models.lms.quizzes import Quiz, count_quizzes, list_quizzes
from models.reports.requests import find_newest_files
from models.reports.tables import File, QuizReport
from models.reports.variants import ReportType, Variant, is_generatable

quizzes = Blueprint("quizzes", __name__)


class _Figure(msgspec.Struct):
    value: float | None


class _Quiz(msgspec.Struct):
    n: int
    mean_percent: _Figure
    alpha: _Figure
    score_distribution: dict[str, int]


class _Finding(msgspec.Struct):
    rank: str


class _Psychometrics(msgspec.Struct):
    quiz: _Quiz
    findings: list[_Finding]


class _Statistics(msgspec.Struct):
    psychometrics: _Psychometrics


@dataclass(frozen=True)
class QuizFigures:
    """What a line shows of a quiz's statistics; the mean is a share of the points."""

    n: int
    mean: float | None
    alpha: float | None
    findings: int
    chart: Markup

    @classmethod
    def of_statistics(cls, document: _Statistics) -> QuizFigures:
        """Pick the figures from the statistics of a quiz."""
        quiz, percent = document.psychometrics.quiz, document.psychometrics.quiz.mean_percent.value
        return cls(
            quiz.n,
            None if percent is None else percent / 100,
            quiz.alpha.value,
            sum(finding.rank == "finding" for finding in document.psychometrics.findings),
            score_bars(quiz.score_distribution),
        )


@dataclass(frozen=True)
class QuizRow:
    """A quiz of the list; without figures if its statistics were not computed."""

    quiz: Quiz
    url: str
    has_item_analysis: bool
    is_current: bool
    figures: QuizFigures | None


@quizzes.get("/quizzes")
def index(course_id: str) -> Response:
    """Show a page of a course's quizzes."""
    requested = page()
    with services().database.reading() as session:
        found = signed_in(session, course_id).course(course_id)
        total = count_quizzes(session, found.course.id)
        listed = list_quizzes(session, found.course.id, offset=requested.offset, limit=requested.size)
        variants = [Variant.of_statistics(quiz, all_versions=False) for quiz in listed]
        newest = find_newest_files(session, variants)
    return course_page_response(
        "quizzes.html",
        found,
        rows=[_row(found, quiz, newest.get(variant)) for quiz, variant in zip(listed, variants, strict=True)],
        previous=requested.number - 1,
        next=requested.number + 1 if requested.offset + requested.size < total else None,
    )


def _row(found: CourseAccess, quiz: Quiz, report: QuizReport | None) -> QuizRow:
    has_item_analysis = is_generatable(ReportType.ITEM_ANALYSIS, quiz.quiz_type)
    return QuizRow(
        quiz,
        links().quiz_page(quiz),
        has_item_analysis,
        report is not None
        and report.is_current(quiz, found.course, formula_guard=services().settings.formula_guard),
        None if report is None or report.file is None or not has_item_analysis else _figures(report.file),
    )


def _figures(file: File) -> QuizFigures | None:
    try:
        return QuizFigures.of_statistics(read_document(file, _Statistics))
    except (NotReadyError, msgspec.ValidationError):
        # Its bytes are lost, or another release wrote it. It is made again when the item analysis is opened.
        return None
