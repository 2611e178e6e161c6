"""A process that is forked like the child of a worker and generates the reports that it is told to.

Each line of input has the ids of a report and its Progress, each line of output the seconds and peak memory.
"""

from __future__ import annotations

import json
import os
import sys
import time

from models.settings import Settings
from ops.benchmarks.memory import peak_bytes
from workers.app import create_celery
from workers.generation import generate
from workers.resources import Resources


def main() -> None:
    """Load what a worker loads, fork, and generate reports in the child."""
    settings = Settings.from_env()
    create_celery(settings)
    if child := os.fork():
        os.waitpid(child, 0)
        return
    results = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    # The log must not mix with the results.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    resources = Resources(settings)
    for line in sys.stdin:
        report_id, progress_id = map(int, line.split())
        began = time.perf_counter()
        generate(resources, report_id, progress_id)
        took = time.perf_counter() - began
        results.write(json.dumps({"seconds": took, "peak_bytes": peak_bytes()}) + "\n")


if __name__ == "__main__":
    main()
