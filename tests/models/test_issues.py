"""The policies of a push: refused whole, skipped, or only checked."""

from __future__ import annotations

import pytest

from models.errors import InvalidInputError, IssueKind, ValidationIssue
from models.issues import MOST_EXAMPLES, Checked, RefusedWhole, Skipped

MISSING = ValidationIssue("users[0].name", "is missing", IssueKind.MISSING)


def test_one_issue_refuses_a_request_at_its_end() -> None:
    issues = RefusedWhole()
    issues.finish()
    issues.skip([MISSING])

    assert not issues.writes
    with pytest.raises(InvalidInputError) as caught:
        issues.finish()
    assert caught.value.issues == (MISSING,)


def test_the_twentieth_issue_ends_a_request_at_once() -> None:
    issues = RefusedWhole()
    issues.report([MISSING] * 19)

    with pytest.raises(InvalidInputError):
        issues.report([MISSING])


def test_a_note_refuses_nothing() -> None:
    issues = RefusedWhole()
    issues.note(ValidationIssue("users[0].state", "is not known", IssueKind.UNKNOWN_WORD))

    issues.finish()


def test_skipped_issues_are_counted_by_kind_with_the_first_paths() -> None:
    issues = Skipped()
    for number in range(7):
        issues.skip([ValidationIssue(f"users[{number}]", "is odd")])
    issues.report([MISSING])
    issues.finish()

    assert [(found.kind, found.count) for found in issues.counts] == [("missing", 1), ("invalid_value", 7)]
    assert issues.counts[1].examples == [f"users[{number}]" for number in range(MOST_EXAMPLES)]
    assert (issues.n_skipped, issues.is_full, issues.is_complete) == (7, False, True)


def test_a_check_stops_at_its_last_issue() -> None:
    issues = Checked(most_issues=2)
    seen = []
    for _ in range(2):
        seen.append((issues.is_full, issues.is_complete))
        issues.skip([MISSING])
    seen.append((issues.is_full, issues.is_complete))

    assert seen == [(False, True), (False, True), (True, False)]
    assert not issues.writes


def test_notes_do_not_stop_a_check() -> None:
    issues = Checked(most_issues=2)
    for _ in range(3):
        issues.note(ValidationIssue("[0].correct", "is not known", IssueKind.UNKNOWN_WORD))
    issues.skip([MISSING])

    assert [found.count for found in issues.counts] == [1, 3]
    assert (issues.is_full, issues.is_complete) == (False, True)


def test_a_check_stops_when_its_time_is_over() -> None:
    issues = Checked(most_seconds=0.0)

    assert issues.is_full
    assert not issues.is_complete


def test_each_kind_has_a_meaning() -> None:
    assert all(kind.meaning for kind in IssueKind)
