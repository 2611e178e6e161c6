"""The statistics of a quiz as the workers made them: the current document, or a short wait for it."""

from __future__ import annotations

import time
from typing import Any, Final, TypeVar

import msgspec

from api.auth import QuizAccess, RequestContext
from api.downloads import read_whole
from api.errors import RETRY_SECONDS, NotReadyError
from api.report_requests import request_for_caller
from api.services import services
from models.errors import AlreadyBeingGeneratedError, NotFoundError
from models.reports.requests import (
    Requested,
    failure_stands_seconds,
    find_newest,
    find_recent_failure,
)
from models.reports.tables import File, QuizReport, ReportState
from models.reports.variants import Variant

WAIT_SECONDS: Final = 20.0
_FIRST_POLL_SECONDS: Final = 0.02
_SLOWEST_POLL_SECONDS: Final = 0.5

NOT_READY: Final = "The statistics are being computed. Please try again."

Document = TypeVar("Document")


def find_statistics(context: RequestContext, found: QuizAccess, variant: Variant) -> Requested:
    """Request the statistics of a variant, unless their job has failed lately and would fail again."""
    failed = find_recent_failure(context.session, variant)
    return request_statistics(context, found, variant) if failed is None else Requested(failed, None)


def request_statistics(context: RequestContext, found: QuizAccess, variant: Variant) -> Requested:
    """Find the current statistics of a variant, or those whose job is live, or queue a job."""
    try:
        return request_for_caller(context, found, variant)
    except AlreadyBeingGeneratedError:
        # The quiz was read again, and may have become an anonymous survey.
        return Requested(find_newest(context.session, variant.at(found.quiz)), None)


def await_document(report: QuizReport) -> dict[str, Any]:
    """Return the document of requested statistics; if there is none yet, wait for it.

    At most two requests of a process wait, each up to 20 seconds and without a transaction. Raises
    NotReadyError if it is not there by then, or at once if two others are waiting or the job has failed.
    """
    if report.state.is_live:
        report = _await_job(report)
    if report.state is ReportState.FAILED and report.progress is not None and report.progress.message:
        raise NotReadyError(report.progress.message, _seconds_until_a_retry(report))
    if report.file is None:
        raise NotReadyError(NOT_READY)
    return read_document(report.file, dict[str, Any])


def read_document(file: File, kind: type[Document]) -> Document:
    """Read a document, or as much of it as the type has.

    Raises NotReadyError if its bytes are lost; the next request then has it made again. Raises
    msgspec.ValidationError if it does not fit the type.
    """
    try:
        return msgspec.json.decode(read_whole(file), type=kind)
    except NotFoundError:
        raise NotReadyError(NOT_READY) from None


def _seconds_until_a_retry(report: QuizReport) -> int:
    """Return after how many seconds a request would queue a failed job again."""
    with services().database.reading() as session:
        return failure_stands_seconds(session, report.id) or RETRY_SECONDS


def _await_job(report: QuizReport) -> QuizReport:
    """Read the report again and again, until its job has ended or the time is over."""
    waits = services().statistics_waits
    if not waits.acquire(blocking=False):
        raise NotReadyError(NOT_READY)
    try:
        deadline, pause = time.monotonic() + WAIT_SECONDS, _FIRST_POLL_SECONDS
        while report.state.is_live and time.monotonic() < deadline:
            # To be notified by the database (LISTEN), each waiting request would occupy a connection.
            time.sleep(pause)
            pause = min(2 * pause, _SLOWEST_POLL_SECONDS)
            with services().database.reading() as session:
                report = session.get_one(QuizReport, report.id)
    finally:
        waits.release()
    return report
