"""The comparison of reports with the plain computations of tests/reference, which read the pushed data."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

import ops
from models.reports.variants import ReportType
from ops.benchmarks.population import Population
from ops.benchmarks.stack import BenchmarkError, BenchmarkStack, log_line

# The packages do not import the tests, which a clone has beside them.
_PROJECT = Path(ops.__path__[0]).parent
_COMPARE = "tests.reference.compare"
_BLOCK_BYTES = 2**20


def check_reports(stack: BenchmarkStack, population: Population, reports: Mapping[ReportType, Path]) -> None:
    """Compare files with all attempts row by row; raise BenchmarkError if one differs."""
    with _pushed_files(stack.folder, population) as pushed:
        for report_type, file in reports.items():
            log_line(f"checking the {report_type} of {population.attempts:,} attempts row by row")
            command = [sys.executable, "-m", _COMPARE, str(report_type), str(file), *map(str, pushed)]
            compared = subprocess.run(command, cwd=_PROJECT, stderr=subprocess.PIPE, text=True, check=False)
            if compared.returncode != 0:
                raise BenchmarkError(f"quiz {population.quiz_id}: {compared.stderr.strip()}")


@contextlib.contextmanager
def _pushed_files(folder: Path, population: Population) -> Iterator[list[Path]]:
    """Write a course, a quiz and its attempts as an LMS would push them; remove the files afterwards."""
    files = [folder / name for name in ("course.json", "quiz.json", "attempts.ndjson")]
    files[0].write_bytes(msgspec.json.encode({"course": population.course.definition()}))
    files[1].write_bytes(msgspec.json.encode({"quiz": population.definition()}))
    write_ndjson(population, files[2])
    try:
        yield files
    finally:
        for file in files:
            file.unlink()


def write_ndjson(population: Population, file: Path) -> None:
    """Write the attempts as an LMS would push them, one a line."""
    with file.open("wb", buffering=_BLOCK_BYTES) as lines:
        for block in population.blocks():
            for row in range(len(block.number)):
                lines.write(msgspec.json.encode(population.pushed(block, row)) + b"\n")
