"""The errors of the domain: raised where the rule is, turned into statuses in one table of the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class QuizReportsError(Exception):
    """Whatever this service refuses or fails at."""


class InvalidSettingError(QuizReportsError):
    """A setting is missing or cannot be read."""


class UnreleasedSchemaError(QuizReportsError):
    """An unreleased version made the database; no migration leads from it to this release."""


class NotFoundError(QuizReportsError):
    """There is no such thing, or not under that course."""


class InvalidReportTypeError(QuizReportsError):
    """The report type is unknown, or cannot be made of this quiz."""


class AlreadyBeingGeneratedError(QuizReportsError):
    """A report of this variant is queued or running."""


class CannotAbortError(QuizReportsError):
    """The report is not in a state that can be aborted; the message says which."""


class CannotCancelError(QuizReportsError):
    """The job is no longer queued."""


class LeaseLostError(QuizReportsError):
    """Another worker has this report now, or it was taken back."""


class StorageError(QuizReportsError):
    """The store of files refused or did not answer."""


@dataclass(frozen=True)
class ValidationIssue:
    """One place in the input and what is wrong with it."""

    path: str
    reason: str


class InvalidInputError(QuizReportsError):
    """What was pushed is not valid; nothing of it was stored."""

    MOST_ISSUES = 20

    def __init__(self, issues: Sequence[ValidationIssue]) -> None:
        super().__init__("; ".join(f"{p.path}: {p.reason}" for p in issues[:3]))
        self.issues = tuple(issues[: self.MOST_ISSUES])
