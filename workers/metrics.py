"""The metrics of workers and sweepers."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

# Imported before the metrics are made, because it names the files of the worker's children.
import models.metrics  # noqa: F401

# From a small report to one of a million attempts.
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)

REPORTS: Final = Counter(
    "quiz_reports_reports",
    "Tries of jobs that ended, by what became of them.",
    ["type", "format", "outcome"],
)
STEP_SECONDS: Final = Histogram(
    "quiz_reports_step_seconds",
    "Time of a step of a job; reading is a part of making the file.",
    ["step"],
    buckets=_BUCKETS,
)
ROWS_READ: Final = Counter("quiz_reports_rows_read", "Attempts that were read for reports.")
LEASES_EXPIRED: Final = Counter(
    "quiz_reports_leases_expired", "Jobs that were claimed after an earlier worker had lost them."
)

JOBS_PUBLISHED_AGAIN: Final = Counter(
    "quiz_reports_jobs_published_again", "Messages that the sweeper sent again.", ["queue"]
)
JOBS_EXHAUSTED: Final = Counter(
    "quiz_reports_jobs_exhausted", "Jobs that the sweeper failed after their last try."
)
SWEEPS: Final = Counter("quiz_reports_sweeps", "Sweeps, by what became of them.", ["outcome"])
LAST_SWEEP: Final = Gauge(
    "quiz_reports_last_sweep_timestamp_seconds", "When a sweep last ended without a failure."
)
MESSAGES: Final = Gauge("quiz_reports_messages", "Job messages that wait in the broker.", ["queue"])
OBJECTS: Final = Gauge("quiz_reports_objects", "Objects in the store, when they were last listed.")
ORPHANS: Final = Gauge(
    "quiz_reports_orphans", "Objects that belong to no report, when they were last looked for."
)
