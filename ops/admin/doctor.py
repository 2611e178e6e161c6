"""`quiz-reports doctor`: one line a check, with what is wrong and how to mend it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import redis
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from models.db.schema import applied_revision, newest_revision, require_released
from models.db.session import Database
from models.errors import InvalidSettingError, QuizReportsError
from models.reports.tables import QuizReport, ReportState
from models.settings import Settings
from models.storage import open_store
from ops.local.data_directory import data_dir_option, settings_here

_QUEUED_TOO_LONG = "60 seconds"
_PROBE = b"quiz-reports doctor"


class AilmentError(QuizReportsError):
    """A check failed: what is wrong, and how to mend it."""

    def __init__(self, wrong: str, remedy: str) -> None:
        super().__init__(f"{wrong}: {remedy}")


@dataclass(frozen=True)
class Check:
    """A part of the service, and a function that says how it is or raises."""

    name: str
    examine: Callable[[Settings], str]

    def run(self, settings: Settings) -> bool:
        """Examine and print the line; whether all is well."""
        try:
            finding, well = self.examine(settings), True
        except InvalidSettingError as error:
            finding, well = f"{error}: see ops/settings.md, or start quiz-reports up", False
        except QuizReportsError as error:
            finding, well = str(error), False
        click.echo(f"{'ok  ' if well else 'FAIL'} {self.name:<10} {' '.join(finding.split())}")
        return well


def check_settings(settings: Settings) -> str:
    """Examine whether all that the processes need is set."""
    settings.require("database_url", "redis_url", "storage_url", "secret_key")
    return "all that is needed is set"


def check_database(settings: Settings) -> str:
    """Examine whether PostgreSQL answers."""
    database = _database(settings)
    try:
        with database.transaction() as session:
            return f"PostgreSQL {session.scalar(text('SHOW server_version'))} answers"
    except DBAPIError as error:
        raise _no_database(error) from None
    finally:
        database.dispose()


def check_migrations(settings: Settings) -> str:
    """Examine whether the tables are what this release expects."""
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
        raise AilmentError(
            f"the tables are at {applied or 'nothing yet'}, this release needs {newest}",
            "run quiz-reports migrate",
        )
    return f"the tables are at {newest}"


def check_broker(settings: Settings) -> str:
    """Examine whether the broker takes messages, and keeps them."""
    settings.require("redis_url")
    client = redis.Redis.from_url(settings.redis_url, socket_timeout=2, socket_connect_timeout=2)
    try:
        client.ping()
        policy = client.info("memory").get("maxmemory_policy", "noeviction")
    except redis.AuthenticationError as error:
        raise AilmentError(f"the broker does not let us in ({error})", "check REDIS_URL's password") from None
    except (redis.RedisError, OSError) as error:
        raise AilmentError(
            f"the broker does not answer ({error})", "start it, or check REDIS_URL; reports wait meanwhile"
        ) from None
    finally:
        client.close()
    if policy != "noeviction":
        raise AilmentError(
            f"the broker may throw messages away ({policy})", "set maxmemory-policy noeviction"
        )
    return "it answers and evicts nothing"


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
        raise AilmentError(
            f"{settings.storage_url} cannot be used ({error})",
            "check that it exists, that this user may write to it, and STORAGE_URL and the AWS_* variables",
        ) from None
    if found != _PROBE:
        raise AilmentError(f"{settings.storage_url} gave back other bytes", "look at the store itself")
    return "an object was written, read and deleted"


def check_workers(settings: Settings) -> str:
    """Examine whether a worker answers within a second, and no report waits for one."""
    from models.publisher import BROKER_FAILURES, JobPublisher

    waiting = _waiting_reports(settings)
    # A broker that is gone would be asked again and again.
    check_broker(settings)
    publisher = JobPublisher(settings.redis_url)
    try:
        nodes = publisher.count_workers(within_seconds=1.0)
    except BROKER_FAILURES as error:
        raise AilmentError(f"workers cannot be asked ({error})", "see the broker's line") from None
    finally:
        publisher.close()
    if not nodes:
        raise AilmentError("no worker answers", "start quiz-reports worker")
    if waiting:
        raise AilmentError(
            f"{waiting} reports have waited for more than {_QUEUED_TOO_LONG}",
            "start more workers; see that quiz-reports sweeper runs",
        )
    return f"{nodes} nodes answer, no report waits too long"


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


def _no_database(error: DBAPIError) -> AilmentError:
    reason = str(error.orig).splitlines()[0]
    return AilmentError(f"no answer ({reason})", "start it, or check DATABASE_URL; run quiz-reports migrate")


CHECKS = (
    Check("settings", check_settings),
    Check("database", check_database),
    Check("migrations", check_migrations),
    Check("broker", check_broker),
    Check("storage", check_storage),
    Check("workers", check_workers),
)


@click.command("doctor")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([check.name for check in CHECKS]),
    help="Only this check; give it repeatedly.",
)
@data_dir_option
@click.pass_context
def doctor_command(context: click.Context, only: tuple[str, ...], data_dir: Path) -> None:
    """Check settings, database, migrations, broker, storage and workers, one line each.

    Without DATABASE_URL it looks at the stack that `quiz-reports up` runs in the data directory. Exit
    status 1 if anything is wrong.
    """
    settings = settings_here(data_dir)
    results = [check.run(settings) for check in CHECKS if not only or check.name in only]
    if not all(results):
        context.exit(1)
