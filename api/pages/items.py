"""The page of the item analysis: what the document of the statistics contains, in words and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from flask import Blueprint, redirect, request
from sqlalchemy.orm import Session
from werkzeug import Response

from api.auth import QuizAccess
from api.errors import TooManySectionsError
from api.links import links
from api.pages.charts import Axes, Point, item_scatter, score_histogram
from api.pages.item_views import SORTS, ItemView, QuizView, quiz_view
from api.pages.rendering import PageTexts, isolated, page_response
from api.pages.sign_in import require_form_token, signed_in, signed_in_to_poll
from api.params import object_id_or_none
from api.services import services
from api.statistics_documents import find_statistics, read_document, request_statistics
from models.lms.courses import FirstSections, Section, first_sections
from models.lms.quizzes import Quiz
from models.reports.requests import find_newest, find_newest_files
from models.reports.tables import QuizReport
from models.reports.variants import MOST_SECTIONS, AttemptChoice, ReportType, Variant, is_generatable

items = Blueprint("items", __name__)

_MOST_CHARACTERS_OF_A_DOT: Final = 80
_ATTEMPTS: Final = {
    AttemptChoice.FIRST: "The first attempt of each student",
    AttemptChoice.LAST: "The last attempt of each student",
    AttemptChoice.KEPT: "The attempt of each student that counts",
}


class _Statistics(msgspec.Struct):
    """As much of the document as the page shows."""

    psychometrics: dict[str, Any]


@dataclass(frozen=True)
class Choices:
    """What the reader chose to see; anything else in the query is ignored."""

    sort: str
    attempts: AttemptChoice
    section_ids: frozenset[int]
    only_findings: bool

    @classmethod
    def of_request(cls) -> Choices:
        """Read the choices from the query; raises TooManySectionsError for more than a report may name."""
        named = {object_id_or_none(text) for text in request.args.getlist("section_ids")}
        section_ids = frozenset(section_id for section_id in named if section_id is not None)
        if len(section_ids) > MOST_SECTIONS:
            raise TooManySectionsError
        attempts = request.args.get("attempts", "")
        sort = request.args.get("sort", "")
        return cls(
            sort if sort in SORTS else "position",
            next((choice for choice in _ATTEMPTS if choice == attempts), AttemptChoice.FIRST),
            section_ids,
            request.args.get("findings") == "1",
        )

    def among(self, sections: Sequence[Section]) -> Choices:
        """Return the choices without what is no section of the course."""
        return replace(self, section_ids=self.section_ids & {section.id for section in sections})

    @property
    def query(self) -> str:
        """The query that names these choices."""
        named = {
            "sort": self.sort,
            "attempts": self.attempts,
            "section_ids": sorted(self.section_ids),
            "findings": ["1"] if self.only_findings else [],
        }
        return urlencode(named, doseq=True)

    def variant(self, quiz: Quiz) -> Variant:
        """Return the variant of the statistics that shows them."""
        return Variant.of_statistics(
            quiz, all_versions=False, section_ids=self.section_ids, attempt_choice=self.attempts
        )


@items.get("/items")
def index(course_id: str, quiz_id: str) -> Response:
    """Show the item analysis, how far it is, or why it could not be computed.

    While newer statistics are being computed, or if that failed, the last ones are shown.
    """
    with services().database.transaction() as session:
        context = signed_in(session, course_id)
        found = context.quiz(course_id, quiz_id)
        if not is_generatable(ReportType.ITEM_ANALYSIS, found.quiz.quiz_type):
            return page_response("items_of_survey.html", found)
        choices, listed = _choices(session, found)
        variant = choices.variant(found.quiz)
        requested = find_statistics(context, found, variant)
        earlier = None if requested.report.file else _find_earlier(session, variant)
    services().publisher.send(requested.message)
    shown = earlier or requested.report
    progress = {"report": requested.report, "earlier": earlier, "query": choices.query}
    if shown.file is None:
        return page_response("items_wait.html", found, **progress)
    psychometrics = read_document(shown.file, _Statistics).psychometrics
    return _page(found, listed, choices, quiz_view(psychometrics), progress)


@items.get("/items/progress")
def progress(course_id: str, quiz_id: str) -> Response:
    """Write how far the statistics are, for the open page that waits for them; this requests nothing."""
    with services().database.reading() as session:
        found = signed_in_to_poll(session, course_id).quiz(course_id, quiz_id)
        choices, _ = _choices(session, found)
        variant = choices.variant(found.quiz)
        report = find_newest(session, variant)
        earlier = _find_earlier(session, variant) if request.args.get("shown") else None
    return page_response("items_progress.html", found, report=report, earlier=earlier, query=choices.query)


@items.post("/items")
def compute_again(course_id: str, quiz_id: str) -> Response:
    """Queue the job of statistics that could not be computed again, and show how far it is."""
    require_form_token(course_id)
    with services().database.transaction() as session:
        context = signed_in(session, course_id)
        found = context.quiz(course_id, quiz_id)
        choices, _ = _choices(session, found)
        requested = request_statistics(context, found, choices.variant(found.quiz))
    services().publisher.send(requested.message)
    return redirect(f"{links().quiz_page(found.quiz)}/items?{choices.query}", 303)


def _choices(session: Session, found: QuizAccess) -> tuple[Choices, FirstSections]:
    """Read what the reader chose, and the sections to choose from."""
    choices = Choices.of_request()
    listed = first_sections(session, found.course.id, chosen=choices.section_ids, most=MOST_SECTIONS)
    return choices.among(listed.sections), listed


def _find_earlier(session: Session, variant: Variant) -> QuizReport | None:
    """Find the newest statistics that have a file, if the analysis that made it is today's."""
    newest = find_newest_files(session, [variant]).get(variant)
    version = variant.analysis_version(formula_guard=services().settings.formula_guard)
    return newest if newest is not None and newest.analysis_version == version else None


def _page(
    found: QuizAccess,
    listed: FirstSections,
    choices: Choices,
    view: QuizView,
    progress: Mapping[str, Any],
) -> Response:
    texts = PageTexts.of_request()
    mean, median = view.content["mean_percent"]["value"], view.content["median_percent"]["value"]
    charts: dict[str, Any] = {}
    if mean is not None and median is not None:
        axes = Axes(texts.translate("Percent of the points"), texts.translate("Students"), texts.number)
        charts["histogram"] = score_histogram(view.content["score_distribution"], [mean, median], axes)
    shown = view.shown(choices.sort, only_findings=choices.only_findings)
    shown_anchors = {item.anchor for item in shown}
    unfiltered = f"{links().quiz_page(found.quiz)}/items?{replace(choices, only_findings=False).query}"

    def address(item: ItemView) -> str:
        return f"#{item.anchor}" if item.anchor in shown_anchors else f"{unfiltered}#{item.anchor}"

    points = [point for item in view.items if (point := _point(item, address(item))) is not None]
    if points:
        axes = Axes(
            texts.translate("Difficulty: the mean share of the points"),
            texts.translate("Discrimination"),
            texts.number,
        )
        charts["scatter"] = item_scatter(points, axes)
    return page_response(
        "items.html",
        found,
        view=view,
        shown=shown,
        address=address,
        choices=choices,
        listed=listed,
        sorts=SORTS,
        attempt_titles=_ATTEMPTS,
        words=texts.words,
        **charts,
        **progress,
    )


def _point(item: ItemView, address: str) -> Point | None:
    x, y = item.value("facility"), item.value("item_rest_correlation")
    if x is None or y is None:
        return None
    name = item.content["title"][:_MOST_CHARACTERS_OF_A_DOT]
    return Point(x, y, f"{item.number}. {isolated(name)}", address, item.has_finding)
