"""The command of `make bench`."""

from __future__ import annotations

import datetime
import json
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from models.errors import QuizReportsError
from ops.benchmarks.findings import measure_findings
from ops.benchmarks.growth_plot import growth_lines, write_growth_plot
from ops.benchmarks.inputs import measure_inputs
from ops.benchmarks.long_essay import measure_long_essay, measure_many_essays
from ops.benchmarks.measure import Outcome
from ops.benchmarks.plans import measure_plans
from ops.benchmarks.pushing import measure_pushing
from ops.benchmarks.reports import measure_reports
from ops.benchmarks.scale import measure_scale
from ops.benchmarks.small_reports import measure_small_reports
from ops.benchmarks.stack import QUESTIONS, BenchmarkStack, Plan, log_line, running_stack
from ops.benchmarks.starts import measure_starts
from ops.benchmarks.table import as_json, table
from ops.benchmarks.web import measure_web

SIZES = (1_000, 10_000, 100_000, 1_000_000)
QUICK_SIZES = (1_000, 10_000)
SMALLEST = 100

Measure = Callable[[BenchmarkStack], Iterator[Outcome]]

FIGURES: dict[str, tuple[str, Measure]] = {
    "reports": ("both reports at every size: time, growth, memory, correctness", measure_reports),
    "essay": ("the memory that an essay of 5 MB takes", measure_long_essay),
    "essays": ("the memory that 600 essays of 500 kB take, however they compress", measure_many_essays),
    "small": ("small reports: POST to file, reports a second, two workers", measure_small_reports),
    "scale": ("reports a second with one, two and four worker processes", measure_scale),
    "web": ("GET of a report, the web process's memory, and the page of an item analysis", measure_web),
    "push": ("pushing a whole exam, and one attempt to a huge quiz", measure_pushing),
    "inputs": ("the CPU time of all that comes in, by its size, and of refusals", measure_inputs),
    "plans": ("the query plans of the hot statements", measure_plans),
    "findings": (
        "how many wrong keys are found, and how many items of clean quizzes are marked",
        measure_findings,
    ),
    "start": ("how long the command, the API and a worker take to start", measure_starts),
}


@click.command("benchmarks", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Small sizes and short runs, to see that the benchmarks work.")
@click.option("--only", metavar="NAME", multiple=True, help="Measure this figure only; may be repeated.")
@click.option(
    "--sizes", metavar="N,N,…", help=f"The numbers of attempts.  [default: {','.join(map(str, SIZES))}]"
)
@click.option(
    "--questions",
    type=click.IntRange(1, 999),
    default=QUESTIONS,
    show_default=True,
    help="The number of questions of each quiz whose attempts --sizes counts.",
)
@click.option(
    "--runs", type=click.IntRange(1), default=3, show_default=True, help="The number of runs of each figure."
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("build/bench/bench.json"),
    show_default=True,
    help="The file for all runs; the table (.md) and the plot of growth (.svg) are written beside it.",
)
def main(
    *, quick: bool, only: Sequence[str], sizes: str | None, questions: int, runs: int, json_path: Path
) -> None:
    """Measure the service against a reference that does the least possible work, in the same run.

    Starts PostgreSQL and Valkey in a temporary folder, as durable as those of `quiz-reports up`, or uses
    DATABASE_URL (an empty database, which is filled) and REDIS_URL. All data is generated from a seed. Each
    figure is the median of several runs that alternate with its reference; the minimum and maximum are given
    beside it. Each file of up to 100,000 attempts is compared row by row with a plain computation in
    tests/reference, so a clone is needed. A full run takes 10 GB of disk and a quarter of an hour.

    \b
    Example:
      python -m ops.benchmarks --quick --only small
      python -m ops.benchmarks --only reports --sizes 3000000 --questions 20 --runs 1
    """
    # On SIGTERM, servers and their gigabytes are removed as on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan = Plan(_sizes(sizes, quick=quick), runs, quick, questions)
    names = _names(only)
    began = datetime.datetime.now(datetime.UTC)
    outcomes: list[Outcome] = []
    try:
        with running_stack(plan) as stack:
            for name in names:
                log_line(f"measuring {name}: {FIGURES[name][0]}")
                outcomes.extend(FIGURES[name][1](stack))
    finally:
        # A failure of one figure must not lose those that took many minutes before it.
        if outcomes:
            _write(json_path, began, outcomes)
    click.echo(_machine(began))
    click.echo()
    click.echo(table(outcomes))


def _sizes(text: str | None, *, quick: bool) -> Sequence[int]:
    if text is None:
        return QUICK_SIZES if quick else SIZES
    try:
        sizes = sorted({int(size) for size in text.replace("_", "").split(",")})
    except ValueError:
        sizes = []
    if not sizes or sizes[0] < SMALLEST:
        raise click.UsageError(f"--sizes takes numbers from {SMALLEST} on, for example 1000,10000")
    return sizes


def _names(only: Sequence[str]) -> Sequence[str]:
    if unknown := set(only) - set(FIGURES):
        raise click.UsageError(f"there is no {', '.join(sorted(unknown))}: --only takes {', '.join(FIGURES)}")
    return [name for name in FIGURES if not only or name in only]


def _write(path: Path, began: datetime.datetime, outcomes: Sequence[Outcome]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figures = [as_json(outcome) for outcome in outcomes]
    path.write_text(json.dumps({"machine": _machine(began), "figures": figures}, indent=2) + "\n")
    path.with_suffix(".md").write_text(f"{_machine(began)}\n\n{table(outcomes)}\n")
    if lines := growth_lines(outcomes):
        write_growth_plot(path.with_suffix(".svg"), "Time of a report by its size", lines)


def _machine(began: datetime.datetime) -> str:
    """Describe when and on which machine this was measured."""
    load = os.getloadavg()[0]
    return (
        f"{began:%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}, load in the last minute {load:.1f}"
    )


if __name__ == "__main__":
    try:
        main.main(prog_name="python -m ops.benchmarks", standalone_mode=True)
    except QuizReportsError as error:
        click.echo(f"benchmarks: {error}", err=True)
        sys.exit(1)
