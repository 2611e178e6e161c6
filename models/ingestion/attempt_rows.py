"""Attempts as rows: many are found, added, changed and taken away with one statement each."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy.orm import Session

from models.content.responses import Responses
from models.db.bulk import Sent, run, send
from models.payloads.attempts import PushedAttempt

Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class StoredAttempt:
    """What is known of an attempt that is stored; the row is locked until the transaction ends."""

    id: int
    updated_at: datetime.datetime
    digest: bytes
    question_set_id: int
    n_responses: int


@dataclass(slots=True)
class AttemptRow:
    """An attempt as it is to be stored; `stored` is the row that it takes the place of."""

    pushed: PushedAttempt
    question_set_id: int
    responses: Responses
    digest: bytes
    stored: StoredAttempt | None

    @property
    def added_responses(self) -> int:
        """How many responses the quiz has more than before."""
        return len(self.responses.points) - (self.stored.n_responses if self.stored else 0)


def lock_attempts(session: Session, keys: Collection[Key]) -> Mapping[Key, StoredAttempt]:
    """Find those attempts that are stored, and see that nobody else changes them."""
    rows = run(session, _LOCK, **_key_columns(keys))
    return {
        (row.submission_id, row.attempt): StoredAttempt(
            row.id, row.updated_at, bytes(row.digest), row.question_set_id, row.n_responses
        )
        for row in rows
    }


def find_unknown_users(session: Session, course_id: int, user_ids: Collection[int]) -> set[int]:
    """Find those users that were not pushed with the course."""
    rows = run(session, _UNKNOWN_USERS, course_id=course_id, user_ids=sorted(user_ids)) if user_ids else ()
    return {row.user_id for row in rows}


def find_submissions_of_other_quizzes(
    session: Session, quiz_id: int, submission_ids: Collection[int]
) -> set[int]:
    """Find those submissions that belong to another quiz."""
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
    """Send attempts to be added, changed and taken away; wait for `added_keys` of what is returned."""
    if deleted:
        send(session, _DELETE, ids=[attempt.id for attempt in deleted])
    if changed:
        send(session, _CHANGE, **_columns(changed))
    return send(session, _ADD, quiz_id=quiz_id, **_columns(new)) if new else None


def added_keys(sent: Sent | None) -> set[Key]:
    """Return the keys of those attempts that were added, since nobody else has added them meanwhile."""
    return {(row.submission_id, row.attempt) for row in sent.rows()} if sent else set()


def _key_columns(keys: Collection[Key]) -> dict[str, list[int]]:
    return {"submission_ids": [key[0] for key in keys], "attempts": [key[1] for key in keys]}


def _columns(rows: Sequence[AttemptRow]) -> dict[str, Any]:
    submissions = [row.pushed.submission for row in rows]
    return {
        "ids": [row.stored.id if row.stored else 0 for row in rows],
        "submission_ids": [int(s.id) for s in submissions],
        "attempts": [s.attempt for s in submissions],
        "user_ids": [None if s.user_id is None else int(s.user_id) for s in submissions],
        "codes": [s.temporary_user_code or None for s in submissions],
        "states": [s.workflow_state.value for s in submissions],
        "was_preview": [s.was_preview or False for s in submissions],
        "scores": [s.score for s in submissions],
        "kept_scores": [s.kept_score for s in submissions],
        "started_at": [s.started_at for s in submissions],
        "finished_at": [s.finished_at for s in submissions],
        "updated_at": [s.updated_at for s in submissions],
        "n_correct": [row.responses.n_correct for row in rows],
        "n_incorrect": [row.responses.n_incorrect for row in rows],
        "question_set_ids": [row.question_set_id for row in rows],
        "answer_ids": [_numbers(row.responses.answer_ids) for row in rows],
        "texts": [_texts(row.responses.texts) for row in rows],
        "points": [_numbers(row.responses.points) for row in rows],
        "digests": [row.digest for row in rows],
        "payloads": [row.pushed.payload for row in rows],
    }


def _numbers(numbers: Sequence[float | None]) -> str:
    # JSON's numbers are PostgreSQL's, and null in an array is so in any case of letters.
    return "{" + msgspec.json.encode(numbers)[1:-1].decode() + "}"


def _texts(texts: Sequence[str | None]) -> str:
    if not any(texts):
        return "{" + ",".join(["NULL"] * len(texts)) + "}"
    return "{" + ",".join(["NULL" if text is None else _quoted(text) for text in texts]) + "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_LOCK: Final = """
    SELECT id, submission_id, attempt, updated_at, digest, question_set_id, cardinality(points) AS n_responses
    FROM attempts
    JOIN unnest(%(submission_ids)b::bigint[], %(attempts)b::integer[]) AS pushed (submission_id, attempt)
        USING (submission_id, attempt)
    ORDER BY submission_id, attempt
    FOR NO KEY UPDATE OF attempts"""

# A subquery for each row is one look into an index, whatever the planner knows of tables that have just
# grown: from joins it makes scans of a whole course, or of all attempts.
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

_PUSHED: Final = """
    WITH pushed AS MATERIALIZED (
        SELECT id, submission_id, attempt, user_id, temporary_user_code, workflow_state, was_preview,
               score, kept_score, started_at, finished_at, updated_at, n_correct, n_incorrect,
               question_set_id, answer_ids::bigint[], texts::text[], points::double precision[], digest,
               payload::json
        FROM unnest(
            %(ids)b::bigint[], %(submission_ids)b::bigint[], %(attempts)b::integer[], %(user_ids)b::bigint[],
            %(codes)b::text[], %(states)b::text[], %(was_preview)b::boolean[],
            %(scores)b::double precision[], %(kept_scores)b::double precision[],
            %(started_at)b::timestamptz[], %(finished_at)b::timestamptz[], %(updated_at)b::timestamptz[],
            %(n_correct)b::integer[], %(n_incorrect)b::integer[], %(question_set_ids)b::bigint[],
            %(answer_ids)b::text[], %(texts)b::text[], %(points)b::text[],
            %(digests)b::bytea[], %(payloads)b::text[]
        ) AS pushed (
            id, submission_id, attempt, user_id, temporary_user_code, workflow_state, was_preview,
            score, kept_score, started_at, finished_at, updated_at, n_correct, n_incorrect, question_set_id,
            answer_ids, texts, points, digest, payload)
    )"""

# Nothing but other constants goes into these texts.
_ADD: Final = f"""{_PUSHED},
    added AS (
        INSERT INTO attempts (
            quiz_id, submission_id, attempt, user_id, temporary_user_code, workflow_state, was_preview,
            score, kept_score, started_at, finished_at, updated_at, n_correct, n_incorrect, question_set_id,
            answer_ids, texts, points, digest)
        SELECT
            %(quiz_id)s, submission_id, attempt, user_id, temporary_user_code, workflow_state, was_preview,
            score, kept_score, started_at, finished_at, updated_at, n_correct, n_incorrect, question_set_id,
            answer_ids, texts, points, digest
        FROM pushed
        ORDER BY submission_id, attempt
        ON CONFLICT (submission_id, attempt) DO NOTHING
        RETURNING id, submission_id, attempt
    ), kept AS (
        INSERT INTO attempt_payloads (attempt_id, payload)
        SELECT added.id, payload FROM added JOIN pushed USING (submission_id, attempt)
    )
    SELECT submission_id, attempt FROM added"""  # noqa: S608

_CHANGE: Final = f"""{_PUSHED},
    changed AS (
        UPDATE attempts SET
            user_id = pushed.user_id, temporary_user_code = pushed.temporary_user_code, workflow_state =
            pushed.workflow_state, was_preview = pushed.was_preview, score = pushed.score, kept_score =
            pushed.kept_score, started_at = pushed.started_at, finished_at = pushed.finished_at, updated_at =
            pushed.updated_at, n_correct = pushed.n_correct, n_incorrect = pushed.n_incorrect, question_set_id
            = pushed.question_set_id, answer_ids = pushed.answer_ids, texts = pushed.texts, points =
            pushed.points, digest = pushed.digest
        FROM pushed WHERE attempts.id = pushed.id
    )
    INSERT INTO attempt_payloads (attempt_id, payload)
    SELECT id, payload FROM pushed
    ON CONFLICT (attempt_id) DO UPDATE SET payload = excluded.payload"""  # noqa: S608

_DELETE: Final = "DELETE FROM attempts WHERE id = ANY(%(ids)b::bigint[])"
