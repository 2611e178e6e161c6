"""The statistics of a quiz as the workers made them: the current document, or a short wait for it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from api.auth import QuizAccess, RequestContext, authorized
from api.errors import NotReadyError
from api.params import StatisticsParams
from api.services import services
from models.errors import AlreadyBeingGeneratedError, NotFoundError
from models.lms.courses import require_sections
from models.lms.quizzes import Quiz
from models.reports.requests import find_newest, mark_file_lost, request_report
from models.reports.tables import File, JobMessage, QuizReport, ReportState
from models.reports.variants import Variant

WAIT_SECONDS: Final = 20.0
_FIRST_POLL_SECONDS: Final = 0.02
_SLOWEST_POLL_SECONDS: Final = 0.5

NOT_READY: Final = "The statistics are being computed. Please try again."


@dataclass(frozen=True)
class StatisticsDocument:
    """A document of statistics, with the report that it belongs to."""

    report: QuizReport
    quiz: Quiz
    content: bytes


def current_document(course_id: str, quiz_id: str, read_params: Any) -> StatisticsDocument:
    """Return the current statistics of a quiz; if there are none, queue a job and wait for a moment.

    At most two requests of a process wait, each up to 20 seconds and without a transaction. Raises
    NotReadyError if they are not there by then, or at once if two others are waiting.
    """
    found, report = _request(course_id, quiz_id, read_params)
    if report.file is None:
        report = _await_file(report)
    if report.file is None:
        raise NotReadyError(NOT_READY)
    return StatisticsDocument(report, found.quiz, read_document(report.file))


def request_statistics(
    context: RequestContext, found: QuizAccess, variant: Variant
) -> tuple[QuizReport, JobMessage | None]:
    """Find the current statistics of a variant, or those whose job is live, or queue a job.

    The message is to be published after the commit.
    """
    try:
        requested = request_report(
            context.session,
            found.course,
            found.quiz,
            variant,
            user_id=context.caller.user_id,
            formula_guard=services().settings.formula_guard,
            large_responses=services().settings.large_responses,
        )
    except AlreadyBeingGeneratedError:
        live = find_newest(context.session, variant)
        if live is None:
            raise NotReadyError(NOT_READY) from None
        return live, None
    return requested.report, requested.message


def _request(course_id: str, quiz_id: str, read_params: Any) -> tuple[QuizAccess, QuizReport]:
    with services().database.transaction() as session:
        context = authorized(session)
        found = context.quiz(course_id, quiz_id)
        params: StatisticsParams = read_params()
        require_sections(session, found.course, params.section_ids)
        variant = Variant.of_statistics(
            found.quiz, all_versions=params.all_versions, section_ids=params.section_ids
        )
        report, message = request_statistics(context, found, variant)
    services().publisher.send(message)
    return found, report


def _await_file(report: QuizReport) -> QuizReport:
    """Poll the report until its job has ended or the time is over."""
    waits = services().statistics_waits
    if not waits.acquire(blocking=False):
        raise NotReadyError(NOT_READY)
    try:
        deadline, pause = time.monotonic() + WAIT_SECONDS, _FIRST_POLL_SECONDS
        while report.state.is_live and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(2 * pause, _SLOWEST_POLL_SECONDS)
            with services().database.reading() as session:
                report = session.get_one(QuizReport, report.id)
    finally:
        waits.release()
    if report.state is ReportState.FAILED and report.progress is not None:
        raise NotReadyError(report.progress.message or NOT_READY)
    return report


def read_document(file: File) -> bytes:
    """Read a document; if its bytes are lost, mark it so that the next request has it made again."""
    try:
        return b"".join(services().store.read(file.storage_key))
    except NotFoundError:
        with services().database.transaction() as session:
            mark_file_lost(session, file.id)
        raise NotReadyError(NOT_READY) from None


def decoded(document: StatisticsDocument) -> Any:
    """Return a document as plain values."""
    return msgspec.json.decode(document.content)
