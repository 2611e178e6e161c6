"""Compare a report with the plain computation of it: `python -m tests.reference.compare`.

    python -m tests.reference.compare TYPE REPORT COURSE QUIZ ATTEMPTS

REPORT is a CSV file of all attempts with SIS ids; the other three hold what was pushed, see `pushed`. It ends
with status 1, and the first difference, where they are not alike.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.reference.plain_item_analysis import check_item_analysis
from tests.reference.plain_student_analysis import check_student_analysis
from tests.reference.pushed import DifferenceError, Pushed

CHECKS = {"student_analysis": check_student_analysis, "item_analysis": check_item_analysis}


def main(report_type: str, report: str, *pushed: str) -> None:
    try:
        CHECKS[report_type](Pushed(*map(Path, pushed)), Path(report))
    except DifferenceError as difference:
        sys.exit(str(difference))


if __name__ == "__main__":
    main(*sys.argv[1:])
