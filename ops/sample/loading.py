"""Does with the sample course what an LMS and a teacher do: pushes it, asks for its reports, saves them."""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from ops.client import Client, Report
from ops.client_commands import wait_with_bar
from ops.sample.contents import sample_quizzes
from ops.sample.course import COURSE_ID, SampleQuiz, sample_course

_PREVIEW_LINES = 3
_NARROWEST = 40


def run_sample(base_url: str, admin_token: str, output_dir: Path) -> None:
    """Load the sample course into a running service, and save the reports of its quizzes with a preview.

    Done again it changes nothing: the service then has the same data, and hands out the same files.
    """
    output_dir.mkdir(parents=True, exist_ok=True)
    quizzes = sample_quizzes()
    with Client(base_url, admin_token) as client:
        _load(client, quizzes)
        saved = [path for sample in quizzes for path in _make_reports(client, sample, output_dir)]
    click.echo(f"\nThe reports of the sample course are in {output_dir}; how they begin:")
    for path in saved:
        _preview(path)


def _load(client: Client, quizzes: list[SampleQuiz]) -> None:
    click.echo("loading the sample course")
    click.echo(f"  course {COURSE_ID}: {client.put_course(COURSE_ID, sample_course())}")
    for sample in quizzes:
        title = sample.quiz["title"]
        click.echo(f"  quiz {sample.id}, {title}: {client.put_quiz(COURSE_ID, sample.id, sample.quiz)}")
        lines = [msgspec.json.encode(attempt) + b"\n" for attempt in sample.submissions]
        counts = client.put_submissions(COURSE_ID, sample.id, lines, sum(map(len, lines)))
        click.echo(f"  its attempts: {counts}")


def _make_reports(client: Client, sample: SampleQuiz, output_dir: Path) -> Iterator[Path]:
    """Ask for both reports of a quiz, of all attempts too where students came again; yield the files."""
    click.echo(f"reports of quiz {sample.id}, {sample.quiz['title']}")
    for report in client.reports(COURSE_ID, sample.id):
        if not report.generatable:
            click.echo(f"  {report.report_type}: a survey has no right answers, so there is none")
            continue
        yield _make_report(client, sample, report, output_dir, all_versions=False)
        if sample.has_later_attempts and report.report_type == "student_analysis":
            yield _make_report(client, sample, report, output_dir, all_versions=True)


def _make_report(
    client: Client, sample: SampleQuiz, listed: Report, output_dir: Path, *, all_versions: bool
) -> Path:
    name = f"{sample.name}_{listed.report_type}{'_all_versions' if all_versions else ''}"
    report = client.request_report(COURSE_ID, sample.id, listed.report_type, all_versions=all_versions)
    if report.file is None:
        report = wait_with_bar(client, COURSE_ID, report, f"  {name}", sys.stdout)
    else:
        click.echo(f"  {name}: nothing has changed since it was made")
    path = output_dir / f"{name}.csv"
    client.save(report, path)
    return path


def _preview(path: Path) -> None:
    """Show the first lines of a file, as much of each as the terminal is wide."""
    width = max(_NARROWEST, shutil.get_terminal_size().columns)
    click.echo(f"\n{path}")
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in itertools.islice(file, _PREVIEW_LINES):
            shown = f"  {line.rstrip()}"
            click.echo(shown if len(shown) <= width else f"{shown[: width - 1]}…")
