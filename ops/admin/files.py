"""`quiz-reports files`: compares the files of the reports with the objects in the store."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from models.errors import NotFoundError
from models.reports.requests import mark_file_lost
from models.reports.stored_files import StoredFile, all_files
from models.settings import Settings
from models.storage import BlobStore, open_store
from ops.admin.connection import opened_database
from ops.local.data_directory import data_dir_option, settings_here

# Reading the rows of all files may take longer than a request may.
_STATEMENT_SECONDS = 600.0


@click.group("files")
def files_group() -> None:
    """Compare the files of the reports with the store, for example after a restore."""


@files_group.command("check")
@click.option("--hashes", is_flag=True, help="Read each file and compare its SHA-256, not only its size.")
@click.option("--mark", is_flag=True, help="Mark lost files, so that the next request makes them again.")
@data_dir_option
@click.pass_context
def check_command(context: click.Context, data_dir: Path, *, hashes: bool, mark: bool) -> None:
    """Name each file that the store has lost or changed; the exit status is then 1."""
    settings = settings_here(data_dir).require("database_url", "storage_url")
    if compare_files(settings, hashes=hashes, mark=mark):
        context.exit(1)


def compare_files(settings: Settings, *, hashes: bool, mark: bool) -> int:
    """Name each file that the store has lost or changed; return their number."""
    store = open_store(settings, create=False)
    lost = 0
    with opened_database(settings, statement_timeout_seconds=_STATEMENT_SECONDS) as database:
        with database.transaction() as session:
            files = list(all_files(session))
        for file in files:
            if (fault := fault_of(file, store, hashes=hashes)) is None:
                continue
            lost += 1
            click.echo(f"{fault}: {file}")
            if mark:
                with database.transaction() as session:
                    mark_file_lost(session, file.file_id)
    click.echo(f"{len(files)} files checked, {lost} lost or changed")
    return lost


def fault_of(file: StoredFile, store: BlobStore, *, hashes: bool = False) -> str | None:
    """Tell what is wrong with a file in the store; None if nothing is."""
    try:
        if (size := store.size(file.storage_key)) != file.size:
            return f"{size} instead of {file.size} bytes"
        if hashes:
            digest = hashlib.sha256()
            for part in store.read(file.storage_key):
                digest.update(part)
            if digest.digest() != file.sha256:
                return "changed"
    except NotFoundError:
        return "missing"
    return None


@files_group.command("orphans")
@click.option("--delete", is_flag=True, help="Delete them, however many; without it they are only listed.")
@data_dir_option
def orphans_command(data_dir: Path, *, delete: bool) -> None:
    """List the objects that belong to no report and are older than a day.

    The sweeper deletes a few of them by itself, and none while they are more than a twentieth of all objects.
    """
    from workers.orphans import find_orphans

    settings = settings_here(data_dir).require("database_url", "storage_url")
    with opened_database(settings, statement_timeout_seconds=_STATEMENT_SECONDS) as database:
        store = open_store(settings, create=False)
        orphans = find_orphans(store, database)
        for key in orphans.keys:
            click.echo(key)
            if delete:
                store.delete(key)
    done = f", {len(orphans.keys)} deleted" if delete else ""
    click.echo(f"{orphans.found} of {orphans.listed} objects belong to no report{done}")
