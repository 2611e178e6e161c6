"""The questions that attempts had: those that they send, else those of the quiz, of which some are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from models.content.questions import Question
from models.errors import InvalidInputError, ValidationIssue
from models.ingestion.attempt_rows import AttemptRow, Key, StoredAttempt
from models.ingestion.question_sets import PushedQuestionSet, QuestionSets, StoredQuestionSet
from models.ingestion.quiz_data import QuizDataReader
from models.payloads.attempts import PushedAttempt
from models.payloads.entries import PushedEntry
from models.payloads.json_values import at

Skip = Callable[[PushedAttempt, Sequence[ValidationIssue]], None]

_NO_QUESTIONS: Final = PushedQuestionSet.of(())


@dataclass(frozen=True)
class HadQuestions:
    """The question set of an attempt.

    `quiz_question_set_id` is the quiz's when the attempt was first pushed, None if the attempt sent its own.
    """

    question_set: StoredQuestionSet
    quiz_question_set_id: int | None


def derive_row(
    attempt: PushedAttempt,
    entries: Sequence[PushedEntry],
    digest: bytes,
    questions: HadQuestions,
    stored: StoredAttempt | None,
    most_issues: int,
) -> AttemptRow:
    """Derive the row of an attempt from its entries; raise InvalidInputError with their issues."""
    responses, issues = questions.question_set.parser.read(
        entries, attempt.attachments, at(attempt.path, "submission_data"), most_issues
    )
    if issues:
        raise InvalidInputError(issues)
    question_set_id = questions.question_set.id
    return AttemptRow(attempt, question_set_id, questions.quiz_question_set_id, responses, digest, stored)


class AttemptQuestions:
    """Finds the question sets of attempts at one quiz in one transaction, and stores those that are new."""

    def __init__(self, session: Session, quiz_id: int, quiz_question_set_id: int | None) -> None:
        self._question_sets = QuestionSets(session, quiz_id)
        self._quiz_question_set_id = quiz_question_set_id
        self._quiz_data = QuizDataReader(self._present)

    def find(
        self, attempts: Sequence[PushedAttempt], stored: Mapping[Key, StoredAttempt], skip: Skip
    ) -> Mapping[Key, HadQuestions]:
        """Find the question set of each attempt by its key: that of its quiz_data, else the one that it had.

        An attempt that was never pushed before had the quiz's. An attempt whose quiz_data are invalid is
        skipped with their issues, and has no question set.
        """
        sent: dict[Key, PushedQuestionSet] = {}
        known: dict[Key, int] = {}
        of_quiz: dict[Key, int] = {}
        for attempt in attempts:
            old = stored.get(attempt.key)
            if source := attempt.quiz_data:
                try:
                    sent[attempt.key] = self._quiz_data.read(source, at(attempt.path, "quiz_data"))
                except InvalidInputError as error:
                    skip(attempt, error.issues)
            elif base := old.quiz_question_set_id if old else self._quiz_question_set_id:
                of_quiz[attempt.key] = base
            elif old:
                known[attempt.key] = old.question_set_id
            else:
                sent[attempt.key] = _NO_QUESTIONS
        drawn = self._draw(attempts, of_quiz)
        self._question_sets.store([*sent.values(), *drawn.values()])
        ids = {**known, **of_quiz}
        ids |= {key: self._question_sets.id_of(new) for key, new in (*sent.items(), *drawn.items())}
        loaded = self._question_sets.load(ids.values())
        return {key: HadQuestions(loaded[id_], of_quiz.get(key)) for key, id_ in ids.items()}

    def _draw(
        self, attempts: Sequence[PushedAttempt], of_quiz: Mapping[Key, int]
    ) -> dict[Key, PushedQuestionSet]:
        """Make the question sets of attempts at quizzes that draw questions: entries tell which."""
        loaded = self._question_sets.load(of_quiz.values())
        bases = {set_id: loaded[set_id] for set_id in set(of_quiz.values()) if loaded[set_id].drawn_ids}
        made: dict[tuple[int, frozenset[int]], PushedQuestionSet] = {}
        drawn: dict[Key, PushedQuestionSet] = {}
        for attempt in attempts if bases else ():
            base = bases.get(of_quiz.get(attempt.key, 0))
            if base is None:
                continue
            drawn_ids = base.drawn_ids & attempt.answered_question_ids()
            if (base.id, drawn_ids) not in made:
                made[base.id, drawn_ids] = base.drawn(drawn_ids)
            drawn[attempt.key] = made[base.id, drawn_ids]
        return drawn

    def _present(self) -> Mapping[int, Question]:
        if self._quiz_question_set_id is None:
            return {}
        present = self._question_sets.load([self._quiz_question_set_id])[self._quiz_question_set_id]
        return present.by_id
