"""The errors of the domain: raised next to the rule, and mapped to statuses in one table of the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class QuizReportsError(Exception):
    """The base of every refusal and failure of this service."""


class InvalidSettingError(QuizReportsError):
    """Settings are missing or cannot be read; the message names all of them, in one line."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("; ".join(reasons))


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


class TemporaryFileError(QuizReportsError):
    """A temporary file cannot be written, for example since the disk is full."""


class IssueKind(StrEnum):
    """What can be wrong with pushed data: a closed list."""

    INVALID_JSON = "invalid_json"
    MISSING = "missing"
    INVALID_VALUE = "invalid_value"
    TOO_LONG = "too_long"
    REPEATED = "repeated"
    UNKNOWN_USER = "unknown_user"
    UNKNOWN_SECTION = "unknown_section"
    UNKNOWN_QUESTION = "unknown_question"
    UNKNOWN_ANSWER = "unknown_answer"
    BELONGS_ELSEWHERE = "belongs_elsewhere"
    DEPENDS_ON_SKIPPED = "depends_on_skipped"
    UNKNOWN_WORD = "unknown_word"
    ASSUMED = "assumed"

    @property
    def meaning(self) -> str:
        """What an issue of this kind says, in one phrase."""
        return _MEANINGS[self]


_MEANINGS = {
    IssueKind.INVALID_JSON: "not JSON, or with a NUL, half a surrogate pair, a key twice or deep nesting",
    IssueKind.MISSING: "a required value is missing",
    IssueKind.INVALID_VALUE: "a value of another type, out of range, or not one of the allowed words",
    IssueKind.TOO_LONG: "a text, list or line is longer than allowed",
    IssueKind.REPEATED: "the key of an earlier entry of the request; the first counts",
    IssueKind.UNKNOWN_USER: "a user who is not in the course",
    IssueKind.UNKNOWN_SECTION: "a section that is not in the course",
    IssueKind.UNKNOWN_QUESTION: "a question that the attempt did not have",
    IssueKind.UNKNOWN_ANSWER: "an answer, match or blank that the question does not have",
    IssueKind.BELONGS_ELSEWHERE: "an id that another course or quiz holds",
    IssueKind.DEPENDS_ON_SKIPPED: "valid, but it needs something that is skipped",
    IssueKind.UNKNOWN_WORD: "a word that is not known, which is stored all the same",
    IssueKind.ASSUMED: "a fact that an attempt leaves out, which is taken from the quiz and stored",
}


@dataclass(frozen=True)
class ValidationIssue:
    """A path in the input, what is wrong there, and of which kind that is."""

    path: str
    reason: str
    kind: IssueKind = field(default=IssueKind.INVALID_VALUE, compare=False)

    @property
    def message(self) -> str:
        """The path and the reason; of a whole document, the reason alone."""
        return f"{self.path}: {self.reason}" if self.path else self.reason


class InvalidInputError(QuizReportsError):
    """The pushed data are invalid, and none of them were stored."""

    MOST_ISSUES = 20

    def __init__(self, issues: Sequence[ValidationIssue]) -> None:
        super().__init__("; ".join(issue.message for issue in issues[:3]))
        self.issues = tuple(issues[: self.MOST_ISSUES])
