"""Attempts come in: what is new or newer is stored, all of a request or nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from models.attempt_rows import (
    AttemptRow,
    Key,
    StoredAttempt,
    add_attempts,
    change_attempts,
    delete_attempts,
    find_foreign_submissions,
    find_unknown_users,
    lock_attempts,
)
from models.counts import Counts, Tally
from models.errors import InvalidInputError, NotFoundError, Problem
from models.forms import Forms, WantedForm
from models.json_input import at
from models.quiz_data import QuizDataReader
from models.statements import lock, lock_shared, run
from models.submission_input import Batch, PushedAttempt

_NO_QUESTIONS: Final = WantedForm.of(())


def push_submissions(session: Session, course_id: int, quiz_id: int, batches: Iterable[Batch]) -> Counts:
    """Store the attempts of a request that are new or newer than the stored ones, in batches.

    The revision of the quiz rises once if anything changed, by the last statement: until then attempts at
    the same quiz that others push do not wait. Raises NotFoundError, and InvalidInputError with what is
    wrong in the whole request; the transaction must then be rolled back.
    """
    quizzes = run(session, _QUIZ, quiz_id=quiz_id, course_id=course_id)
    if not quizzes:
        raise NotFoundError
    quiz = _PushedTo(quiz_id, course_id, quizzes[0].form_id)
    return _SubmissionPush(session, quiz).take(iter(batches))


def lock_name(quiz_id: int) -> str:
    """Name the lock that those hold who write more than one attempt of a quiz, or what attempts share."""
    return f"ingestion:quiz:{quiz_id}"


@dataclass(frozen=True)
class _PushedTo:
    """The quiz of a request, as it was when the request began."""

    id: int
    course_id: int
    form_id: int | None


class _SubmissionPush:
    """One request."""

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
        for batch in itertools.chain([first, second] if second else [first], batches):
            self._take_batch(batch)
            if len(self._problems) >= InvalidInputError.MOST_PROBLEMS:
                break
        if self._problems:
            raise InvalidInputError(self._problems)
        return self._finish()

    def _lock(self, first: Batch, second: Batch | None) -> None:
        # Who holds one attempt and waits for nothing but the quiz's row cannot be part of a deadlock. Several
        # attempts of one request, and what attempts share, are written by one request at a time.
        name = lock_name(self._quiz.id)
        if second or len(first.attempts) > 1:
            lock(self._session, name)
        elif any(attempt.quiz_data for attempt in first.attempts):
            lock_shared(self._session, name)

    def _take_batch(self, batch: Batch) -> None:
        self._problems += batch.problems
        self._problems += self._find_repeated(batch.attempts)
        self._problems += self._find_strangers(batch.attempts)
        pending = self._store(batch.attempts)
        while pending:
            # Somebody else has added them meanwhile, so now they are found.
            pending = self._store(pending)

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

    def _store(self, attempts: Sequence[PushedAttempt]) -> list[PushedAttempt]:
        """Store what is new or newer; return what somebody else has added since it was looked for."""
        stored = lock_attempts(self._session, [attempt.key for attempt in attempts])
        news = [attempt for attempt in attempts if _is_news(attempt, stored.get(attempt.key))]
        gone = [stored[attempt.key] for attempt in news if attempt.submission.is_deleted]
        alive = [attempt for attempt in news if not attempt.submission.is_deleted]
        rows = list(self._derive(alive, stored))
        if self._problems:
            return []
        old = [row for row in rows if row.stored]
        new = [row for row in rows if not row.stored]
        delete_attempts(self._session, gone)
        change_attempts(self._session, old)
        added = add_attempts(self._session, self._quiz.id, new)
        self._count(gone, old, [row for row in new if row.pushed.key in added])
        self._tally.unchanged += len(attempts) - len(gone) - len(rows)
        return [row.pushed for row in new if row.pushed.key not in added]

    def _count(
        self, gone: Sequence[StoredAttempt], old: Sequence[AttemptRow], new: Sequence[AttemptRow]
    ) -> None:
        self._tally.deleted += len(gone)
        self._tally.updated += len(old)
        self._tally.created += len(new)
        self._added_responses += sum(row.added_responses for row in (*old, *new))
        self._added_responses -= sum(attempt.n_responses for attempt in gone)

    def _derive(
        self, attempts: Sequence[PushedAttempt], stored: Mapping[Key, StoredAttempt]
    ) -> Iterator[AttemptRow]:
        form_ids = self._find_forms(attempts, stored)
        forms = self._forms.load(form_ids.values())
        for attempt in attempts:
            if (form_id := form_ids.get(attempt.key)) is None:
                continue
            form, old = forms[form_id], stored.get(attempt.key)
            digest = attempt.digest(form.digest)
            if old and old.digest == digest:
                continue
            responses, problems = form.sheet.read(
                attempt.submission.submission_data or (),
                attempt.attachments,
                at(attempt.place, "submission_data"),
            )
            self._problems += problems
            yield AttemptRow(attempt, form_id, responses, digest, old)

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
