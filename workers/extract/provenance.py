"""Which attempts of a quiz a report has, how many it leaves out, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from workers.analysis.provenance import AttemptCounts, LeftOut
from workers.extract.selection import Selection

ALL_ATTEMPTS: Final = "Every submitted attempt of each student, and of takers who were not logged in."
KEPT_ATTEMPTS: Final = (
    "Of each student the attempt that counts: the latest if it has the kept score, else the first that has"
    " it, else the latest. Every submitted attempt of takers who were not logged in."
)
FIRST_ATTEMPTS: Final = "The first submitted attempt of each student."
LAST_ATTEMPTS: Final = "The last submitted attempt of each student."
OF_SECTIONS: Final = " Only students of the given sections; nobody who was not logged in."

# By the kinds of `queries.attempts_by_kind`; a student's attempt is left out only in favour of another one.
_REASONS: Final = {
    "preview": "previews",
    "other_user": "of users who are not students, or not students of the sections",
    "logged_out": "of takers who were not logged in",
    "student": "another attempt of the student counts",
}


def attempt_counts(
    selection: Selection, by_kind: Mapping[str, int], *, takes_logged_out: bool
) -> AttemptCounts:
    """Count the attempts that a selection has and leaves out, from the number of attempts of each kind."""
    counted = len(selection.attempt_ids)
    left_out = dict(by_kind)
    logged_out = left_out.pop("logged_out", 0) if takes_logged_out else 0
    left_out["student"] = left_out.get("student", 0) + logged_out - counted
    return AttemptCounts(
        selection.rule,
        counted,
        [LeftOut(reason, left_out[kind]) for kind, reason in _REASONS.items() if left_out.get(kind)],
    )
