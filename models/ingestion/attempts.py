"""Attempts come in: what is new or newer is stored, all of a request or nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from models.db.bulk import Sent, lock, lock_shared, pipelined, run
from models.errors import InvalidInputError, NotFoundError, ValidationIssue
from models.ingestion.attempt_rows import (
    AttemptRow,
    Key,
    StoredAttempt,
    added_keys,
    find_submissions_of_other_quizzes,
    find_unknown_users,
    lock_attempts,
    send_attempts,
)
from models.ingestion.counts import Counts, Tally
from models.ingestion.question_sets import QuestionSets, StoredQuestionSet, WantedQuestionSet
from models.ingestion.quiz_data import QuizDataReader
from models.payloads.attempts import Batch, PushedAttempt
from models.payloads.json_values import at

_NO_QUESTIONS: Final = WantedQuestionSet.of(())


def push_submissions(session: Session, course_id: int, quiz_id: int, batches: Iterable[Batch]) -> Counts:
    """Store the attempts of a request that are new or newer than the stored ones, in batches.

    The revision of the quiz rises once if anything changed, by the last statement: until then attempts at
    the same quiz that others push do not wait. Raises NotFoundError, and InvalidInputError with what is
    wrong in the whole request; the transaction must then be rolled back.
    """
    quiz = _find_quiz(session, course_id, quiz_id)
    return _SubmissionPush(session, quiz).take(iter(batches))


def lock_name(quiz_id: int) -> str:
    """Name the lock that those hold who write more than one attempt of a quiz, or what attempts share."""
    return f"ingestion:quiz:{quiz_id}"


@dataclass(frozen=True)
class _PushedTo:
    """The quiz of a request, and the question set that new attempts at it have."""

    id: int
    course_id: int
    question_set_id: int | None


def _find_quiz(session: Session, course_id: int, quiz_id: int) -> _PushedTo:
    quizzes = run(session, _QUIZ, quiz_id=quiz_id, course_id=course_id)
    if not quizzes:
        raise NotFoundError
    return _PushedTo(quiz_id, course_id, quizzes[0].question_set_id)


@dataclass(frozen=True)
class _Found:
    """What the database knows of some attempts: all that is needed to derive their rows without it."""

    attempts: Sequence[PushedAttempt]
    deleted: Sequence[StoredAttempt]
    stored: Mapping[Key, StoredAttempt]
    question_set_ids: Mapping[Key, int]
    question_sets: Mapping[int, StoredQuestionSet]


@dataclass(frozen=True)
class _Writing:
    """Rows that are being written."""

    new: Sequence[AttemptRow] = ()
    changed: Sequence[AttemptRow] = ()
    deleted: Sequence[StoredAttempt] = ()
    sent: Sent | None = None


class _SubmissionPush:
    """One request.

    The server writes one batch while the next is derived and the one after it is read here, so each batch is
    looked up before the one before it is sent.
    """

    def __init__(self, session: Session, quiz: _PushedTo) -> None:
        self._session = session
        self._quiz = quiz
        self._question_sets = QuestionSets(session, quiz.id)
        self._quiz_data = QuizDataReader()
        self._keys: set[Key] = set()
        self._issues: list[ValidationIssue] = []
        self._tally = Tally()
        self._added_responses = 0

    def take(self, batches: Iterator[Batch]) -> Counts:
        """Store all batches, then raise the quiz's revision."""
        first, second = next(batches, Batch()), next(batches, None)
        self._lock(first, second)
        if second is None:
            self._take_batches(iter([first]))
        else:
            with pipelined(self._session):
                self._take_batches(itertools.chain([first, second], batches))
        if self._issues:
            raise InvalidInputError(self._issues)
        return self._finish()

    def _take_batches(self, batches: Iterator[Batch]) -> None:
        rows: Sequence[AttemptRow] = ()
        deleted: Sequence[StoredAttempt] = ()
        batch = next(batches, None)
        while batch is not None:
            found = self._look_up_batch(batch)
            writing = self._begin_writing(rows, deleted)
            rows, deleted = self._derive(found), found.deleted
            if len(self._issues) >= InvalidInputError.MOST_ISSUES:
                return
            batch = next(batches, None)
            self._end_writing(writing)
        self._end_writing(self._begin_writing(rows, deleted))

    def _lock(self, first: Batch, second: Batch | None) -> None:
        # Who holds one attempt and waits for nothing but the quiz's row cannot be part of a deadlock. Several
        # attempts of one request, and what attempts share, are written by one request at a time.
        name = lock_name(self._quiz.id)
        if second or len(first.attempts) > 1:
            lock(self._session, name)
        elif any(attempt.quiz_data for attempt in first.attempts):
            lock_shared(self._session, name)
        else:
            return
        # Somebody may have put other questions into the quiz while this was waiting.
        self._quiz = _find_quiz(self._session, self._quiz.course_id, self._quiz.id)

    def _look_up_batch(self, batch: Batch) -> _Found:
        self._issues += batch.issues
        self._issues += self._find_repeated(batch.attempts)
        self._issues += self._find_unknown(batch.attempts)
        return self._look_up(batch.attempts)

    def _find_repeated(self, attempts: Sequence[PushedAttempt]) -> Iterator[ValidationIssue]:
        for attempt in attempts:
            if attempt.key in self._keys:
                yield ValidationIssue(attempt.path, "is an attempt that was given earlier, too")
            self._keys.add(attempt.key)

    def _find_unknown(self, attempts: Sequence[PushedAttempt]) -> Iterator[ValidationIssue]:
        takers = {a.submission.user_id for a in attempts if not a.submission.is_deleted} - {None}
        unknown = find_unknown_users(
            self._session, self._quiz.course_id, [int(taker or 0) for taker in takers]
        )
        foreign = find_submissions_of_other_quizzes(
            self._session, self._quiz.id, {a.submission.id for a in attempts}
        )
        for attempt in attempts:
            submission = attempt.submission
            if submission.user_id in unknown and not submission.is_deleted:
                yield ValidationIssue(
                    at(attempt.path, "user_id"), f"{submission.user_id} is not a user of the course"
                )
            if submission.id in foreign:
                yield ValidationIssue(
                    at(attempt.path, "id"), f"{submission.id} is a submission of another quiz"
                )

    def _look_up(self, attempts: Sequence[PushedAttempt]) -> _Found:
        stored = lock_attempts(self._session, [attempt.key for attempt in attempts])
        changed = [attempt for attempt in attempts if _is_changed(attempt, stored.get(attempt.key))]
        deleted = [stored[attempt.key] for attempt in changed if attempt.submission.is_deleted]
        alive = [attempt for attempt in changed if not attempt.submission.is_deleted]
        self._tally.unchanged += len(attempts) - len(changed)
        question_set_ids = self._find_question_sets(alive, stored)
        return _Found(
            alive, deleted, stored, question_set_ids, self._question_sets.load(question_set_ids.values())
        )

    def _derive(self, found: _Found) -> Sequence[AttemptRow]:
        """Derive the rows of those attempts that are new or not as they were."""
        rows = []
        for attempt in found.attempts:
            if (question_set_id := found.question_set_ids.get(attempt.key)) is None:
                continue
            try:
                row = self._derive_row(
                    attempt, found.question_sets[question_set_id], found.stored.get(attempt.key)
                )
            except InvalidInputError as error:
                self._issues += error.issues
                continue
            if row is None:
                self._tally.unchanged += 1
            else:
                rows.append(row)
        return rows

    def _derive_row(
        self, attempt: PushedAttempt, question_set: StoredQuestionSet, stored: StoredAttempt | None
    ) -> AttemptRow | None:
        entries = attempt.read_entries()
        digest = attempt.digest(entries, question_set.digest)
        if stored and stored.digest == digest:
            return None
        path = at(attempt.path, "submission_data")
        responses, issues = question_set.parser.read(entries, attempt.attachments, path)
        if issues:
            raise InvalidInputError(issues)
        return AttemptRow(attempt, question_set.id, responses, digest, stored)

    def _begin_writing(self, rows: Sequence[AttemptRow], deleted: Sequence[StoredAttempt]) -> _Writing:
        if self._issues:
            # Nothing of the request will be stored; what follows is only read for what else is wrong with it.
            return _Writing()
        new = [row for row in rows if not row.stored]
        changed = [row for row in rows if row.stored]
        sent = send_attempts(self._session, self._quiz.id, new=new, changed=changed, deleted=deleted)
        return _Writing(new, changed, deleted, sent)

    def _end_writing(self, writing: _Writing) -> None:
        added = added_keys(writing.sent)
        stored = [*writing.changed, *(row for row in writing.new if row.pushed.key in added)]
        self._tally.created += len(added)
        self._tally.updated += len(writing.changed)
        self._tally.deleted += len(writing.deleted)
        self._added_responses += sum(row.added_responses for row in stored)
        self._added_responses -= sum(attempt.n_responses for attempt in writing.deleted)
        if late := [row.pushed for row in writing.new if row.pushed.key not in added]:
            # Somebody else has added them since they were looked up, so now they are found.
            found = self._look_up(late)
            self._end_writing(self._begin_writing(self._derive(found), found.deleted))

    def _find_question_sets(
        self, attempts: Sequence[PushedAttempt], stored: Mapping[Key, StoredAttempt]
    ) -> dict[Key, int]:
        """Find the form of each attempt: the one it sends, else the one it had, else the quiz's."""
        wanted: dict[Key, WantedQuestionSet] = {}
        question_set_ids: dict[Key, int] = {}
        for attempt in attempts:
            if source := attempt.quiz_data:
                try:
                    wanted[attempt.key] = self._quiz_data.read(source, at(attempt.path, "quiz_data"))
                except InvalidInputError as error:
                    self._issues += error.issues
            elif old := stored.get(attempt.key):
                question_set_ids[attempt.key] = old.question_set_id
            elif self._quiz.question_set_id is not None:
                question_set_ids[attempt.key] = self._quiz.question_set_id
            else:
                wanted[attempt.key] = _NO_QUESTIONS
        self._question_sets.store(wanted.values())
        return question_set_ids | {
            key: self._question_sets.id_of(question_set) for key, question_set in wanted.items()
        }

    def _finish(self) -> Counts:
        if not self._tally.is_change:
            return self._tally.at_revision(run(self._session, _REVISION, quiz_id=self._quiz.id)[0].revision)
        raised = run(
            self._session, _RAISE_REVISION, quiz_id=self._quiz.id, added_responses=self._added_responses
        )
        return self._tally.at_revision(raised[0].revision)


def _is_changed(attempt: PushedAttempt, stored: StoredAttempt | None) -> bool:
    """Whether an attempt may change anything: a late retry must not undo a regrade."""
    if stored is None:
        return not attempt.submission.is_deleted
    return attempt.submission.updated_at >= stored.updated_at


_QUIZ: Final = "SELECT question_set_id FROM quizzes WHERE id = %(quiz_id)s AND course_id = %(course_id)s"

_REVISION: Final = "SELECT revision FROM quizzes WHERE id = %(quiz_id)s"

_RAISE_REVISION: Final = """
    UPDATE quizzes SET revision = revision + 1, response_count = response_count + %(added_responses)s
    WHERE id = %(quiz_id)s
    RETURNING revision"""
