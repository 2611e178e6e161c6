"""How a report is made: claim, extract, analyse, write, store, finish."""

from __future__ import annotations

from collections.abc import Iterator

import structlog
from adbc_driver_manager import Error as AdbcError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from models.errors import LeaseLostError, StorageError
from models.reports import jobs
from models.reports.filenames import content_disposition
from models.reports.jobs import Claim, Snapshot
from models.reports.variants import CONTENT_TYPE, ReportType, analysis_version
from models.storage import ObjectWriter
from workers.analysis.item_analysis import ItemAnalysis
from workers.analysis.student_analysis import StudentAnalysis, StudentAnalysisOptions
from workers.extract.snapshot import Extract
from workers.formats import csv
from workers.metrics import LEASES_EXPIRED, REPORTS, STEP_SECONDS
from workers.resources import Resources

log = structlog.get_logger(__name__)

# The completion, in percent, once the attempts are selected and once the last row is written.
_SELECTED, _WRITTEN = 10.0, 90.0
_STEP = 10.0

STORAGE_FAILED = (
    "The report's file could not be stored. Please ask again later; if it fails again, tell your"
    " administrator the reference: {reference}."
)
UNFORESEEN = (
    "The report could not be made because of an error in the program. Please tell your administrator the"
    " reference: {reference}."
)


class _OutcomeUnknownError(Exception):
    """The connection was lost during the commit of the finish, which may or may not have succeeded."""


def generate(resources: Resources, report_id: int, progress_id: int) -> None:
    """Make the file of a report, if its job can be claimed; a failure ends the job with a message.

    A failure of the database cannot be recorded: the lease expires, and the sweeper publishes the job again.
    After a failure of the store, the job goes to another worker while it has tries left.
    """
    settings = resources.settings
    resources.await_store()
    with STEP_SECONDS.labels("claim").time(), resources.database.transaction() as session:
        claim = jobs.claim(
            session,
            report_id,
            progress_id,
            lease_seconds=settings.lease_seconds,
            max_tries=settings.max_tries,
        )
    if claim is None:
        log.info("job_not_claimable", report_id=report_id, job_id=progress_id)
        return
    with structlog.contextvars.bound_contextvars(
        reference=claim.reference,
        report_id=report_id,
        job_id=progress_id,
        request_id=claim.request_id,
        **{"try": claim.try_number},
    ):
        outcome = _try_to_make(resources, claim)
        REPORTS.labels(claim.variant.report_type.value, "csv", outcome).inc()
        if claim.try_number > 1:
            LEASES_EXPIRED.inc()


def _try_to_make(resources: Resources, claim: Claim) -> str:
    """Make the file of a claimed report, and handle what fails; return the outcome for the metrics."""
    try:
        _make_file(resources, claim)
    except LeaseLostError:
        log.warning("lease_lost")
        _discard_object(resources, claim)
        return "lease_lost"
    except _OutcomeUnknownError:
        # The object may have become the report's file. If not, the sweeper deletes it.
        log.exception("database_failed")
        return "database_failed"
    except (DBAPIError, AdbcError, PoolTimeoutError):
        log.exception("database_failed")
        _discard_object(resources, claim)
        return "database_failed"
    except StorageError:
        log.exception("storage_failed")
        resources.distrust_store()
        _give_back(resources, claim)
        return "storage_failed"
    except Exception:
        log.exception("job_failed")
        _end_as_failed(resources, claim, UNFORESEEN)
        return "failed"
    return "generated"


def _make_file(resources: Resources, claim: Claim) -> None:
    with STEP_SECONDS.labels("file").time():
        snapshot, file = write_file(resources, claim)
    with STEP_SECONDS.labels("finish").time():
        finish(resources, claim, snapshot, file)
    log.info("report_generated", size=file.size)


def write_file(resources: Resources, claim: Claim) -> tuple[Snapshot, ObjectWriter]:
    """Store the bytes of a claimed report; return what they were made from, and their size and digest."""
    settings = resources.settings
    heartbeat = Heartbeat(resources, claim)
    parts = _student_analysis if claim.variant.report_type is ReportType.STUDENT_ANALYSIS else _item_analysis
    with Extract(resources.snapshots, claim, settings) as extract:
        with resources.store.writer(
            claim.storage_key,
            content_type=CONTENT_TYPE,
            content_disposition=content_disposition(claim.file_name),
        ) as writer:
            for done, content in parts(extract, guard_formulas=settings.formula_guard):
                writer.write(content)
                heartbeat.advance(_SELECTED + (_WRITTEN - _SELECTED) * done)
        revisions = extract.revisions
    heartbeat.advance(_WRITTEN)
    version = analysis_version(formula_guard=settings.formula_guard)
    return Snapshot(revisions.quiz, revisions.roster, version), writer


def finish(resources: Resources, claim: Claim, snapshot: Snapshot, file: ObjectWriter) -> None:
    """Make what was stored the report's file; raise LeaseLostError if the claim no longer holds."""
    try:
        with resources.database.transaction() as session:
            jobs.finish(session, claim, snapshot, size=file.size, sha256=file.sha256)
    except (DBAPIError, PoolTimeoutError) as error:
        raise _OutcomeUnknownError from error


def _student_analysis(extract: Extract, *, guard_formulas: bool) -> Iterator[tuple[float, bytes]]:
    """Yield the file in parts, each with the share of the work done so far."""
    variant, selection = extract.variant, extract.select_rows()
    items = extract.items(selection)
    analysis = StudentAnalysis(
        StudentAnalysisOptions(
            includes_all_versions=variant.includes_all_versions,
            includes_sis_ids=variant.includes_sis_ids,
            includes_root_accounts=extract.includes_root_accounts,
            anonymous=variant.anonymous,
        ),
        items.in_order,
        items.versions_by_question_set,
    )
    yield 0.0, csv.header_line(analysis.header(), guard_formulas=guard_formulas)
    for done, attempts in extract.rows(selection):
        content = csv.lines(analysis.rows(attempts), guard_formulas=guard_formulas)
        # Two chunks at a time would take twice the memory.
        del attempts
        yield done, content
        del content


def _item_analysis(extract: Extract, *, guard_formulas: bool) -> Iterator[tuple[float, bytes]]:
    """Yield the file in parts, each with the share of the work done so far; the bytes come last."""
    selection = extract.select_first_attempts()
    items = extract.items(selection)
    analysis = ItemAnalysis([item for item in items.in_order if item.is_choice], items.ids_by_question_set)
    for done, attempts in extract.choices(selection):
        analysis.add(attempts)
        yield done, b""
    yield 1.0, csv.header_line(analysis.header(), guard_formulas=guard_formulas)
    yield 1.0, csv.lines(analysis.rows(), guard_formulas=guard_formulas)


class Heartbeat:
    """Renews the lease and shows the completion, which rises in steps of at most ten percent."""

    def __init__(self, resources: Resources, claim: Claim) -> None:
        self._resources = resources
        self._claim = claim
        self._completion = 0.0

    def advance(self, completion: float) -> None:
        """Show the completion, in percent; raise LeaseLostError if the claim no longer holds."""
        while True:
            self._completion = min(max(completion, self._completion), self._completion + _STEP)
            with self._resources.database.transaction() as session:
                jobs.heartbeat(
                    session,
                    self._claim,
                    self._completion,
                    lease_seconds=self._resources.settings.lease_seconds,
                )
            if self._completion >= completion:
                return


def _give_back(resources: Resources, claim: Claim) -> None:
    """Leave the job to another worker, or end it if this was its last try."""
    try:
        with resources.database.transaction() as session:
            if not jobs.give_back(session, claim, max_tries=resources.settings.max_tries):
                jobs.fail(session, claim, STORAGE_FAILED.format(reference=claim.reference))
    except LeaseLostError:
        log.warning("lease_lost")
    except (DBAPIError, PoolTimeoutError):
        log.exception("database_failed")
    _discard_object(resources, claim)


def _end_as_failed(resources: Resources, claim: Claim, message: str) -> None:
    try:
        with resources.database.transaction() as session:
            jobs.fail(session, claim, message.format(reference=claim.reference))
    except LeaseLostError:
        log.warning("lease_lost")
    except (DBAPIError, PoolTimeoutError):
        log.exception("database_failed")
    _discard_object(resources, claim)


def _discard_object(resources: Resources, claim: Claim) -> None:
    try:
        resources.store.delete(claim.storage_key)
    except StorageError:
        # The sweeper deletes it later.
        log.warning("object_not_deleted", storage_key=claim.storage_key)
