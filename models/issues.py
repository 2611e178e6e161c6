"""Where readers and use cases report what is wrong with a push; the policy says what becomes of the rest."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from models.errors import InvalidInputError, IssueKind, ValidationIssue

MOST_EXAMPLES: Final = 5
MOST_CHECKED_ISSUES: Final = 100_000
MOST_CHECK_SECONDS: Final = 30.0


class Issues(Protocol):
    """The issues of one request; of one thing, at most `most_of_one` are wanted."""

    most_of_one: int

    @property
    def writes(self) -> bool:
        """Whether what is valid shall be written."""

    @property
    def is_full(self) -> bool:
        """Whether no more of the request shall be read."""

    def report(self, issues: Iterable[ValidationIssue]) -> None:
        """Take issues of something that is skipped already."""

    def skip(self, issues: Iterable[ValidationIssue]) -> None:
        """Take the issues of one thing, which is therefore not stored."""

    def note(self, issue: ValidationIssue) -> None:
        """Take an issue of something that is stored all the same."""

    def finish(self) -> None:
        """End the request: raise InvalidInputError if it is refused."""


class RefusedWhole:
    """The policy without parameters: one issue refuses the request, and the twentieth ends it at once."""

    is_full = False
    most_of_one = InvalidInputError.MOST_ISSUES

    def __init__(self) -> None:
        self._issues: list[ValidationIssue] = []

    @property
    def writes(self) -> bool:
        """Whether the request is valid so far."""
        return not self._issues

    def report(self, issues: Iterable[ValidationIssue]) -> None:
        """Take issues; raise InvalidInputError with the twentieth."""
        self._issues += issues
        if len(self._issues) >= InvalidInputError.MOST_ISSUES:
            self.finish()

    def skip(self, issues: Iterable[ValidationIssue]) -> None:
        """Take issues; raise InvalidInputError with the twentieth."""
        self.report(issues)

    def note(self, issue: ValidationIssue) -> None:
        """Pass over what refuses nothing."""

    def finish(self) -> None:
        """Raise InvalidInputError with every issue, if there is one."""
        if self._issues:
            raise InvalidInputError(self._issues)


@dataclass
class IssueCount:
    """The number of issues of one kind, and the paths of the first ones."""

    kind: IssueKind
    count: int = 0
    examples: list[str] = field(default_factory=list)


class Skipped:
    """The policy of `on_error=skip`: what is valid is stored, and the issues are counted by kind."""

    writes = True
    most_of_one = MOST_CHECKED_ISSUES

    def __init__(self) -> None:
        self._counts: dict[IssueKind, IssueCount] = {}
        self.n_invalid = 0
        self.n_skipped = 0

    @property
    def is_full(self) -> bool:
        """Whether no more of the request shall be read: never, since all that is valid is stored."""
        return False

    @property
    def counts(self) -> Sequence[IssueCount]:
        """The issues by kind, in the order of the list of kinds."""
        return [self._counts[kind] for kind in IssueKind if kind in self._counts]

    @property
    def is_complete(self) -> bool:
        """Whether the whole request was read."""
        return True

    def report(self, issues: Iterable[ValidationIssue]) -> None:
        """Count issues."""
        for issue in issues:
            self.n_invalid += 1
            self.note(issue)

    def skip(self, issues: Iterable[ValidationIssue]) -> None:
        """Count issues, and one thing that is skipped."""
        self.n_skipped += 1
        self.report(issues)

    def note(self, issue: ValidationIssue) -> None:
        """Count an issue."""
        counted = self._counts.setdefault(issue.kind, IssueCount(issue.kind))
        counted.count += 1
        if len(counted.examples) < MOST_EXAMPLES:
            counted.examples.append(issue.path)

    def finish(self) -> None:
        """Refuse nothing."""


class Checked(Skipped):
    """The policy of `check=true`: as if it were skipped, but nothing is written, and reading is bounded."""

    writes = False

    def __init__(
        self, *, most_issues: int = MOST_CHECKED_ISSUES, most_seconds: float = MOST_CHECK_SECONDS
    ) -> None:
        super().__init__()
        self._most_issues = most_issues
        self._deadline = time.monotonic() + most_seconds
        self._stopped = False

    @property
    def is_full(self) -> bool:
        """Whether too much is invalid, or the time is over; then the check is not complete.

        Notes do not count: of an LMS that leaves out a fact everywhere, they would hide what is invalid.
        """
        is_over = self.n_invalid >= self._most_issues or time.monotonic() >= self._deadline
        self._stopped = self._stopped or is_over
        return self._stopped

    @property
    def is_complete(self) -> bool:
        """Whether reading was not stopped."""
        return not self._stopped
