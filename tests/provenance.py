"""Where a report of the tests comes from."""

from __future__ import annotations

import datetime

from workers.analysis.provenance import AttemptCounts, LeftOut, Provenance

PROVENANCE = Provenance(
    report_type="student_analysis",
    course_id=101,
    quiz_id=201,
    quiz_title="Cells",
    includes_all_versions=True,
    includes_sis_ids=False,
    anonymous=False,
    section_ids=(31, 32),
    quiz_revision=3,
    roster_revision=4,
    analysis_version="1",
    # Half past nine in UTC.
    generated_at=datetime.datetime(
        2026, 9, 10, 11, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=2))
    ),
    attempts=AttemptCounts("Every attempt.", 2, [LeftOut("previews", 1)]),
    conventions=["Times are in UTC."],
    software="Quiz Reports 1",
)
