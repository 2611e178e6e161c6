"""Reports of the sample course that all tests of their bytes make, and the requests that push the course."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.reports.variants import ReportType
from ops.sample.loading import sample_files

# Of the files of KINDS, by report type and format; test_formats says how.
DIGESTS = Path(__file__).parent / "scenarios" / "digests.json"


@dataclass(frozen=True)
class Kind:
    """A report of the sample course."""

    report_type: ReportType
    quiz_id: int
    all_versions: bool = False
    section_ids: Sequence[int] = ()

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of its request."""
        return {
            "report_type": self.report_type,
            "includes_all_versions": self.all_versions,
            "section_ids": self.section_ids,
        }

    @property
    def path(self) -> str:
        """Where it is requested."""
        return f"/api/v1/courses/101/quizzes/{self.quiz_id}/reports"


# Real responses; every question type, second attempts and a logged-out taker; an anonymous survey.
KINDS = [
    Kind(ReportType.ITEM_ANALYSIS, 201),
    Kind(ReportType.ITEM_ANALYSIS, 202),
    Kind(ReportType.STUDENT_ANALYSIS, 202),
    Kind(ReportType.STUDENT_ANALYSIS, 202, all_versions=True),
    Kind(ReportType.STUDENT_ANALYSIS, 202, section_ids=(3101,)),
    Kind(ReportType.STUDENT_ANALYSIS, 203),
]


def sample_pushes() -> Iterator[tuple[str, Any]]:
    """Yield the paths and bodies of the requests that push the course, in an order that works."""
    bodies = sample_files()
    for name in sorted(bodies, key=lambda name: (name != "course.json", "quiz" not in name)):
        yield _push_path(bodies[name]), bodies[name]


def _push_path(body: Any) -> str:
    if "course" in body:
        return "/api/v1/courses/101"
    if "quiz" in body:
        return f"/api/v1/courses/101/quizzes/{body['quiz']['id']}"
    return f"/api/v1/courses/101/quizzes/{body['quiz_id']}/submissions"
