"""Attempts are applied: those that are new or newer are stored, all of a request or nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models.db.bulk import pipelined, run
from models.db.session import lock, lock_shared
from models.errors import InvalidInputError, IssueKind, NotFoundError, ValidationIssue
from models.ingestion.attempt_questions import AttemptQuestions, HadQuestions, derive_row
from models.ingestion.attempt_rows import (
    AttemptRow,
    Found,
    Key,
    StoredAttempt,
    Write,
    claim_submissions,
    find_attempts,
    find_unknown_users,
    make_writes,
    release_submissions,
    send_writes,
)
from models.ingestion.counts import PushCounter, PushCounts
from models.issues import Issues
from models.lms.quizzes import Quiz
from models.payloads.attempts import PushedAttempt
from models.payloads.batches import MAX_BYTES, Batch, Batches
from models.payloads.entries import EntryReader
from models.payloads.json_values import at

_ALL_QUIZZES: Final = "ingestion:quizzes"
_MOST_SKIPPED_SUBMISSIONS: Final = 10_000


def apply_attempts(
    session: Session, course_id: int, quiz_id: int, batches: Batches, *, alone: bool = False
) -> PushCounts:
    """Store the attempts of a request that are new, or newer than the stored ones.

    If anything changed, the last statement raises the revision of the quiz; until then, other pushes of
    attempts at the quiz do not wait for its row. Two pushes of several attempts to different quizzes may
    deadlock on each other's submissions. The caller must repeat the one that the database ends, with `alone`,
    which waits until no other push of several attempts runs. Raises NotFoundError, and InvalidInputError if
    the policy of `batches.issues` refuses the request; the transaction must then be rolled back.
    """
    quiz = _find_quiz(session, course_id, quiz_id)
    return _AttemptPush(session, quiz, batches.issues, alone=alone).apply(iter(batches))


def lock_quiz(session: Session, quiz_id: int, *, alone: bool = False) -> None:
    """Take the locks of a push of several attempts, before those of any row.

    With `alone` it waits until no other transaction has taken them for any quiz.
    """
    (lock if alone else lock_shared)(session, _ALL_QUIZZES)
    lock(session, lock_name(quiz_id))


def lock_name(quiz_id: int) -> str:
    """Name the lock of everything that writes several attempts of a quiz, or what its attempts share."""
    return f"ingestion:quiz:{quiz_id}"


@dataclass(frozen=True)
class _TargetQuiz:
    """The quiz of a request, and the question set of new attempts that send no questions.

    `draws_questions` tells whether an attempt may have some of the quiz's questions only.
    """

    id: int
    course_id: int
    question_set_id: int | None
    draws_questions: bool


def _find_quiz(session: Session, course_id: int, quiz_id: int) -> _TargetQuiz:
    quizzes = run(session, _QUIZ, quiz_id=quiz_id, course_id=course_id)
    if not quizzes:
        raise NotFoundError
    return _TargetQuiz(quiz_id, course_id, quizzes[0].question_set_id, quizzes[0].draws_questions)


@dataclass(frozen=True)
class _SentLookup:
    """The results that a batch waits for."""

    attempts: Sequence[PushedAttempt]
    unknown_users: Callable[[], set[int]]
    of_other_quizzes: Callable[[], set[int]]
    found: Callable[[], Found]


@dataclass(frozen=True)
class _Lookup:
    """What the database knows of a batch: enough to derive the rows of its attempts without another query."""

    attempts: Sequence[PushedAttempt]
    deleted: Sequence[PushedAttempt]
    stored: Mapping[Key, StoredAttempt]
    questions: Mapping[Key, HadQuestions]


@dataclass(frozen=True)
class _Writes:
    """What is to be written of a batch; the deletion of an attempt that is not stored is only recorded."""

    new: Sequence[AttemptRow] = ()
    changed: Sequence[AttemptRow] = ()
    deleted: Sequence[PushedAttempt] = ()
    stored: Mapping[Key, StoredAttempt] = field(default_factory=dict)


class _AttemptPush:
    """One request: locks, the pipeline of its batches, and what must be known from one batch to the next."""

    def __init__(self, session: Session, quiz: _TargetQuiz, issues: Issues, *, alone: bool) -> None:
        self._session = session
        self._issues = issues
        self._alone = alone
        self._quiz = quiz
        self._skipped_submissions: set[int] = set()
        self._counter = PushCounter()
        self._reader = EntryReader()
        self._added_responses = 0

    def apply(self, batches: Iterator[Batch]) -> PushCounts:
        """Store all batches, then raise the quiz's revision."""
        first, second = next(batches, Batch()), next(batches, None)
        self._lock(first, second)
        self._questions = AttemptQuestions(self._session, self._quiz.id, self._quiz.question_set_id)
        if second is None:
            self._apply_batches([first])
        else:
            with pipelined(self._session):
                self._apply_batches(itertools.chain([first, second], batches))
        self._issues.finish()
        self._release_skipped()
        return self._finish()

    def _apply_batches(self, batches: Iterable[Batch]) -> None:
        # The server writes one batch while this process derives the rows of the next and reads the one after
        # it, so neither waits for the other.
        writes = _Writes()
        for batch in batches:
            if len(self._skipped_submissions) >= _MOST_SKIPPED_SUBMISSIONS:
                # Between two batches nothing is claimed of which nothing is written yet.
                self._send(writes, self._statements(writes))
                writes = _Writes()
                self._release_skipped()
            writes = self._derive(self._look_up_and_send(batch, writes))
        self._send(writes, self._statements(writes))

    def _lock(self, first: Batch, second: Batch | None) -> None:
        # A transaction that locks one submission and then only the quiz's row cannot deadlock. Several
        # attempts of one request, and what attempts share, are written by one transaction at a time.
        if second or len(first.attempts) > 1:
            lock_quiz(self._session, self._quiz.id, alone=self._alone)
        elif self._quiz.draws_questions or any(attempt.quiz_data for attempt in first.attempts):
            lock_shared(self._session, lock_name(self._quiz.id))
        else:
            return
        # The quiz may have got other questions while this transaction waited.
        self._quiz = _find_quiz(self._session, self._quiz.course_id, self._quiz.id)

    def _look_up_and_send(self, batch: Batch, writes: _Writes) -> _Lookup:
        """Look up a batch, then send the writes of the previous one."""
        # The server executes statements in order, and the lookup would wait for these writes. While it looks
        # up, their parameters are made.
        sent = self._send_lookup(batch)
        statements = self._statements(writes)
        lookup = self._receive(sent)
        self._send(writes, statements)
        return lookup

    def _send_lookup(self, batch: Batch) -> _SentLookup:
        self._counter.unchanged += batch.not_attempts
        attempts = batch.attempts
        submissions = [attempt.submission for attempt in attempts]
        user_ids = {int(s.user_id) for s in submissions if s.user_id is not None and not s.is_deleted}
        keys = [attempt.key for attempt in attempts]
        return _SentLookup(
            attempts,
            find_unknown_users(self._session, self._quiz.course_id, user_ids),
            claim_submissions(self._session, self._quiz.id, {submission_id for submission_id, _ in keys}),
            find_attempts(self._session, self._quiz.id, keys),
        )

    def _receive(self, sent: _SentLookup) -> _Lookup:
        self._skip_unknown(sent.attempts, sent.unknown_users(), sent.of_other_quizzes())
        return self._look_up(sent.attempts, sent.found())

    def _skip(self, attempt: PushedAttempt, issues: Sequence[ValidationIssue]) -> None:
        """Skip an attempt, whose further issues are reported as well."""
        if attempt.is_skipped:
            self._issues.report(issues)
            return
        attempt.is_skipped = True
        self._skipped_submissions.add(attempt.key[0])
        self._issues.skip(issues)

    def _release_skipped(self) -> None:
        """Give up the claim to skipped submissions of which nothing is stored; all writes must be sent."""
        if self._skipped_submissions and self._issues.writes:
            release_submissions(self._session, self._quiz.id, self._skipped_submissions)
        self._skipped_submissions = set()

    def _skip_unknown(
        self, attempts: Sequence[PushedAttempt], unknown_users: set[int], of_other_quizzes: set[int]
    ) -> None:
        """Skip attempts of users who are not in the course, and those of other quizzes."""
        is_first = True
        for attempt in attempts:
            submission = attempt.submission
            if submission.user_id in unknown_users and not submission.is_deleted:
                # More users may be unknown than issues are named.
                others = sorted(unknown_users - {submission.user_id}) if is_first else []
                reason = _not_of_the_course(submission.user_id, others)
                issue = ValidationIssue(at(attempt.path, "user_id"), reason, IssueKind.UNKNOWN_USER)
                self._skip(attempt, [issue])
                is_first = False
            if submission.id in of_other_quizzes:
                issue = ValidationIssue(
                    at(attempt.path, "id"),
                    f"{submission.id} is a submission of another quiz",
                    IssueKind.BELONGS_ELSEWHERE,
                )
                self._skip(attempt, [issue])

    def _look_up(self, attempts: Sequence[PushedAttempt], found: Found) -> _Lookup:
        stored = found.stored
        # A skipped attempt is looked up as well, since it may have further issues.
        candidates = [attempt for attempt in attempts if attempt.is_skipped or _may_change(attempt, found)]
        deleted = [a for a in candidates if a.submission.is_deleted and not a.is_skipped]
        kept = [attempt for attempt in candidates if not attempt.submission.is_deleted]
        self._counter.unchanged += len(attempts) - len(candidates)
        questions = self._questions.find(kept, stored, self._skip)
        return _Lookup(kept, deleted, stored, questions)

    def _derive(self, lookup: _Lookup) -> _Writes:
        """Derive the rows of the attempts that are new or changed; send them early if they are large."""
        new: list[AttemptRow] = []
        changed: list[AttemptRow] = []
        size = 0
        for attempt in lookup.attempts:
            if (questions := lookup.questions.get(attempt.key)) is None:
                # Its questions are invalid, and their issues were reported already.
                continue
            stored = lookup.stored.get(attempt.key)
            try:
                row = _derive_changed(attempt, self._reader, questions, stored, self._issues.most_of_one)
            except InvalidInputError as error:
                self._skip(attempt, error.issues)
                continue
            if attempt.is_skipped:
                continue
            if row is None:
                self._counter.unchanged += 1
            else:
                self._note(row)
                (changed if stored else new).append(row)
                size += row.responses.response_bytes
            if size >= MAX_BYTES:
                # A short attempt at a quiz of long labels, or of many questions, has a large row.
                early = _Writes(new, changed)
                self._send(early, self._statements(early))
                new, changed, size = [], [], 0
        return _Writes(new, changed, lookup.deleted, lookup.stored)

    def _note(self, row: AttemptRow) -> None:
        """Take the issues of an attempt that is stored all the same."""
        entries_path = at(row.pushed.path, "submission_data")
        for number in row.responses.unknown_words:
            path = at(at(entries_path, number), "correct")
            self._issues.note(ValidationIssue(path, "is not one of Canvas's words", IssueKind.UNKNOWN_WORD))
        for number in row.responses.assumed_sets:
            path, reason = at(at(entries_path, number), "answer_id"), "is missing, so the first set is shown"
            self._issues.note(ValidationIssue(path, reason, IssueKind.ASSUMED))

    def _statements(self, writes: _Writes) -> Sequence[Write]:
        deleted = [attempt.submission for attempt in writes.deleted]
        if not self._issues.writes:
            return ()
        return make_writes(self._quiz.id, new=writes.new, changed=writes.changed, deleted=deleted)

    def _send(self, writes: _Writes, statements: Sequence[Write]) -> None:
        """Send what is to be written and count it; the server may still be writing when this returns."""
        send_writes(self._session, statements)
        deleted = [stored for a in writes.deleted if (stored := writes.stored.get(a.key))]
        self._counter.created += len(writes.new)
        self._counter.updated += len(writes.changed)
        self._counter.deleted += len(deleted)
        self._counter.unchanged += len(writes.deleted) - len(deleted)
        self._added_responses += sum(row.added_responses for row in (*writes.new, *writes.changed))
        self._added_responses -= sum(attempt.n_responses for attempt in deleted)

    def _finish(self) -> PushCounts:
        of_quiz = Quiz.id == self._quiz.id
        if not self._counter.has_changes:
            revision = self._session.execute(select(Quiz.revision).where(of_quiz)).scalar_one()
            return self._counter.at_revision(revision)
        raised = self._session.execute(
            update(Quiz)
            .where(of_quiz)
            .values(revision=Quiz.revision + 1, response_count=Quiz.response_count + self._added_responses)
            .returning(Quiz.revision)
            .execution_options(synchronize_session=False)
        )
        return self._counter.at_revision(raised.scalar_one())


def _not_of_the_course(user_id: int, others: Sequence[int]) -> str:
    reason = f"{user_id} is not a user of the course"
    return f"{reason}, nor are {', '.join(map(str, others))}" if others else reason


def _may_change(attempt: PushedAttempt, found: Found) -> bool:
    """Whether an attempt is new enough to change anything: it must undo neither a regrade nor a deletion."""
    updated_at = attempt.submission.updated_at
    if stored := found.stored.get(attempt.key):
        return updated_at >= stored.updated_at
    deleted_at = found.deleted_at.get(attempt.key)
    return deleted_at is None or updated_at > deleted_at


def _derive_changed(
    attempt: PushedAttempt,
    reader: EntryReader,
    questions: HadQuestions,
    stored: StoredAttempt | None,
    most_issues: int,
) -> AttemptRow | None:
    """Derive the row of an attempt, None if it was pushed like this before; raise InvalidInputError."""
    entries = attempt.read_entries(reader)
    digest = attempt.digest(entries, questions.question_set.digest)
    if stored and stored.digest == digest:
        return None
    return derive_row(attempt, entries, digest, questions, stored, most_issues)


_QUIZ: Final = """
    SELECT question_set_id, question_groups <> '{}' AS draws_questions
    FROM quizzes WHERE id = %(quiz_id)s AND course_id = %(course_id)s"""
