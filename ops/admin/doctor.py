"""`quiz-reports doctor`: checks of each part, one line each, with a remedy if it fails."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from models import broker
from models.content.cell_text import TEXT_VERSION
from models.db.failures import connection_failure
from models.db.schema import applied_revision, is_usable_revision, newest_revision, require_released
from models.db.session import Database
from models.errors import InvalidSettingError, QuizReportsError, StorageError
from models.lms.attempts import Attempt
from models.lms.quizzes import Quiz
from models.reports.stored_files import newest_files
from models.reports.tables import QuizReport, ReportState
from models.settings import Settings
from models.storage import check_store, missing_folder, open_store
from ops.admin.connection import opened_database
from ops.admin.files import fault_of
from ops.local.data_directory import data_dir_option, settings_here

_QUEUED_TOO_LONG = "60 seconds"
_PROBE = b"quiz-reports doctor"
_FILES_CHECKED = 200
# Of the connections that PostgreSQL allows, more than this share in use leaves too few for a restart.
_CONNECTIONS_USED = 0.9


class CheckFailedError(QuizReportsError):
    """A check failed; the message names the fault and the remedy."""

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(f"{fault}: {remedy}")


@dataclass(frozen=True)
class Check:
    """A part of the service, and a function that describes its state or raises."""

    name: str
    examine: Callable[[Settings], str]

    def run(self, settings: Settings) -> bool:
        """Examine the part and print its line; return whether the check passed."""
        try:
            finding, passed = self.examine(settings), True
        except InvalidSettingError as error:
            finding, passed = f"{error}: see ops/settings.md, or start quiz-reports up", False
        except QuizReportsError as error:
            finding, passed = str(error), False
        click.echo(f"{'ok  ' if passed else 'FAIL'} {self.name:<10} {' '.join(finding.split())}")
        return passed


def check_settings(settings: Settings, environ: Mapping[str, str] = os.environ) -> str:
    """Check that every setting without a default is set, and that none is misspelt."""
    settings.require("database_url", "redis_url", "storage_url", "secret_key")
    if misspelt := dict(Settings.find_misspelt(environ)):
        raise CheckFailedError(
            f"no settings: {', '.join(misspelt)}", f"unset them, or write {', '.join(misspelt.values())}"
        )
    return "every required setting is set"


def check_database(settings: Settings) -> str:
    """Check that PostgreSQL responds, takes changes, and has connections left."""
    with _database(settings) as database, database.transaction() as session:
        version, read_only, used, most = session.execute(_DATABASE_STATE).one()
    if read_only == "on":
        raise CheckFailedError(
            "PostgreSQL takes no changes: it is a standby, or its default is read-only",
            "let DATABASE_URL name the primary",
        )
    if used > _CONNECTIONS_USED * most:
        raise CheckFailedError(f"{used} of {most} connections are in use", "see Connections in ops/README.md")
    return f"PostgreSQL {version} responds, {used} of {most} connections are in use"


_DATABASE_STATE = text("""
    SELECT current_setting('server_version'), current_setting('transaction_read_only'),
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
""")


def check_migrations(settings: Settings) -> str:
    """Check that the tables are at a revision that this release can use."""
    with _database(settings) as database, database.engine.connect() as connection:
        applied, newest = applied_revision(connection), newest_revision()
    require_released(applied)
    if not is_usable_revision(applied):
        raise CheckFailedError(
            f"the tables are at revision {applied or 'none'}, this release needs {newest}",
            "run quiz-reports migrate",
        )
    return f"the tables are at revision {applied}" + (", of a newer release" if applied != newest else "")


def check_broker(settings: Settings) -> str:
    """Check that the broker takes messages and never evicts one."""
    settings.require("redis_url")
    policy = broker.check_broker(settings.redis_url).eviction_policy
    if policy is None:
        return "it takes messages; whether it may evict them is unknown, since the user may not call INFO"
    if policy != "noeviction":
        raise CheckFailedError(f"the broker may evict messages ({policy})", "set maxmemory-policy noeviction")
    return "it takes messages and evicts nothing"


def check_storage(settings: Settings) -> str:
    """Write, read and delete an object, in a store that exists."""
    _require_folder(settings)
    try:
        check_store(settings)
    except StorageError as error:
        raise CheckFailedError(
            f"{settings.storage_url} cannot be used ({error})",
            "check that it exists, that this user may write to it, and STORAGE_URL and the AWS_* variables",
        ) from None
    return "an object was written, read and deleted"


def check_files(settings: Settings) -> str:
    """Check that the objects of the newest files exist."""
    with _database(settings) as database, database.transaction() as session:
        files = newest_files(session, most=_FILES_CHECKED)
    _require_folder(settings)
    store = open_store(settings)
    lost = [file for file in files if fault_of(file, store) is not None]
    if lost:
        raise CheckFailedError(
            f"{len(lost)} of the {len(files)} newest files are lost, for example that of {lost[0]}",
            "check that all processes use the same store; quiz-reports files check names all of them",
        )
    return f"the {len(files)} newest files are in the store"


def _require_folder(settings: Settings) -> None:
    """Refuse a folder that does not exist: opening the store would create it, and a misspelt path pass."""
    if folder := missing_folder(settings.require("storage_url")):
        raise CheckFailedError(
            f"{settings.storage_url} cannot be used (there is no such folder)",
            f"correct STORAGE_URL, or mount its disk; for a new service, create {folder}",
        )


def check_uploads(settings: Settings) -> str:
    """Check that the API could store a large body while it is received."""
    folder = settings.upload_folder or tempfile.gettempdir()
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(_PROBE)
    except OSError as error:
        raise CheckFailedError(
            f"{folder} cannot hold large bodies ({error.strerror})",
            "check that it exists and that this user may write to it, or set QUIZ_REPORTS_UPLOAD_FOLDER",
        ) from None
    return f"large bodies are received in {folder}"


def check_texts(settings: Settings) -> str:
    """Check that the texts of all attempts were made by the rules of this release."""
    with _database(settings) as database, database.transaction() as session:
        old = session.scalar(
            select(func.count()).select_from(Attempt).where(Attempt.text_version != TEXT_VERSION)
        )
    if old:
        raise CheckFailedError(f"{old} attempts have texts by older rules", "run quiz-reports rebuild")
    return "the texts of all attempts follow the present rules"


def check_workers(settings: Settings) -> str:
    """Check that a worker responds within a second, and that no report has waited long."""
    from models.publisher import BROKER_FAILURES, JobPublisher

    waiting = describe_waiting(settings)
    # Celery would retry for long if the broker did not respond.
    check_broker(settings)
    publisher = JobPublisher(settings.redis_url)
    try:
        nodes = publisher.count_workers(within_seconds=1.0)
    except BROKER_FAILURES as error:
        raise CheckFailedError(
            f"workers cannot be counted ({error})",
            "check that the user of REDIS_URL may publish and subscribe on all channels",
        ) from None
    finally:
        publisher.close()
    if not nodes:
        raise CheckFailedError("no worker responds", "start quiz-reports worker")
    if waiting:
        raise CheckFailedError(
            waiting,
            "start more workers; check that quiz-reports sweeper runs; if all are of one course, its share is"
            " the limit (QUIZ_REPORTS_COURSE_JOBS), and others do not wait",
        )
    return f"{nodes} nodes respond, no report has waited too long"


def describe_waiting(settings: Settings) -> str:
    """Tell how many reports have waited for long, and of which course most are; nothing if none has."""
    with _database(settings) as database, database.transaction() as session:
        late = QuizReport.updated_at < func.now() - text(f"interval '{_QUEUED_TOO_LONG}'")
        query = select(Quiz.course_id).join(QuizReport).where(QuizReport.state == ReportState.QUEUED, late)
        courses = Counter(session.scalars(query))
    if not courses:
        return ""
    [(course_id, most)] = courses.most_common(1)
    waited = f"{courses.total()} reports have waited for more than {_QUEUED_TOO_LONG}"
    return f"{waited}, {most} of them of course {course_id}"


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    """Open the database; a statement that it does not answer fails the check."""
    with opened_database(settings) as database:
        try:
            yield database
        except DBAPIError as error:
            failure, reason = connection_failure(error), str(error.orig).splitlines()[0]
            raise CheckFailedError(f"{failure.fault} ({reason})", failure.remedy) from None


CHECKS = (
    Check("settings", check_settings),
    Check("database", check_database),
    Check("migrations", check_migrations),
    Check("broker", check_broker),
    Check("storage", check_storage),
    Check("files", check_files),
    Check("uploads", check_uploads),
    Check("texts", check_texts),
    Check("workers", check_workers),
)


@click.command("doctor")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([check.name for check in CHECKS]),
    help="Run this check only; may be repeated.",
)
@data_dir_option
@click.pass_context
def doctor_command(context: click.Context, only: tuple[str, ...], data_dir: Path) -> None:
    """Check settings, database, migrations, broker, storage, files, uploads, texts, workers: a line each.

    A line that begins with FAIL ends with a remedy; the exit status is then 1. Without DATABASE_URL, the
    stack that `quiz-reports up` runs in the data directory is checked.

    \b
    Example, as a health check:
      quiz-reports doctor --only database --only broker
    """
    settings = settings_here(data_dir)
    results = [check.run(settings) for check in CHECKS if not only or check.name in only]
    if not all(results):
        context.exit(1)
