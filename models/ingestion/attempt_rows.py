"""Rows of attempts: many are found, inserted, updated and deleted by one statement each."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from sqlalchemy.orm import Session

from models.content.responses import Responses
from models.db.bulk import Sent, arrays, assignments, columns_of, from_arrays, names, run, send
from models.lms.attempts import Attempt, AttemptPayload
from models.payloads.attempts import PushedAttempt, Submission

Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class StoredAttempt:
    """What must be known of a stored attempt; its row is locked until the transaction ends."""

    id: int
    updated_at: datetime.datetime
    digest: bytes
    question_set_id: int
    n_responses: int


@dataclass(slots=True)
class AttemptRow:
    """An attempt as it is to be stored; `stored` is the row that it replaces.

    A column of the table takes the attribute of its name: of this row, else of the submission, else of the
    responses.
    """

    pushed: PushedAttempt
    question_set_id: int
    responses: Responses
    digest: bytes
    stored: StoredAttempt | None

    @property
    def added_responses(self) -> int:
        """How many responses this row adds to those of the quiz."""
        return len(self.responses.points) - (self.stored.n_responses if self.stored else 0)

    @property
    def id(self) -> int:
        """The id of the replaced row, 0 for a new attempt."""
        return self.stored.id if self.stored else 0

    @property
    def submission_id(self) -> int:
        """The submission's id."""
        return self.pushed.submission.id

    @property
    def payload(self) -> str:
        """The attempt's JSON as it was pushed."""
        return self.pushed.payload


def lock_attempts(session: Session, keys: Collection[Key]) -> Mapping[Key, StoredAttempt]:
    """Find the stored attempts with these keys, and lock their rows."""
    submission_ids, attempts = [key[0] for key in keys], [key[1] for key in keys]
    rows = run(session, _LOCK, submission_id=submission_ids, attempt=attempts)
    return {
        (row.submission_id, row.attempt): StoredAttempt(
            row.id, row.updated_at, bytes(row.digest), row.question_set_id, row.n_responses
        )
        for row in rows
    }


def find_unknown_users(session: Session, course_id: int, user_ids: Collection[int]) -> set[int]:
    """Find which of these users were not pushed with the course."""
    rows = run(session, _UNKNOWN_USERS, course_id=course_id, user_ids=sorted(user_ids)) if user_ids else ()
    return {row.user_id for row in rows}


def find_submissions_of_other_quizzes(
    session: Session, quiz_id: int, submission_ids: Collection[int]
) -> set[int]:
    """Find which of these submissions belong to another quiz."""
    rows = run(session, _OF_OTHER_QUIZZES, quiz_id=quiz_id, submission_ids=sorted(submission_ids))
    return {row.submission_id for row in rows}


def send_attempts(
    session: Session,
    quiz_id: int,
    *,
    new: Sequence[AttemptRow],
    changed: Sequence[AttemptRow],
    deleted: Sequence[StoredAttempt],
) -> Sent | None:
    """Send the statements that write attempts; `inserted_keys` waits for what is returned."""
    if deleted:
        send(session, _DELETE, ids=[attempt.id for attempt in deleted])
    if changed:
        send(session, _UPDATE, **arrays(_COLUMNS, changed, _GETTERS))
    return send(session, _INSERT, quiz_id=quiz_id, **arrays(_COLUMNS, new, _GETTERS)) if new else None


def inserted_keys(sent: Sent | None) -> set[Key]:
    """Return the keys of the inserted attempts; keys that another transaction has inserted are missing."""
    return {(row.submission_id, row.attempt) for row in sent.rows()} if sent else set()


def _getter(name: str) -> Callable[[AttemptRow], Any]:
    if hasattr(AttemptRow, name):
        return attrgetter(name)
    return attrgetter(f"pushed.submission.{name}" if hasattr(Submission, name) else f"responses.{name}")


_KEY: Final = ("submission_id", "attempt")
_COLUMNS: Final = [
    *columns_of(Attempt, without={"quiz_id"}),
    *columns_of(AttemptPayload, without={"attempt_id"}),
]
_GETTERS: Final = {column.name: _getter(column.name) for column in _COLUMNS}
_INSERTED: Final = names(columns_of(Attempt, without={"quiz_id", "id"}))
_UPDATED: Final = columns_of(Attempt, without={"quiz_id", "id", *_KEY})

_LOCK: Final = """
    SELECT id, submission_id, attempt, updated_at, digest, question_set_id, cardinality(points) AS n_responses
    FROM attempts
    JOIN unnest(%(submission_id)b::bigint[], %(attempt)b::integer[]) AS pushed (submission_id, attempt)
        USING (submission_id, attempt)
    ORDER BY submission_id, attempt
    FOR NO KEY UPDATE OF attempts"""

# A subquery for each row is one index lookup, whatever the planner knows of tables that have just grown; it
# turns a join into a scan of a whole course, or of all attempts.
_UNKNOWN_USERS: Final = """
    SELECT user_id FROM unnest(%(user_ids)b::bigint[]) AS pushed (user_id)
    WHERE (
        SELECT true FROM course_users AS known
        WHERE known.course_id = %(course_id)s AND known.user_id = pushed.user_id) IS NULL"""

_OF_OTHER_QUIZZES: Final = """
    SELECT submission_id FROM unnest(%(submission_ids)b::bigint[]) AS pushed (submission_id)
    WHERE (
        SELECT true FROM attempts
        WHERE attempts.submission_id = pushed.submission_id AND quiz_id <> %(quiz_id)s
        ORDER BY attempt LIMIT 1)"""

# Only constants and names of columns are put into these texts.
_PUSHED: Final = f"WITH pushed AS MATERIALIZED ({from_arrays(_COLUMNS)})"

_INSERT: Final = f"""{_PUSHED},
    inserted AS (
        INSERT INTO attempts (quiz_id, {_INSERTED})
        SELECT %(quiz_id)s, {_INSERTED} FROM pushed
        ORDER BY submission_id, attempt
        ON CONFLICT (submission_id, attempt) DO NOTHING
        RETURNING id, submission_id, attempt
    ), payloads AS (
        INSERT INTO attempt_payloads (attempt_id, payload)
        SELECT inserted.id, payload FROM inserted JOIN pushed USING (submission_id, attempt)
    )
    SELECT submission_id, attempt FROM inserted"""  # noqa: S608

_UPDATE: Final = f"""{_PUSHED},
    updated AS (
        UPDATE attempts SET {assignments(_UPDATED, "pushed")} FROM pushed WHERE attempts.id = pushed.id
    )
    INSERT INTO attempt_payloads (attempt_id, payload)
    SELECT id, payload FROM pushed
    ON CONFLICT (attempt_id) DO UPDATE SET payload = excluded.payload"""  # noqa: S608

_DELETE: Final = "DELETE FROM attempts WHERE id = ANY(%(ids)b::bigint[])"
