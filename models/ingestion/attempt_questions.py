"""The questions that attempts had: those that they send, else those of the quiz, of which some are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy.orm import Session

from models.content.questions import Question, digest, unshuffled
from models.errors import InvalidInputError, IssueKind, ValidationIssue
from models.ingestion.attempt_rows import AttemptRow, Key, StoredAttempt
from models.ingestion.question_sets import PushedQuestionSet, QuestionSets, StoredQuestionSet
from models.payloads.attempts import PushedAttempt
from models.payloads.entries import PushedEntry
from models.payloads.json_values import at, decode
from models.payloads.questions import MOST_QUESTIONS, PushedQuestion, find_repeated, read_entry
from models.payloads.strict_json import MOST_ENTRIES, require_strict

Skip = Callable[[PushedAttempt, Sequence[ValidationIssue]], None]

_NO_QUESTIONS: Final = PushedQuestionSet.of(())

# What is kept of the JSON that attempts send.
_MAX_QUESTION_SETS: Final = 200
_MAX_QUESTIONS: Final = 10_000
_MAX_BYTES: Final = 16 * 2**20

# A question with its digest; None for a question group.
_Read = tuple[Question, bytes] | None


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


class QuizDataReader:
    """Reads the `quiz_data` of attempts, with caches of question sets and questions by their JSON.

    Most attempts of a quiz send the same questions, so each is read once. `present` returns the quiz's
    present questions by id, whose order of answers all attempts take.
    """

    def __init__(self, present: Callable[[], Mapping[int, Question]]) -> None:
        self._present = present
        self._question_sets: dict[bytes, PushedQuestionSet] = {}
        self._questions: dict[bytes, _Read] = {}
        self._size = 0

    def read(self, source: bytes, path: str) -> PushedQuestionSet:
        """Read the JSON at a path; raise InvalidInputError with every issue."""
        if (question_set := self._question_sets.get(source)) is not None:
            return question_set
        if self._size >= _MAX_BYTES:
            self._question_sets, self._questions, self._size = {}, {}, 0
        if len(self._question_sets) >= _MAX_QUESTION_SETS:
            self._question_sets = {}
        if len(self._questions) >= _MAX_QUESTIONS:
            self._questions = {}
        self._size += len(source)
        question_set = self._question_sets[source] = self._read(source, path)
        return question_set

    def _read(self, source: bytes, path: str) -> PushedQuestionSet:
        if source.count(b",") >= MOST_ENTRIES:
            require_strict(source, path)
        entries = decode(source, list[msgspec.Raw], path)
        if len(entries) > MOST_QUESTIONS:
            raise InvalidInputError(
                [ValidationIssue(path, f"has more than {MOST_QUESTIONS} entries", IssueKind.TOO_LONG)]
            )
        questions: list[tuple[str, Question, bytes]] = []
        issues: list[ValidationIssue] = []
        for index, entry in enumerate(entries):
            entry_path = at(path, index)
            try:
                if read := self._read_question(bytes(entry), entry_path):
                    questions.append((entry_path, *read))
            except InvalidInputError as error:
                issues += error.issues
            if len(issues) >= InvalidInputError.MOST_ISSUES:
                break
        issues += find_repeated((entry_path, question.id) for entry_path, question, _ in questions)
        if issues:
            raise InvalidInputError(issues)
        return PushedQuestionSet(
            [question for _, question, _ in questions], [digest for _, _, digest in questions]
        )

    def _read_question(self, source: bytes, path: str) -> _Read:
        if source in self._questions:
            return self._questions[source]
        require_strict(source, path)
        pushed, issues = read_entry(source, path)
        if issues:
            raise InvalidInputError(issues)
        read: _Read = None
        if isinstance(pushed, PushedQuestion):
            question = Question.of(pushed)
            question = unshuffled(question, self._present().get(question.id))
            read = question, digest(question)
        self._questions[source] = read
        return read
