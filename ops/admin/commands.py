"""Commands that change the database: migrations, the texts of attempts, access tokens."""

from __future__ import annotations

import difflib
import getpass
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import structlog

from models.db.session import Database
from models.errors import NotFoundError
from models.logs import configure_logging
from models.settings import Settings
from ops.admin.connection import opened_database
from ops.local.data_directory import data_dir_option, settings_here

if TYPE_CHECKING:
    from models.ingestion.rebuild import RebuiltAttempts


# A large push holds the lock of its quiz for minutes.
_LONGEST_WAIT_SECONDS = 3600.0
_REBUILT_AT_ONCE = 500
_MOST_ISSUES_SHOWN = 20


@click.command("migrate")
@click.option(
    "--lock-timeout",
    type=click.FloatRange(0.1),
    default=3.0,
    help="How many seconds a statement waits for a table; requests wait behind it.",
)
@click.option(
    "--statement-timeout",
    type=click.FloatRange(1),
    default=900.0,
    help="How many seconds one statement may take.",
)
@click.option(
    "--patience",
    type=click.FloatRange(0),
    default=120.0,
    help="For how many seconds it tries again while a table is in use.",
)
@data_dir_option
def migrate_command(lock_timeout: float, statement_timeout: float, patience: float, data_dir: Path) -> None:
    """Apply the migrations that are missing; any number of processes may do so at once.

    A database that a newer release has migrated is left as it is, so a release can be rolled back. If another
    transaction holds a table, everything is rolled back and tried again.
    """
    from models.db.schema import MigrationLimits, applied_revision, migrate, newest_revision

    limits = MigrationLimits(lock_timeout, statement_timeout, patience_seconds=patience)
    with opened_database(settings_here(data_dir)) as database:
        migrate(database.engine, limits)
        with database.engine.connect() as connection:
            applied = applied_revision(connection)
    newer = "" if applied == newest_revision() else ", that of a newer release, which this one can use"
    click.echo(f"the database is at revision {applied}{newer}")


@click.command("rebuild")
@click.option("--course", type=int, metavar="ID", help="Rebuild the attempts of this course only.")
@data_dir_option
def rebuild_command(course: int | None, data_dir: Path) -> None:
    """Derive the texts of attempts again from what the LMS pushed.

    Run it when a release has changed the rules of these texts: `quiz-reports doctor` tells how many attempts
    were made by older rules. It works in batches while the service runs, and may be stopped and run again.
    Reports of quizzes in which something changed become stale.

    An attempt whose payload is not valid any more stays as it is; the exit status is then 1.
    """
    from models.ingestion.rebuild import count_attempts
    from models.lms.courses import Course

    settings = settings_here(data_dir)
    with opened_database(settings, statement_timeout_seconds=_LONGEST_WAIT_SECONDS) as database:
        with database.transaction() as session:
            if course is not None and session.get(Course, course) is None:
                raise NotFoundError(f"there is no course {course}")
            counts = count_attempts(session, course)
        changed, issues = 0, list[str]()
        total = sum(counts.values())
        with click.progressbar(length=total, label="attempts", file=sys.stderr) as bar:
            for rebuilt in _rebuild_quizzes(database, counts):
                changed += rebuilt.changed
                issues += [f"{issue.path}: {issue.reason}" for issue in rebuilt.issues]
                bar.update(rebuilt.read)
    click.echo(f"{changed} of {total} attempts have changed")
    if issues:
        for line in issues[:_MOST_ISSUES_SHOWN]:
            click.echo(f"  {line}", err=True)
        raise click.ClickException(f"{len(issues)} attempts could not be derived again and stay as they were")


def _rebuild_quizzes(database: Database, quiz_ids: Iterable[int]) -> Iterator[RebuiltAttempts]:
    from models.ingestion.rebuild import list_attempts, rebuild_attempts

    for quiz_id in quiz_ids:
        with database.transaction() as session:
            attempt_ids = list_attempts(session, quiz_id)
        start = 0
        while start < len(attempt_ids):
            with database.transaction() as session:
                rebuilt = rebuild_attempts(session, quiz_id, attempt_ids[start : start + _REBUILT_AT_ONCE])
            start += rebuilt.read
            yield rebuilt


def _require_known_scopes(
    _context: click.Context, _option: click.Parameter, scopes: tuple[str, ...]
) -> tuple[str, ...]:
    if scopes:
        # Imported here because the other commands have no use for the routes.
        from api.app import create_app
        from api.openapi.document import routes

        known = {route.scope for route in routes(create_app(Settings())) if route.scope is not None}
        for scope in scopes:
            if scope not in known:
                near = difflib.get_close_matches(scope, known, n=3, cutoff=0.5) or sorted(known)
                raise click.BadParameter(f"no route has the scope {scope}; there are " + ", ".join(near))
    return scopes


@click.group("token")
def token_group() -> None:
    """Create, list and revoke access tokens."""


@token_group.command("create")
@click.option(
    "--user", type=click.IntRange(1), required=True, metavar="ID", help="The LMS id of the token's user."
)
@click.option("--admin", is_flag=True, help="Allow everything, including pushing data.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="S",
    callback=_require_known_scopes,
    help="Limit the token to this route; may be repeated.",
)
@click.option(
    "--expires",
    type=click.IntRange(1),
    metavar="DAYS",
    help="The number of days until it expires.  [default: never]",
)
@click.option(
    "--course",
    "courses",
    multiple=True,
    type=int,
    metavar="ID",
    help="Limit the token to this course, by its LMS id; may be repeated.",
)
@data_dir_option
def create_command(
    user: int,
    scopes: tuple[str, ...],
    courses: tuple[int, ...],
    expires: int | None,
    data_dir: Path,
    *,
    admin: bool,
) -> None:
    """Issue a token and print it. Only its hash is stored, so it cannot be shown again.

    Without --admin and --scope, the token reads what its user may read. A scope is spelled as in Canvas, for
    example url:GET|/api/v1/courses/:course_id/quizzes/:quiz_id/reports
    """
    from models.access.tokens import create_token

    with opened_database(settings_here(data_dir)) as database, database.transaction() as session:
        token = create_token(
            session, user_id=user, admin=admin, scopes=scopes, course_ids=courses, expires_days=expires
        )
    _log_line(
        "token_created",
        last_four=token[-4:],
        user_id=user,
        admin=admin,
        scopes=scopes,
        course_ids=courses,
        expires_days=expires,
    )
    click.echo(token)


@token_group.command("list")
@data_dir_option
def list_command(data_dir: Path) -> None:
    """List the tokens: id, last four characters, user, rights, courses, expiry."""
    from models.access.tokens import list_tokens

    with opened_database(settings_here(data_dir)) as database, database.transaction() as session:
        for token in list_tokens(session):
            rights = [*(["admin"] if token.is_admin else []), *token.scopes] or ["reading"]
            rights += [f"course:{course_id}" for course_id in token.course_ids]
            end = f"until {token.expires_at:%Y-%m-%d %H:%M} UTC" if token.expires_at else "no expiry"
            click.echo(f"{token.id}\t…{token.last_four}\tuser {token.user_id}\t{' '.join(rights)}\t{end}")


@token_group.command("revoke")
@click.argument("token_id", metavar="ID", type=int)
@data_dir_option
def revoke_command(token_id: int, data_dir: Path) -> None:
    """Revoke a token at once; `quiz-reports token list` shows the ids."""
    from models.access.tokens import revoke_token

    with opened_database(settings_here(data_dir)) as database, database.transaction() as session:
        if not revoke_token(session, token_id):
            raise NotFoundError(f"there is no token {token_id}: quiz-reports token list shows them")
    _log_line("token_revoked", token_id=token_id)


def _log_line(event: str, **fields: object) -> None:
    """Write a line to the log, on standard error as every process does."""
    configure_logging(Settings.from_env())
    structlog.stdlib.get_logger(__name__).info(event, system_user=_system_user(), **fields)


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no name.
        return str(os.getuid())
