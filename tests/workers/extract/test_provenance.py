"""What a report says about the attempts that it leaves out."""

from __future__ import annotations

import numpy as np

from workers.analysis.provenance import AttemptCounts, LeftOut
from workers.extract.provenance import attempt_counts
from workers.extract.selection import Selection

KINDS = {"student": 5, "logged_out": 2, "preview": 1}


def selection(attempts: int) -> Selection:
    return Selection(np.arange(attempts), np.zeros(attempts, np.int32), [], rule="Some.")


def test_attempts_without_a_row_are_left_out_in_favour_of_others() -> None:
    assert attempt_counts(selection(4), KINDS, takes_logged_out=True) == AttemptCounts(
        "Some.", 4, [LeftOut("previews", 1), LeftOut("another attempt of the student counts", 3)]
    )


def test_logged_out_takers_are_left_out_for_that_reason() -> None:
    counts = attempt_counts(selection(5), KINDS, takes_logged_out=False)

    assert counts.left_out == [LeftOut("previews", 1), LeftOut("of takers who were not logged in", 2)]


def test_a_quiz_without_attempts_leaves_nothing_out() -> None:
    assert attempt_counts(selection(0), {}, takes_logged_out=True) == AttemptCounts("Some.", 0, [])
