"""Rows of attempts: many are found, inserted, updated and deleted by one statement each.

A transaction first claims and locks the submissions, so no other one changes their attempts meanwhile. What
looks something up sends its statements, and returns a function that waits for the result and returns it.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, Self

from sqlalchemy.orm import Session

from models.content.responses import Responses
from models.db.bulk import arrays, assignments, columns_of, from_arrays, names, run, send
from models.lms.attempts import Attempt, AttemptPayload, DeletedAttempt
from models.payloads.attempts import PushedAttempt, Submission, compressed

Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class StoredAttempt:
    """A stored attempt, as far as a push must know it; it does not change until the transaction ends."""

    id: int
    updated_at: datetime.datetime
    digest: bytes
    question_set_id: int
    quiz_question_set_id: int | None
    n_responses: int

    @classmethod
    def of(cls, row: Any) -> Self:
        """Read a row of a query that selects these columns."""
        return cls(
            row.id,
            row.updated_at,
            bytes(row.digest),
            row.question_set_id,
            row.quiz_question_set_id,
            row.n_responses,
        )


@dataclass(slots=True)
class AttemptRow:
    """An attempt as it is to be stored; `stored` is the row that it replaces.

    A column of the table takes the attribute of its name: of this row, else of the submission, else of the
    responses.
    """

    pushed: PushedAttempt
    question_set_id: int
    quiz_question_set_id: int | None
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
    def payload(self) -> bytes:
        """The attempt's JSON as it was pushed; the table has it compressed."""
        return self.pushed.payload

    @property
    def payload_bytes(self) -> int:
        """How long the attempt's JSON is."""
        return len(self.payload)


@dataclass(frozen=True)
class Found:
    """The stored attempts of some keys, and the `updated_at` of the deleted ones."""

    stored: Mapping[Key, StoredAttempt]
    deleted_at: Mapping[Key, datetime.datetime]


@dataclass(frozen=True)
class Write:
    """A statement that writes attempts; to make its parameters takes longer than to send it."""

    sql: str
    parameters: Mapping[str, Any]


def claim_submissions(
    session: Session, quiz_id: int, submission_ids: Collection[int]
) -> Callable[[], set[int]]:
    """Claim submissions for a quiz, and lock them; the result is those that belong to another quiz.

    If two transactions claim a submission for different quizzes, the second waits for the first.
    """
    ids = sorted(submission_ids)
    send(session, _CLAIM, quiz_id=quiz_id, ids=ids)
    locked = send(session, _LOCK_OWN, quiz_id=quiz_id, ids=ids)
    return lambda: set(submission_ids) - {row.id for row in locked.rows()}


def release_submissions(session: Session, quiz_id: int, submission_ids: Collection[int]) -> None:
    """Give up the claim to submissions of which nothing is stored; the others stay claimed."""
    run(session, _RELEASE, quiz_id=quiz_id, ids=sorted(submission_ids))


def find_attempts(session: Session, quiz_id: int, keys: Collection[Key]) -> Callable[[], Found]:
    """Find the attempts with these keys, stored or deleted; their submissions must be locked."""
    submission_ids, attempts = [key[0] for key in keys], [key[1] for key in keys]
    found = send(session, _FIND, quiz_id=quiz_id, submission_id=submission_ids, attempt=attempts)
    return lambda: _found(found.rows())


def _found(rows: Sequence[Any]) -> Found:
    stored: dict[Key, StoredAttempt] = {}
    deleted_at: dict[Key, datetime.datetime] = {}
    for row in rows:
        key = row.submission_id, row.attempt
        if row.id is None:
            deleted_at[key] = row.updated_at
        else:
            stored[key] = StoredAttempt.of(row)
    return Found(stored, deleted_at)


def find_unknown_users(session: Session, course_id: int, user_ids: Collection[int]) -> Callable[[], set[int]]:
    """Find which of these users were not pushed with the course."""
    if not user_ids:
        return set
    unknown = send(session, _UNKNOWN_USERS, course_id=course_id, user_ids=sorted(user_ids))
    return lambda: {row.user_id for row in unknown.rows()}


def make_writes(
    quiz_id: int,
    *,
    new: Sequence[AttemptRow] = (),
    changed: Sequence[AttemptRow] = (),
    deleted: Sequence[Submission] = (),
) -> Sequence[Write]:
    """Make the statements that write attempts.

    A new attempt is no longer recorded as deleted; of a deleted one, only the key and `updated_at` are kept.
    """
    writes = []
    if deleted:
        writes.append(Write(_DELETE, arrays(_DELETED, deleted, {"submission_id": attrgetter("id")})))
    if changed:
        writes.append(Write(_UPDATE, _arrays(changed)))
    if new:
        writes.append(Write(_INSERT, {"quiz_id": quiz_id, **_arrays(new)}))
    return writes


def send_writes(session: Session, writes: Iterable[Write]) -> None:
    """Send the statements that write attempts; within a pipeline, without waiting for them."""
    for write in writes:
        send(session, write.sql, **write.parameters)


def _arrays(rows: Sequence[AttemptRow]) -> dict[str, list[Any]]:
    columns = arrays(_COLUMNS, rows, GETTERS)
    return {**columns, "payload": list(compressed(columns["payload"]))}


def _getter(name: str) -> Callable[[AttemptRow], Any]:
    if hasattr(AttemptRow, name):
        return attrgetter(name)
    return attrgetter(f"pushed.submission.{name}" if hasattr(Submission, name) else f"responses.{name}")


_KEY: Final = ("submission_id", "attempt")
# The database fills these.
_FILLED: Final = frozenset({"quiz_id", "changed_in"})
_PAYLOAD: Final = columns_of(AttemptPayload, without={"attempt_id"})
_COLUMNS: Final = [*columns_of(Attempt, without=_FILLED), *_PAYLOAD]
GETTERS: Final = {column.name: _getter(column.name) for column in _COLUMNS}
_INSERTED: Final = names(columns_of(Attempt, without={*_FILLED, "id"}))
_DELETED: Final = columns_of(DeletedAttempt)
_UPDATED: Final = columns_of(Attempt, without={*_FILLED, "id", *_KEY})

_CLAIM: Final = """
    INSERT INTO submissions (id, quiz_id)
    SELECT id, %(quiz_id)s FROM unnest(%(ids)b::bigint[]) AS pushed (id)
    ORDER BY id
    ON CONFLICT (id) DO NOTHING"""

# A row of another quiz is not locked, so a push that is refused holds up no push to that quiz.
_LOCK_OWN: Final = """
    SELECT id FROM submissions WHERE id = ANY(%(ids)b::bigint[]) AND quiz_id = %(quiz_id)s
    ORDER BY id
    FOR NO KEY UPDATE"""

_RELEASE: Final = """
    DELETE FROM submissions AS claimed
    WHERE id = ANY(%(ids)b::bigint[]) AND quiz_id = %(quiz_id)s
        AND NOT EXISTS (SELECT FROM attempts WHERE attempts.submission_id = claimed.id)
        AND NOT EXISTS (SELECT FROM deleted_attempts AS deleted WHERE deleted.submission_id = claimed.id)
    RETURNING id"""

# A subquery for each row is one index lookup, even if the table has just grown and its statistics are out of
# date; the planner would then execute a join as a scan of a whole quiz, or course. LIMIT keeps it a subquery.
_FIND: Final = """
    WITH pushed AS (
        SELECT * FROM unnest(%(submission_id)b::bigint[], %(attempt)b::integer[])
            AS keys (submission_id, attempt)
    )
    SELECT id, submission_id, attempt, updated_at, digest, question_set_id, quiz_question_set_id, n_responses
    FROM pushed CROSS JOIN LATERAL (
        SELECT id, quiz_id, updated_at, digest, question_set_id, quiz_question_set_id,
            cardinality(points) AS n_responses
        FROM attempts
        WHERE attempts.submission_id = pushed.submission_id AND attempts.attempt = pushed.attempt
        LIMIT 1) AS stored
    WHERE quiz_id = %(quiz_id)s
    UNION ALL
    SELECT NULL, submission_id, attempt, updated_at, NULL, NULL, NULL, 0
    FROM deleted_attempts JOIN pushed USING (submission_id, attempt)"""

_UNKNOWN_USERS: Final = """
    SELECT user_id FROM unnest(%(user_ids)b::bigint[]) AS pushed (user_id)
    WHERE (
        SELECT true FROM course_users AS known
        WHERE known.course_id = %(course_id)s AND known.user_id = pushed.user_id) IS NULL"""

# Only constants and names of columns are put into these texts.
_PUSHED: Final = f"WITH pushed AS MATERIALIZED ({from_arrays(_COLUMNS)})"

# An attempt that is pushed again after its deletion is no longer recorded as deleted.
_INSERT: Final = f"""{_PUSHED},
    restored AS (
        DELETE FROM deleted_attempts USING pushed
        WHERE deleted_attempts.submission_id = pushed.submission_id
            AND deleted_attempts.attempt = pushed.attempt
    ), inserted AS (
        INSERT INTO attempts (quiz_id, {_INSERTED})
        SELECT %(quiz_id)s, {_INSERTED} FROM pushed
        ORDER BY submission_id, attempt
        RETURNING id, submission_id, attempt
    )
    INSERT INTO attempt_payloads (attempt_id, {names(_PAYLOAD)})
    SELECT inserted.id, {names(_PAYLOAD)} FROM inserted JOIN pushed USING (submission_id, attempt)"""  # noqa: S608

_UPDATE: Final = f"""{_PUSHED},
    updated AS (
        UPDATE attempts SET {assignments(_UPDATED, "pushed")}, changed_in = DEFAULT
        FROM pushed WHERE attempts.id = pushed.id
    )
    INSERT INTO attempt_payloads (attempt_id, {names(_PAYLOAD)})
    SELECT id, {names(_PAYLOAD)} FROM pushed
    ON CONFLICT (attempt_id) DO UPDATE SET {assignments(_PAYLOAD, "excluded")}"""  # noqa: S608

_DELETE: Final = f"""
    WITH deleted AS MATERIALIZED ({from_arrays(_DELETED)}), removed AS (
        DELETE FROM attempts USING deleted
        WHERE attempts.submission_id = deleted.submission_id AND attempts.attempt = deleted.attempt
    )
    INSERT INTO deleted_attempts ({names(_DELETED)})
    SELECT * FROM deleted
    ON CONFLICT (submission_id, attempt) DO UPDATE SET updated_at = excluded.updated_at"""  # noqa: S608
