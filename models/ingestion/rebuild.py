"""Attempts are derived again from their stored payloads, as if they were pushed under the present rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models.content.cell_text import TEXT_VERSION
from models.db.bulk import columns_of, names, run
from models.db.session import lock
from models.errors import InvalidInputError, ValidationIssue
from models.ingestion.attempt_questions import AttemptQuestions, HadQuestions, derive_row
from models.ingestion.attempt_rows import (
    GETTERS,
    AttemptRow,
    Key,
    StoredAttempt,
    claim_submissions,
    make_writes,
    send_writes,
)
from models.ingestion.attempts import lock_name
from models.lms.attempts import Attempt
from models.lms.quizzes import Quiz
from models.payloads.attempts import PushedAttempt, read_stored
from models.payloads.batches import MAX_BYTES
from models.payloads.entries import EntryReader

# The other columns say how an attempt is stored: a change of one of them alone shows in no report.
_COMPARED: Final = columns_of(
    Attempt,
    without={
        "id",
        "quiz_id",
        "response_bytes",
        "text_version",
        "digest",
        "quiz_question_set_id",
        "changed_in",
    },
)


@dataclass
class RebuiltAttempts:
    """What deriving some attempts again has changed; `issues` are of attempts that stay as they were."""

    read: int = 0
    changed: int = 0
    issues: list[ValidationIssue] = field(default_factory=list)


def count_attempts(session: Session, course_id: int | None = None) -> Mapping[int, int]:
    """Count the attempts at each quiz that has some, by quiz id: of a course, or of all."""
    counts = select(Attempt.quiz_id, func.count().label("attempts")).group_by(Attempt.quiz_id)
    if course_id is not None:
        counts = counts.join(Quiz, Quiz.id == Attempt.quiz_id).where(Quiz.course_id == course_id)
    return {row.quiz_id: row.attempts for row in session.execute(counts.order_by(Attempt.quiz_id))}


def list_attempts(session: Session, quiz_id: int) -> Sequence[int]:
    """List the ids of a quiz's attempts."""
    return session.scalars(select(Attempt.id).where(Attempt.quiz_id == quiz_id).order_by(Attempt.id)).all()


def rebuild_attempts(session: Session, quiz_id: int, attempt_ids: Sequence[int]) -> RebuiltAttempts:
    """Derive the first of these attempts again, as many as fit into memory.

    `read` tells how many of the ids were dealt with; attempts that were deleted meanwhile count as well. If
    anything changed that a report shows, the last statement raises the revision of the quiz.
    """
    # The same locks as those of a push, in the same order.
    lock(session, lock_name(quiz_id))
    read_ids = _fitting(session, attempt_ids)
    submissions = run(session, _SUBMISSIONS, ids=read_ids)
    claim_submissions(session, quiz_id, {row.submission_id for row in submissions})
    return _Rebuild(session, quiz_id).apply(read_ids)


class _Rebuild:
    """Some attempts of a quiz, in one transaction."""

    def __init__(self, session: Session, quiz_id: int) -> None:
        self._session = session
        self._quiz_id = quiz_id
        self._issues: list[ValidationIssue] = []
        self._reader = EntryReader()

    def apply(self, attempt_ids: Sequence[int]) -> RebuiltAttempts:
        """Derive the attempts, and write those that differ from what is stored."""
        stored = {row.id: row for row in run(self._session, _ROWS, ids=attempt_ids)}
        rows = self._derive(stored.values())
        changed = [row for row in rows if _differs(row, stored[row.id])]
        send_writes(self._session, make_writes(self._quiz_id, changed=changed))
        run(self._session, _SET_VERSION, version=TEXT_VERSION, ids=[row.id for row in rows])
        if changed:
            self._raise_revision(sum(row.added_responses for row in changed))
        return RebuiltAttempts(len(attempt_ids), len(changed), self._issues)

    def _derive(self, stored: Any) -> Sequence[AttemptRow]:
        pushed: list[PushedAttempt] = []
        known: dict[Key, StoredAttempt] = {}
        for row in stored:
            path = f"submission {row.submission_id}, attempt {row.attempt}"
            key = (row.submission_id, row.attempt)
            known[key] = StoredAttempt.of(row)
            try:
                attempt = read_stored(row.payload, row.payload_bytes, path)
            except InvalidInputError as error:
                self._issues += error.issues[:1]
                continue
            if attempt.key == key:
                pushed.append(attempt)
            else:
                self._issues.append(ValidationIssue(path, "has the payload of another attempt"))
        present = self._session.execute(select(Quiz.question_set_id).where(Quiz.id == self._quiz_id)).scalar()
        questions = AttemptQuestions(self._session, self._quiz_id, present).find(pushed, known, self._skip)
        found = [(attempt, questions[attempt.key]) for attempt in pushed if attempt.key in questions]
        rows = [self._row(attempt, had, known[attempt.key]) for attempt, had in found]
        return [row for row in rows if row]

    def _row(self, attempt: PushedAttempt, had: HadQuestions, stored: StoredAttempt) -> AttemptRow | None:
        try:
            entries = attempt.read_entries(self._reader)
            digest = attempt.digest(entries, had.question_set.digest)
            return derive_row(attempt, entries, digest, had, stored, most_issues=1)
        except InvalidInputError as error:
            self._skip(attempt, error.issues)
            return None

    def _skip(self, _attempt: PushedAttempt, issues: Sequence[ValidationIssue]) -> None:
        self._issues += issues[:1]

    def _raise_revision(self, added_responses: int) -> None:
        self._session.execute(
            update(Quiz)
            .where(Quiz.id == self._quiz_id)
            .values(revision=Quiz.revision + 1, response_count=Quiz.response_count + added_responses)
            .execution_options(synchronize_session=False)
        )


def _fitting(session: Session, attempt_ids: Sequence[int]) -> Sequence[int]:
    """Return the first ids, as many as take the memory of a batch together, but at least one."""
    sizes = {row.id: row.size for row in run(session, _SIZES, ids=list(attempt_ids))}
    total = 0
    for index, attempt_id in enumerate(attempt_ids):
        total += sizes.get(attempt_id, 0)
        if total > MAX_BYTES and index:
            return attempt_ids[:index]
    return attempt_ids


def _differs(row: AttemptRow, stored: Any) -> bool:
    return any(GETTERS[column.name](row) != getattr(stored, column.name) for column in _COMPARED)


# A row is in memory as it is stored, and as it is derived. It may be much larger than its payload.
_SIZES: Final = """
    SELECT id, coalesce(payload_bytes, 0)::bigint + 2 * response_bytes AS size
    FROM attempts LEFT JOIN attempt_payloads ON attempt_id = id
    WHERE id = ANY(%(ids)b::bigint[])"""

_SUBMISSIONS: Final = "SELECT submission_id FROM attempts WHERE id = ANY(%(ids)b::bigint[])"

# Only names of columns are put into this text.
_ROWS: Final = f"""
    SELECT {names(columns_of(Attempt))}, cardinality(points) AS n_responses, payload, payload_bytes
    FROM attempts LEFT JOIN attempt_payloads ON attempt_id = id
    WHERE id = ANY(%(ids)b::bigint[])
    ORDER BY id"""  # noqa: S608

_SET_VERSION: Final = """
    UPDATE attempts SET text_version = %(version)s
    WHERE id = ANY(%(ids)b::bigint[]) AND text_version <> %(version)s"""
