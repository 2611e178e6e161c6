"""The errors of the domain: raised next to the rule, and mapped to statuses in one table of the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class QuizReportsError(Exception):
    """The base of every refusal and failure of this service."""


class InvalidSettingError(QuizReportsError):
    """A setting is missing or cannot be read."""


class UnreleasedSchemaError(QuizReportsError):
    """An unreleased version made the database; no migration leads from it to this release."""


class MigrationBlockedError(QuizReportsError):
    """A migration could not get its locks, or took too long; nothing was changed."""


class NotFoundError(QuizReportsError):
    """The object does not exist, or does not belong to the course."""


class InvalidReportTypeError(QuizReportsError):
    """The report type is unknown, or not available for this quiz."""


class InvalidReportFormatError(QuizReportsError):
    """The format is unknown; the message lists those that there are."""


class UnknownSectionError(QuizReportsError):
    """The course has no such section; the message names its id."""


class AlreadyBeingGeneratedError(QuizReportsError):
    """A report of this variant is queued or running."""


class CannotAbortError(QuizReportsError):
    """The report is not in a state that can be aborted; the message says which."""


class CannotCancelError(QuizReportsError):
    """The job is no longer queued."""


class LeaseLostError(QuizReportsError):
    """The report was aborted, or another worker has claimed it."""


class StorageError(QuizReportsError):
    """The file store refused a request or did not respond."""


@dataclass(frozen=True)
class ValidationIssue:
    """A path in the input and what is wrong there."""

    path: str
    reason: str


class InvalidInputError(QuizReportsError):
    """The pushed data are invalid, and none of them were stored."""

    MOST_ISSUES = 20

    def __init__(self, issues: Sequence[ValidationIssue]) -> None:
        super().__init__("; ".join(f"{issue.path}: {issue.reason}" for issue in issues[:3]))
        self.issues = tuple(issues[: self.MOST_ISSUES])
