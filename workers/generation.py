"""How a report is made: claim, extract, analyse, write, store, finish."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import partial

import structlog
from adbc_driver_manager import Error as AdbcError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from models.errors import LeaseLostError, StorageError
from models.reports import jobs
from models.reports.jobs import Claim, Snapshot
from models.reports.tables import JobMessage
from models.storage import ObjectWriter
from workers.extract.snapshot import Chunk, Extract
from workers.formats.limits import DoesNotFitError
from workers.metrics import LEASES_EXPIRED, REPORTS, STEP_SECONDS
from workers.overlap import read_ahead, write_behind
from workers.report_types import Frames, Part, ReportData, recipe_of
from workers.resources import Resources

log = structlog.get_logger(__name__)

# The completion, in percent, once the attempts are selected and once the last row is written.
_SELECTED, _WRITTEN = 10.0, 90.0
# A lease that is shorter than that of any deployment is renewed more often.
_HEARTBEAT_SECONDS, _HEARTBEATS_A_LEASE = 1.0, 4
# So few bytes of responses are read, and so few of a file stored, in less time than a thread takes to start.
_FEW_BYTES = 2**18
# Of so many pieces, the bytes are not counted; so many are joined at once.
_MANY_PIECES, _PIECES_AT_ONCE = 2**14, 2**17

STORAGE_FAILED = (
    "The report's file could not be stored. Please ask again later; if it fails again, tell your"
    " administrator the reference: {reference}."
)
UNFORESEEN = (
    "The report could not be made because of an error in the program. Please tell your administrator the"
    " reference: {reference}."
)


class _OutcomeUnknownError(Exception):
    """The connection was lost during the statement of the finish, which may or may not be committed."""


def generate(resources: Resources, report_id: int, progress_id: int) -> Sequence[JobMessage] | None:
    """Make the file of a report, if its job can be claimed; a failure ends the job with a message.

    Returns the messages to send of jobs that were handed out with the file; None if handing out is left to
    the caller, as it is if no file was made.
    A failure of the database cannot be recorded: the lease expires, and the sweeper publishes the job again.
    After a failure of the store, the job goes to another worker while it has tries left.
    """
    settings = resources.settings
    resources.await_store()
    with STEP_SECONDS.labels("claim").time(), resources.database.single_statement() as session:
        claim = jobs.claim(
            session,
            report_id,
            progress_id,
            lease_seconds=settings.lease_seconds,
            max_tries=settings.max_tries,
        )
    if claim is None:
        log.info("job_not_claimable", report_id=report_id, job_id=progress_id)
        return None
    with structlog.contextvars.bound_contextvars(
        reference=claim.reference,
        report_id=report_id,
        job_id=progress_id,
        request_id=claim.request_id,
        **{"try": claim.try_number},
    ):
        outcome, handed_out = _try_to_make(resources, claim)
        variant = claim.variant
        REPORTS.labels(variant.report_type.value, variant.format.value, outcome).inc()
        if claim.try_number > 1:
            LEASES_EXPIRED.inc()
    return handed_out


def _try_to_make(resources: Resources, claim: Claim) -> tuple[str, Sequence[JobMessage] | None]:
    """Make the file of a claimed report, and handle what fails.

    Returns the outcome for the metrics, and the messages of jobs that were handed out with the file.
    """
    try:
        return "generated", _make_file(resources, claim)
    except LeaseLostError:
        log.warning("lease_lost")
        _discard_object(resources, claim)
        return "lease_lost", None
    except _OutcomeUnknownError:
        # The object may have become the report's file. If not, the sweeper deletes it.
        log.exception("database_failed")
        return "database_failed", None
    except (DBAPIError, AdbcError, PoolTimeoutError):
        log.exception("database_failed")
        _discard_object(resources, claim)
        return "database_failed", None
    except StorageError:
        log.exception("storage_failed")
        resources.distrust_store()
        _give_back(resources, claim)
        return "storage_failed", None
    except DoesNotFitError as error:
        log.warning("report_does_not_fit", report_format=claim.variant.format.value)
        _end_as_failed(resources, claim, str(error))
        return "does_not_fit", None
    except Exception:
        # Anything else is a fault of the program, which another try would repeat, so the report is failed
        # at once. If it were not caught, the report would seem to run until its lease has expired.
        log.exception("job_failed")
        _end_as_failed(resources, claim, UNFORESEEN.format(reference=claim.reference))
        return "failed", None


def _make_file(resources: Resources, claim: Claim) -> Sequence[JobMessage] | None:
    with STEP_SECONDS.labels("file").time():
        snapshot, file = write_file(resources, claim)
    with STEP_SECONDS.labels("finish").time():
        handed_out = finish(resources, claim, snapshot, file)
    log.info("report_generated", size=file.size)
    return handed_out


def write_file(resources: Resources, claim: Claim) -> tuple[Snapshot, ObjectWriter]:
    """Store the bytes of a claimed report; return what they were made from, and their size and digest."""
    settings = resources.settings
    heartbeat = Heartbeat(resources, claim)
    with (
        Extract(resources.snapshots, claim, settings) as extract,
        resources.store.writer(
            claim.storage_key,
            content_type=claim.variant.content_type,
            display_name=claim.display_name,
        ) as writer,
        write_behind(partial(_store, writer), _is_short) as write,
        closing(_parts(extract, heartbeat, formula_guard=settings.formula_guard)) as parts,
    ):
        for part in parts:
            if part:
                write(part)
            else:
                # A format that takes time between its parts yields empty ones meanwhile.
                heartbeat.advance(_SELECTED)
            # Kept until the next is here, it would be a chunk more.
            del part
        snapshot = Snapshot(
            extract.revisions.quiz,
            extract.revisions.roster,
            claim.variant.analysis_version(formula_guard=settings.formula_guard),
            extract.attempt_count,
            extract.transactions,
        )
    heartbeat.advance(_WRITTEN)
    return snapshot, writer


def _is_short(part: Part) -> bool:
    if isinstance(part, bytes):
        return len(part) < _FEW_BYTES
    return len(part) < _MANY_PIECES and sum(map(len, part)) < _FEW_BYTES


def _store(writer: ObjectWriter, part: Part) -> None:
    """Append a part to the file; while megabytes of pieces are joined, the interpreter is free."""
    if isinstance(part, bytes):
        writer.write(part)
    else:
        # Joined at once, they would be in memory twice.
        for start in range(0, len(part), _PIECES_AT_ONCE):
            writer.write(b"".join(part[start : start + _PIECES_AT_ONCE]))


def _parts(extract: Extract, heartbeat: Heartbeat, *, formula_guard: bool) -> Generator[Part]:
    """Yield the file of a report in parts."""
    recipe = recipe_of(extract.variant)
    selection = recipe.select(extract)
    heartbeat.advance(_SELECTED)
    items = extract.items(selection)
    completion = Completion(heartbeat, len(selection.attempt_ids) * recipe.passes(items))
    chunks = recipe.fetch(extract, selection, items)
    is_small = len(selection.attempt_ids) <= extract.most_attempts and selection.sizes.sum() < _FEW_BYTES
    with closing(chunks) if is_small else read_ahead(chunks) as fetched:
        data = ReportData(extract, selection, items, _counted(fetched, completion), completion.add)
        report = recipe.report(data, formula_guard=formula_guard)
        yield from recipe.writers[extract.variant.format](report)


def _counted(chunks: Iterator[Chunk], completion: Completion) -> Frames:
    """Yield the frames of chunks; whenever the next one is asked for, the one before it counts as done."""
    for chunk in chunks:
        for frame in chunk():
            attempts = len(frame)
            yield frame
            # Two frames at a time would take twice the memory.
            del frame
            completion.add(attempts)
        del chunk


def finish(
    resources: Resources, claim: Claim, snapshot: Snapshot, file: ObjectWriter
) -> Sequence[JobMessage] | None:
    """Make what was stored the report's file; return the messages of jobs that are handed out with it.

    They are None if jobs wait, and none of them was handed out.
    Raises LeaseLostError if the claim no longer holds.
    """
    try:
        with resources.database.single_statement() as session:
            return jobs.finish(
                session,
                claim,
                snapshot,
                size=file.size,
                sha256=file.sha256,
                most_of_course=resources.settings.course_jobs,
            )
    except (DBAPIError, PoolTimeoutError) as error:
        raise _OutcomeUnknownError from error


class Heartbeat:
    """Renews the lease and shows the completion, at most once a second; a short job needs neither."""

    def __init__(
        self, resources: Resources, claim: Claim, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._resources = resources
        self._claim = claim
        self._clock = clock
        self._pause = min(_HEARTBEAT_SECONDS, resources.settings.lease_seconds / _HEARTBEATS_A_LEASE)
        self._due = clock() + self._pause
        self._completion = 0.0

    def advance(self, completion: float) -> None:
        """Show the completion, in percent, if it is time; raise LeaseLostError if the claim is lost."""
        self._completion = max(completion, self._completion)
        if self._clock() < self._due:
            return
        with self._resources.database.transaction() as session:
            jobs.heartbeat(
                session, self._claim, self._completion, lease_seconds=self._resources.settings.lease_seconds
            )
        self._due = self._clock() + self._pause


class Completion:
    """How much of a job is done; `work` is the number of attempts, counted once for each pass over them."""

    def __init__(self, heartbeat: Heartbeat, work: int) -> None:
        self._heartbeat = heartbeat
        self.work = max(1, work)
        self._done = 0.0

    def add(self, attempts: float) -> None:
        """Count a pass over some attempts as done; raise LeaseLostError if the claim is lost."""
        self._done += attempts
        share = min(1.0, self._done / self.work)
        self._heartbeat.advance(_SELECTED + (_WRITTEN - _SELECTED) * share)


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
            jobs.fail(session, claim, message)
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
