"""Use the sample course as an LMS and a teacher would: push it, request its reports, save their files.

The course is kept in files beside this module, which README.md describes.
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
from ops.sample.simulated_exam import simulated_submissions

# A JSON object.
Json = dict[str, Any]

_DATA = Path(__file__).parent
_QUIZZES = ("lsat", "cells", "survey", "exam")
_TEACHER = "7001"
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
        """Whether a student took the quiz more than once."""
        return any(submission["attempt"] > 1 for submission in self.submissions)


def sample_files() -> dict[str, Json]:
    """Return the contents of the files that `quiz-reports import` accepts, by their names."""
    files = {path.name: json.loads(path.read_bytes()) for path in sorted(_DATA.glob("*.json"))}
    exam = files["exam_quiz.json"]["quiz"]["questions"]
    for name, submissions in (("lsat", _lsat_submissions()), ("exam", simulated_submissions(exam))):
        quiz = files[f"{name}_quiz.json"]["quiz"]
        files[f"{name}_submissions.json"] = {
            "course_id": quiz["course_id"],
            "quiz_id": quiz["id"],
            "quiz_submissions": list(submissions),
        }
    return files


def _lsat_submissions() -> Iterator[Json]:
    """Yield a thousand attempts: each line holds the first with a pattern of responses, and their number.

    The others differ by their ids, and were each finished a second after the one before.
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
    """Write the course into a directory, and return the paths of the files."""
    directory.mkdir(parents=True, exist_ok=True)
    files = sample_files()
    for name, content in files.items():
        text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        (directory / name).write_text(text, encoding="utf-8")
    return [directory / name for name in files]


def run_sample(base_url: str, admin_token: str, output_dir: Path) -> None:
    """Push the course to a running service, save the reports of its quizzes, and print how they begin.

    A second run pushes the same data, so the reports stay current and the same files are saved.
    """
    output_dir.mkdir(parents=True, exist_ok=True)
    quizzes = sample_quizzes()
    with Client(base_url, admin_token) as client:
        _load(client, quizzes)
        saved = [path for quiz in quizzes for path in _make_reports(client, quiz, output_dir)]
        click.echo(f"\nThe reports of the sample course are in {output_dir} and begin like this:")
        for path in saved:
            _preview(path)
        exam = quizzes[-1]
        link = client.page_link(exam.course_id, exam.id, _TEACHER)
    click.echo(f"\nOpen the pages of {exam.definition['title']}, within a minute: {link}")
    click.echo(f"or later: quiz-reports page {exam.course_id} {exam.id} --user {_TEACHER}")


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
    """Request both reports of a quiz, and of all attempts if a student has several; yield the files."""
    click.echo(f"reports of quiz {quiz.id}, {quiz.definition['title']}")
    for report in client.reports(quiz.course_id, quiz.id):
        if not report.generatable:
            click.echo(f"  {report.report_type}: not for surveys, which have no right answers")
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
    """Print the first lines of a file, cut to the width of the terminal."""
    width = max(_NARROWEST, shutil.get_terminal_size().columns)
    click.echo(f"\n{path}")
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in itertools.islice(file, _PREVIEW_LINES):
            shown = f"  {line.rstrip()}"
            click.echo(shown if len(shown) <= width else f"{shown[: width - 1]}…")
