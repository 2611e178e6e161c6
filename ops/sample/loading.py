"""Does with the sample course what an LMS and a teacher do: pushes it, asks for its reports, saves them.

The course lies beside this module in files; README.md tells what is in them.
"""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
import msgspec

from ops.client.commands import wait_with_bar
from ops.client.http import Client, Report

# What JSON holds.
Json = dict[str, Any]

_DATA = Path(__file__).parent
_QUIZZES = ("lsat", "cells", "survey")
_PREVIEW_LINES = 3
_NARROWEST = 40


@dataclass(frozen=True)
class SampleQuiz:
    """A quiz of the sample course: its definition and its attempts, as they are pushed."""

    name: str
    course_id: int
    id: int
    definition: Json
    submissions: list[Json]

    @property
    def has_later_attempts(self) -> bool:
        """Whether a student came again."""
        return any(submission["attempt"] > 1 for submission in self.submissions)


def sample_files() -> dict[str, Json]:
    """Return the content of each file of the course that `quiz-reports import` takes, by its name."""
    files = {path.name: json.loads(path.read_bytes()) for path in sorted(_DATA.glob("*.json"))}
    quiz = files["lsat_quiz.json"]["quiz"]
    files["lsat_submissions.json"] = {
        "course_id": quiz["course_id"],
        "quiz_id": quiz["id"],
        "quiz_submissions": list(_lsat_submissions()),
    }
    return files


def _lsat_submissions() -> Iterator[Json]:
    """Yield a thousand attempts: a line holds the first that has its pattern of responses, and how many do.

    The others differ only by their ids and by their time, a second after one another.
    """
    for line in (_DATA / "lsat_patterns.ndjson").read_bytes().splitlines():
        pattern = json.loads(line)
        first = pattern["first"]
        for number in range(pattern["count"]):
            finished = datetime.fromisoformat(first["finished_at"]) + timedelta(seconds=number)
            at = f"{finished:%Y-%m-%dT%H:%M:%SZ}"
            ids = {"id": first["id"] + number, "user_id": first["user_id"] + number}
            yield {**first, **ids, "finished_at": at, "updated_at": at}


def sample_course() -> Json:
    """Return the course with its roster."""
    course: Json = json.loads((_DATA / "course.json").read_bytes())["course"]
    return course


def sample_quizzes() -> list[SampleQuiz]:
    """Return the quizzes of the course."""
    files = sample_files()
    quizzes = []
    for name in _QUIZZES:
        definition = files[f"{name}_quiz.json"]["quiz"]
        submissions = files[f"{name}_submissions.json"]["quiz_submissions"]
        quizzes.append(
            SampleQuiz(name, definition.pop("course_id"), definition.pop("id"), definition, submissions)
        )
    return quizzes


def write_sample(directory: Path) -> list[Path]:
    """Write the course into a directory and return the files."""
    directory.mkdir(parents=True, exist_ok=True)
    files = sample_files()
    for name, content in files.items():
        text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        (directory / name).write_text(text, encoding="utf-8")
    return [directory / name for name in files]


def run_sample(base_url: str, admin_token: str, output_dir: Path) -> None:
    """Load the course into a running service, and save the reports of its quizzes with a preview.

    Done again it changes nothing: the service then has the same data, and hands out the same files.
    """
    output_dir.mkdir(parents=True, exist_ok=True)
    quizzes = sample_quizzes()
    with Client(base_url, admin_token) as client:
        _load(client, quizzes)
        saved = [path for quiz in quizzes for path in _make_reports(client, quiz, output_dir)]
    click.echo(f"\nThe reports of the sample course are in {output_dir}; how they begin:")
    for path in saved:
        _preview(path)


def _load(client: Client, quizzes: list[SampleQuiz]) -> None:
    click.echo("loading the sample course")
    course = sample_course()
    course_id = course.pop("id")
    click.echo(f"  course {course_id}: {client.put_course(course_id, course)}")
    for quiz in quizzes:
        counts = client.put_quiz(quiz.course_id, quiz.id, quiz.definition)
        click.echo(f"  quiz {quiz.id}, {quiz.definition['title']}: {counts}")
        lines = [msgspec.json.encode(attempt) + b"\n" for attempt in quiz.submissions]
        counts = client.put_submissions(quiz.course_id, quiz.id, lines, sum(map(len, lines)))
        click.echo(f"  its attempts: {counts}")


def _make_reports(client: Client, quiz: SampleQuiz, output_dir: Path) -> Iterator[Path]:
    """Ask for both reports of a quiz, of all attempts too where students came again; yield the files."""
    click.echo(f"reports of quiz {quiz.id}, {quiz.definition['title']}")
    for report in client.reports(quiz.course_id, quiz.id):
        if not report.generatable:
            click.echo(f"  {report.report_type}: a survey has no right answers, so there is none")
            continue
        yield _make_report(client, quiz, report, output_dir, all_versions=False)
        if quiz.has_later_attempts and report.report_type == "student_analysis":
            yield _make_report(client, quiz, report, output_dir, all_versions=True)


def _make_report(
    client: Client, quiz: SampleQuiz, listed: Report, output_dir: Path, *, all_versions: bool
) -> Path:
    name = f"{quiz.name}_{listed.report_type}{'_all_versions' if all_versions else ''}"
    report = client.request_report(quiz.course_id, quiz.id, listed.report_type, all_versions=all_versions)
    if report.file is None:
        report = wait_with_bar(client, quiz.course_id, report, f"  {name}", sys.stdout)
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
