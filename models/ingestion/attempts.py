"""Attempts come in: what is new or newer is stored, all of a request or nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from models.db.bulk import Sent, lock, lock_shared, pipelined, run
from models.errors import InvalidInputError, NotFoundError, Problem
from models.ingestion.attempt_rows import (
    AttemptRow,
    Key,
    StoredAttempt,
    added_keys,
    find_foreign_submissions,
    find_unknown_users,
    lock_attempts,
    send_attempts,
)
from models.ingestion.counts import Counts, Tally
from models.ingestion.question_sets import Forms, StoredForm, WantedForm
from models.ingestion.quiz_data import QuizDataReader
from models.payloads.attempts import Batch, PushedAttempt
from models.payloads.json_values import at

_NO_QUESTIONS: Final = WantedForm.of(())


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
    """The quiz of a request, and the form that new attempts at it have."""

    id: int
    course_id: int
    form_id: int | None


def _find_quiz(session: Session, course_id: int, quiz_id: int) -> _PushedTo:
    quizzes = run(session, _QUIZ, quiz_id=quiz_id, course_id=course_id)
    if not quizzes:
        raise NotFoundError
    return _PushedTo(quiz_id, course_id, quizzes[0].form_id)


@dataclass(frozen=True)
class _Found:
    """What the database knows of some attempts: all that is needed to derive their rows without it."""

    attempts: Sequence[PushedAttempt]
    gone: Sequence[StoredAttempt]
    stored: Mapping[Key, StoredAttempt]
    form_ids: Mapping[Key, int]
    forms: Mapping[int, StoredForm]


@dataclass(frozen=True)
class _Writing:
    """Rows that are being written."""

    new: Sequence[AttemptRow] = ()
    changed: Sequence[AttemptRow] = ()
    gone: Sequence[StoredAttempt] = ()
    sent: Sent | None = None


class _SubmissionPush:
    """One request.

    The server writes one batch while the next is derived and the one after it is read here, so each batch is
    looked up before the one before it is sent.
    """

    def __init__(self, session: Session, quiz: _PushedTo) -> None:
        self._session = session
        self._quiz = quiz
        self._forms = Forms(session, quiz.id)
        self._quiz_data = QuizDataReader()
        self._keys: set[Key] = set()
        self._problems: list[Problem] = []
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
        if self._problems:
            raise InvalidInputError(self._problems)
        return self._finish()

    def _take_batches(self, batches: Iterator[Batch]) -> None:
        rows: Sequence[AttemptRow] = ()
        gone: Sequence[StoredAttempt] = ()
        batch = next(batches, None)
        while batch is not None:
            found = self._look_up_batch(batch)
            writing = self._begin_writing(rows, gone)
            rows, gone = self._derive(found), found.gone
            if len(self._problems) >= InvalidInputError.MOST_PROBLEMS:
                return
            batch = next(batches, None)
            self._end_writing(writing)
        self._end_writing(self._begin_writing(rows, gone))

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
        self._problems += batch.problems
        self._problems += self._find_repeated(batch.attempts)
        self._problems += self._find_strangers(batch.attempts)
        return self._look_up(batch.attempts)

    def _find_repeated(self, attempts: Sequence[PushedAttempt]) -> Iterator[Problem]:
        for attempt in attempts:
            if attempt.key in self._keys:
                yield Problem(attempt.place, "is an attempt that was given earlier, too")
            self._keys.add(attempt.key)

    def _find_strangers(self, attempts: Sequence[PushedAttempt]) -> Iterator[Problem]:
        takers = {a.submission.user_id for a in attempts if not a.submission.is_deleted} - {None}
        unknown = find_unknown_users(
            self._session, self._quiz.course_id, [int(taker or 0) for taker in takers]
        )
        foreign = find_foreign_submissions(self._session, self._quiz.id, {a.submission.id for a in attempts})
        for attempt in attempts:
            submission = attempt.submission
            if submission.user_id in unknown and not submission.is_deleted:
                yield Problem(
                    at(attempt.place, "user_id"), f"{submission.user_id} is not a user of the course"
                )
            if submission.id in foreign:
                yield Problem(at(attempt.place, "id"), f"{submission.id} is a submission of another quiz")

    def _look_up(self, attempts: Sequence[PushedAttempt]) -> _Found:
        stored = lock_attempts(self._session, [attempt.key for attempt in attempts])
        news = [attempt for attempt in attempts if _is_news(attempt, stored.get(attempt.key))]
        gone = [stored[attempt.key] for attempt in news if attempt.submission.is_deleted]
        alive = [attempt for attempt in news if not attempt.submission.is_deleted]
        self._tally.unchanged += len(attempts) - len(news)
        form_ids = self._find_forms(alive, stored)
        return _Found(alive, gone, stored, form_ids, self._forms.load(form_ids.values()))

    def _derive(self, found: _Found) -> Sequence[AttemptRow]:
        """Derive the rows of those attempts that are new or not as they were."""
        rows = []
        for attempt in found.attempts:
            if (form_id := found.form_ids.get(attempt.key)) is None:
                continue
            try:
                row = self._derive_row(attempt, found.forms[form_id], found.stored.get(attempt.key))
            except InvalidInputError as error:
                self._problems += error.problems
                continue
            if row is None:
                self._tally.unchanged += 1
            else:
                rows.append(row)
        return rows

    def _derive_row(
        self, attempt: PushedAttempt, form: StoredForm, stored: StoredAttempt | None
    ) -> AttemptRow | None:
        entries = attempt.read_entries()
        digest = attempt.digest(entries, form.digest)
        if stored and stored.digest == digest:
            return None
        place = at(attempt.place, "submission_data")
        responses, problems = form.sheet.read(entries, attempt.attachments, place)
        if problems:
            raise InvalidInputError(problems)
        return AttemptRow(attempt, form.id, responses, digest, stored)

    def _begin_writing(self, rows: Sequence[AttemptRow], gone: Sequence[StoredAttempt]) -> _Writing:
        if self._problems:
            # Nothing of the request will be stored; what follows is only read for what else is wrong with it.
            return _Writing()
        new = [row for row in rows if not row.stored]
        changed = [row for row in rows if row.stored]
        sent = send_attempts(self._session, self._quiz.id, new=new, changed=changed, gone=gone)
        return _Writing(new, changed, gone, sent)

    def _end_writing(self, writing: _Writing) -> None:
        added = added_keys(writing.sent)
        stored = [*writing.changed, *(row for row in writing.new if row.pushed.key in added)]
        self._tally.created += len(added)
        self._tally.updated += len(writing.changed)
        self._tally.deleted += len(writing.gone)
        self._added_responses += sum(row.added_responses for row in stored)
        self._added_responses -= sum(attempt.n_responses for attempt in writing.gone)
        if late := [row.pushed for row in writing.new if row.pushed.key not in added]:
            # Somebody else has added them since they were looked up, so now they are found.
            found = self._look_up(late)
            self._end_writing(self._begin_writing(self._derive(found), found.gone))

    def _find_forms(
        self, attempts: Sequence[PushedAttempt], stored: Mapping[Key, StoredAttempt]
    ) -> dict[Key, int]:
        """Find the form of each attempt: the one it sends, else the one it had, else the quiz's."""
        wanted: dict[Key, WantedForm] = {}
        form_ids: dict[Key, int] = {}
        for attempt in attempts:
            if source := attempt.quiz_data:
                try:
                    wanted[attempt.key] = self._quiz_data.read(source, at(attempt.place, "quiz_data"))
                except InvalidInputError as error:
                    self._problems += error.problems
            elif old := stored.get(attempt.key):
                form_ids[attempt.key] = old.form_id
            elif self._quiz.form_id is not None:
                form_ids[attempt.key] = self._quiz.form_id
            else:
                wanted[attempt.key] = _NO_QUESTIONS
        self._forms.store(wanted.values())
        return form_ids | {key: self._forms.id_of(form) for key, form in wanted.items()}

    def _finish(self) -> Counts:
        if not self._tally.is_change:
            return self._tally.at_revision(run(self._session, _REVISION, quiz_id=self._quiz.id)[0].revision)
        raised = run(
            self._session, _RAISE_REVISION, quiz_id=self._quiz.id, added_responses=self._added_responses
        )
        return self._tally.at_revision(raised[0].revision)


def _is_news(attempt: PushedAttempt, stored: StoredAttempt | None) -> bool:
    """Whether an attempt may change anything: a late retry must not undo a regrade."""
    if stored is None:
        return not attempt.submission.is_deleted
    return attempt.submission.updated_at >= stored.updated_at


_QUIZ: Final = "SELECT form_id FROM quizzes WHERE id = %(quiz_id)s AND course_id = %(course_id)s"

_REVISION: Final = "SELECT revision FROM quizzes WHERE id = %(quiz_id)s"

_RAISE_REVISION: Final = """
    UPDATE quizzes SET revision = revision + 1, response_count = response_count + %(added_responses)s
    WHERE id = %(quiz_id)s
    RETURNING revision"""
