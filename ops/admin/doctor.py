"""`quiz-reports doctor`: checks of each part, one line each, with a remedy if it fails."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import redis
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from models.content.cell_text import TEXT_VERSION
from models.db.schema import applied_revision, newest_revision, require_released
from models.db.session import Database
from models.errors import InvalidSettingError, QuizReportsError
from models.lms.attempts import Attempt
from models.reports.tables import QuizReport, ReportState
from models.settings import Settings
from models.storage import open_store
from ops.local.data_directory import data_dir_option, settings_here

_QUEUED_TOO_LONG = "60 seconds"
_PROBE = b"quiz-reports doctor"


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


def check_settings(settings: Settings) -> str:
    """Check that every setting without a default is set."""
    settings.require("database_url", "redis_url", "storage_url", "secret_key")
    return "every required setting is set"


def check_database(settings: Settings) -> str:
    """Check that PostgreSQL responds."""
    database = _database(settings)
    try:
        with database.transaction() as session:
            return f"PostgreSQL {session.scalar(text('SHOW server_version'))} responds"
    except DBAPIError as error:
        raise _no_database(error) from None
    finally:
        database.dispose()


def check_migrations(settings: Settings) -> str:
    """Check that the tables are at the revision of this release."""
    database = _database(settings)
    try:
        with database.engine.connect() as connection:
            applied, newest = applied_revision(connection), newest_revision()
    except DBAPIError as error:
        raise _no_database(error) from None
    finally:
        database.dispose()
    require_released(applied)
    if applied != newest:
        raise CheckFailedError(
            f"the tables are at revision {applied or 'none'}, this release needs {newest}",
            "run quiz-reports migrate",
        )
    return f"the tables are at revision {newest}"


def check_broker(settings: Settings) -> str:
    """Check that the broker responds and never evicts a message."""
    settings.require("redis_url")
    client = redis.Redis.from_url(settings.redis_url, socket_timeout=2, socket_connect_timeout=2)
    try:
        client.ping()
        policy = client.info("memory").get("maxmemory_policy", "noeviction")
    except redis.AuthenticationError as error:
        raise CheckFailedError(f"the broker refuses the password ({error})", "check REDIS_URL") from None
    except (redis.RedisError, OSError) as error:
        raise CheckFailedError(
            f"the broker does not respond ({error})", "start it, or check REDIS_URL; reports wait meanwhile"
        ) from None
    finally:
        client.close()
    if policy != "noeviction":
        raise CheckFailedError(f"the broker may evict messages ({policy})", "set maxmemory-policy noeviction")
    return "it responds and evicts nothing"


def check_storage(settings: Settings) -> str:
    """Write, read and delete an object."""
    settings.require("storage_url")
    key = f"doctor/{secrets.token_hex(8)}"
    try:
        store = open_store(settings)
        with store.writer(key) as writer:
            writer.write(_PROBE)
        found = b"".join(store.read(key))
        store.delete(key)
    except QuizReportsError as error:
        raise CheckFailedError(
            f"{settings.storage_url} cannot be used ({error})",
            "check that it exists, that this user may write to it, and STORAGE_URL and the AWS_* variables",
        ) from None
    if found != _PROBE:
        raise CheckFailedError(
            f"{settings.storage_url} returned other bytes than were stored", "check the store itself"
        )
    return "an object was written, read and deleted"


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
    database = _database(settings)
    try:
        with database.transaction() as session:
            old = session.scalar(
                select(func.count()).select_from(Attempt).where(Attempt.text_version != TEXT_VERSION)
            )
    except DBAPIError as error:
        raise _no_database(error) from None
    finally:
        database.dispose()
    if old:
        raise CheckFailedError(f"{old} attempts have texts by older rules", "run quiz-reports rebuild")
    return "the texts of all attempts follow the present rules"


def check_workers(settings: Settings) -> str:
    """Check that a worker responds within a second, and that no report has waited long."""
    from models.publisher import BROKER_FAILURES, JobPublisher

    waiting = _waiting_reports(settings)
    # Celery would retry for long if the broker did not respond.
    check_broker(settings)
    publisher = JobPublisher(settings.redis_url)
    try:
        nodes = publisher.count_workers(within_seconds=1.0)
    except BROKER_FAILURES as error:
        raise CheckFailedError(f"workers cannot be counted ({error})", "see the line of the broker") from None
    finally:
        publisher.close()
    if not nodes:
        raise CheckFailedError("no worker responds", "start quiz-reports worker")
    if waiting:
        raise CheckFailedError(
            f"{waiting} reports have waited for more than {_QUEUED_TOO_LONG}",
            "start more workers; check that quiz-reports sweeper runs",
        )
    return f"{nodes} nodes respond, no report has waited too long"


def _waiting_reports(settings: Settings) -> int:
    database = _database(settings)
    try:
        with database.transaction() as session:
            late = text(f"updated_at < now() - interval '{_QUEUED_TOO_LONG}'")
            query = select(QuizReport.id).where(QuizReport.state == ReportState.QUEUED, late)
            return len(session.scalars(query).all())
    except DBAPIError as error:
        raise _no_database(error) from None
    finally:
        database.dispose()


def _database(settings: Settings) -> Database:
    return Database(settings.require("database_url").database_url, pool_size=1)


def _no_database(error: DBAPIError) -> CheckFailedError:
    reason = str(error.orig).splitlines()[0]
    return CheckFailedError(
        f"no response ({reason})", "start it, or check DATABASE_URL; run quiz-reports migrate"
    )


CHECKS = (
    Check("settings", check_settings),
    Check("database", check_database),
    Check("migrations", check_migrations),
    Check("broker", check_broker),
    Check("storage", check_storage),
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
    """Check settings, database, migrations, broker, storage, uploads, texts and workers, one line each.

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
