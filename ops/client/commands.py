"""The commands that use a running service: push files, and fetch a report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click

from models.reports.variants import CLASSIC_FORMATS, ReportFormat, ReportType
from ops.client.http import Client, Counts, OnInvalid, RefusedError, Report
from ops.client.import_files import ImportFile, open_import_file
from ops.local.data_directory import DataDirectory, data_dir_option

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _connection_options(command: _Command) -> _Command:
    """Add the options that name the service and the token."""
    for option in (
        data_dir_option,
        click.option(
            "--token",
            envvar="QUIZ_REPORTS_TOKEN",
            metavar="TOKEN",
            help="The access token.  [default: $QUIZ_REPORTS_TOKEN]",
        ),
        click.option(
            "--url",
            envvar="QUIZ_REPORTS_URL",
            metavar="URL",
            help="The address of the service.  [default: $QUIZ_REPORTS_URL]",
        ),
    ):
        command = option(command)
    return command


def _connect(url: str | None, token: str | None, data_dir: Path) -> Client:
    """Open a client; the default is the stack that runs on the data directory.

    The administrator's token of that stack is never sent to another address.
    """
    ready = None if url and token else DataDirectory(data_dir).read_ready()
    if not url:
        if ready is None:
            raise click.ClickException(
                f"no service runs on {data_dir}: start one with `quiz-reports up`, or name one with --url"
            )
        url = ready.base_url
    if not url.startswith(("http://", "https://")):
        raise click.UsageError(f"--url {url} must begin with http:// or https://")
    if not token:
        if ready is None or ready.base_url != url.rstrip("/"):
            raise click.UsageError("--token is missing: `quiz-reports token create --user ID` makes one")
        token = ready.admin_token
    return Client(url, token)


@click.command("import")
@click.argument(
    "paths",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--course", metavar="ID", help="The course, if a file does not name it or names another.")
@click.option(
    "--quiz",
    type=click.IntRange(1),
    metavar="ID",
    help="The quiz, if a file does not name it or names another.",
)
@click.option("--check", "is_check", is_flag=True, help="Store nothing, and print all that is invalid.")
@click.option("--skip", "skips", is_flag=True, help="Store what is valid, and print what is skipped.")
@_connection_options
def import_command(
    paths: tuple[Path, ...],
    course: str | None,
    quiz: int | None,
    url: str | None,
    token: str | None,
    data_dir: Path,
    *,
    is_check: bool,
    skips: bool,
) -> None:
    """Push course, quiz and submission files.

    A file holds the body of one of the API's three PUTs, with the ids inside. The files may be given in any
    order:

    \b
      {"course": {"id": 101, "name": ..., "users": [...]}}
      {"quiz": {"id": 201, "course_id": 101, "questions": [...]}}
      {"course_id": 101, "quiz_id": 201, "quiz_submissions": [...]}

    A file that ends in .ndjson or .jsonl holds submissions, one attempt per line; name their quiz with
    --course and --quiz. Such a file may have up to 1 GiB.

    Each file is stored whole or not at all; the first that is refused ends the import. Pushing a file again
    changes nothing. While the service is busy, the import waits for up to a minute and sends the file again.
    If `quiz-reports up` is running, --url and --token can be left out.

    With --check, nothing is stored: the command prints for each file what would be stored, and by kind what
    is invalid, and exits with 1 if anything is. The files of a course, its quizzes and their submissions are
    checked together, even if none of them is stored yet. With --skip, what is valid is stored, and the rest
    is printed in the same way.

    \b
    Example:
      python -m ops.sample sample/
      quiz-reports import --check sample/*.json
      quiz-reports import sample/*.json
      quiz-reports import attempts.ndjson --course 101 --quiz 201
    """
    files = [open_import_file(path, course=course, quiz_id=quiz) for path in paths]
    if quiz is not None and sum(file.rank == 1 for file in files) > 1:
        raise click.UsageError("--quiz names one quiz, and several of the files are quizzes")
    if is_check and skips:
        raise click.UsageError("--check stores nothing, so --skip cannot be given beside it")
    files.sort(key=lambda file: file.rank)
    with _connect(url, token, data_dir) as client:
        if is_check:
            _check(client, files)
            return
        for file in files:
            _push(client, file, OnInvalid.SKIP if skips else OnInvalid.REFUSE)


def _check(client: Client, files: Sequence[ImportFile]) -> None:
    """Check every file, also after one that is refused; exit with 1 if anything is invalid."""
    is_valid = True
    for file in files:
        preceding = [other for other in files if other.precedes(file)]
        try:
            counts = _push(client, file, OnInvalid.CHECK, preceding)
        except click.exceptions.Exit:
            is_valid = False
        except click.ClickException as error:
            error.show()
            is_valid = False
        else:
            is_valid = is_valid and not counts.skipped and counts.complete
    if not is_valid:
        raise click.exceptions.Exit(1)


def _push(
    client: Client, file: ImportFile, on_invalid: OnInvalid, preceding: Sequence[ImportFile] = ()
) -> Counts:
    try:
        with click.progressbar(length=file.path.stat().st_size, label=str(file.path), file=sys.stderr) as bar:
            counts = file.push(client, bar.update, on_invalid, preceding)
    except RefusedError as error:
        if len(error.reasons) == 1:
            raise click.ClickException(f"{file.path} was {error}") from None
        count = len(error.reasons)
        at_least = "at least " if count == 20 else ""
        click.echo(
            f"quiz-reports: {file.path}: {at_least}{count} values are not valid, nothing of it was stored:",
            err=True,
        )
        for reason in error.reasons:
            click.echo(f"  {reason}", err=True)
        raise click.exceptions.Exit(1) from None
    would_be = "would be " if on_invalid is OnInvalid.CHECK else ""
    click.echo(f"{file.path} → {file.target}: {would_be}{counts}")
    for issue in counts.issues:
        click.echo(f"  {issue.count:,} × {issue.kind}: {issue.kind.meaning}")
        for path in issue.examples:
            click.echo(f"      {path}")
        if issue.count > len(issue.examples):
            click.echo(f"      … and {issue.count - len(issue.examples):,} more")
    if not counts.complete:
        click.echo("  the check stopped here: there may be more")
    return counts


@click.command("page")
@click.argument("course")
@click.argument("quiz", type=int)
@click.option("--user", required=True, metavar="ID", help="The teacher or teaching assistant to sign in.")
@_connection_options
def page_command(
    course: str, quiz: int, user: str, url: str | None, token: str | None, data_dir: Path
) -> None:
    """Print a link to the pages of a quiz: its reports and its item analysis.

    The first browser that opens the link within a minute is signed in as the user, for two hours and this
    course.

    \b
    Example:
      quiz-reports page 101 204 --user 7001
    """
    with _connect(url, token, data_dir) as client:
        click.echo(client.page_link(course, quiz, user))


@click.command("report")
@click.argument("course", metavar="COURSE")
@click.argument("quiz", metavar="QUIZ", type=click.IntRange(1))
@click.argument("report_type", metavar="TYPE", type=click.Choice([kind.value for kind in ReportType]))
@click.option(
    "--format",
    "report_format",
    type=click.Choice([kind.value for kind in CLASSIC_FORMATS]),
    default=ReportFormat.CSV.value,
    help="The format of the file.",
)
@click.option("--all-versions", is_flag=True, help="Include every attempt, not only the one that counts.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="The file to write; - is standard output.  [default: quiz_QUIZ_TYPE.FORMAT]",
)
@_connection_options
def report_command(
    course: str,
    quiz: int,
    report_type: str,
    report_format: str,
    output: Path | None,
    url: str | None,
    token: str | None,
    data_dir: Path,
    *,
    all_versions: bool,
) -> None:
    """Request a report, wait for it, and save its file.

    COURSE is an id or sis_course_id:ABC, QUIZ an id, TYPE student_analysis (a row per student) or
    item_analysis (a row per question). If the report is already being generated, the command waits for it; if
    nothing has changed since it was generated, the file is there at once.

    The file is saved whole or not at all, replaces an older one of its name, and its path is printed. If
    `quiz-reports up` is running, --url and --token can be left out.

    \b
    Example:
      quiz-reports report 101 201 item_analysis
      quiz-reports report 101 201 student_analysis --all-versions -o all.csv
    """
    versions = "_all_versions" if all_versions else ""
    path = output or Path(f"quiz_{quiz}_{report_type}{versions}.{report_format}")
    if not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.parent}", param_hint="--output")
    with _connect(url, token, data_dir) as client:
        report = client.request_report(course, quiz, report_type, report_format, all_versions=all_versions)
        report = wait_with_bar(client, course, report, report_type, sys.stderr)
        if str(path) == "-":
            client.download(report, sys.stdout.buffer)
        else:
            client.save(report, path)
            click.echo(path)


def wait_with_bar(client: Client, course: int | str, report: Report, label: str, to: TextIO) -> Report:
    """Wait for a report with a progress bar; return it with its file.

    If the output is not a terminal, only the label is printed.
    """
    if report.file is not None:
        return report
    with click.progressbar(length=100, label=label, file=to) as bar:
        return client.wait_for(course, report, lambda completion: bar.update(int(completion) - bar.pos))
