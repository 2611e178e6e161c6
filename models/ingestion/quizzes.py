"""A quiz is applied: its columns and its questions, all of a request or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models.content.questions import Question
from models.db.session import lock
from models.errors import InvalidInputError, IssueKind, NotFoundError, ValidationIssue
from models.ingestion.attempts import lock_name
from models.ingestion.counts import PushCounter, PushCounts
from models.ingestion.question_sets import PushedQuestionSet, QuestionSets
from models.issues import Issues
from models.lms.courses import Course
from models.lms.quizzes import Quiz
from models.payloads.lists import PushedList
from models.payloads.questions import MOST_QUESTIONS, GroupKey, PushedGroup, PushedQuestion
from models.payloads.quizzes import COLUMNS, DEFAULTS, QuizChanges
from models.reports.withdrawal import withdraw_reports

_NO_QUESTIONS: Final = PushedList[PushedQuestion]("quiz.questions", {})
# No report shows these, so a change of them alone leaves reports current.
_NOT_IN_REPORTS: Final = frozenset({"published_at", "assignment_id"})
_REQUIRED: Final = tuple(name for name in COLUMNS if name not in DEFAULTS)
_ASSIGNMENT_CONSTRAINT: Final = "uq_quizzes_course_id_assignment_id"
_ASSIGNMENT_IN_USE: Final = ValidationIssue(
    "quiz.assignment_id", "belongs to another quiz of the course", IssueKind.BELONGS_ELSEWHERE
)


@dataclass(frozen=True)
class AppliedQuiz:
    """What a push changed, and the keys of the objects to delete once it is committed."""

    counts: PushCounts
    withdrawn_keys: Sequence[str] = ()


def apply_quiz(session: Session, course_id: int, quiz_id: int, payload: QuizChanges) -> AppliedQuiz:
    """Store a quiz, and its questions if they are given; what is left out stays as it is.

    If it becomes a survey, the reports that it may no longer have are withdrawn. The revision rises if
    anything changed that a report shows, even the order of questions or answers alone. Raises NotFoundError
    if there is no such course, and InvalidInputError; the transaction must then be rolled back.
    """
    # A push of several attempts takes the same lock, so one transaction at a time adds question versions.
    lock(session, lock_name(quiz_id))
    if session.execute(select(Course.id).where(Course.id == course_id)).first() is None:
        raise NotFoundError
    try:
        return _QuizPush(session, course_id, quiz_id, payload.issues).apply(payload)
    except IntegrityError as error:
        if _ASSIGNMENT_CONSTRAINT not in str(error.orig):
            raise
        # Another transaction has just given the assignment to another quiz.
        raise InvalidInputError([_ASSIGNMENT_IN_USE]) from None


class _QuizPush:
    """One request."""

    def __init__(self, session: Session, course_id: int, quiz_id: int, issues: Issues) -> None:
        self._session = session
        self._issues = issues
        self._course_id = course_id
        self._id = quiz_id
        self._counter = PushCounter()

    def apply(self, payload: QuizChanges) -> AppliedQuiz:
        """Store the quiz and its questions, and raise its revision if a report would change."""
        stored = self._find()
        columns = {**DEFAULTS, **(stored or {}), **(payload.columns or {})}
        is_valid = self._is_valid(payload, columns, stored)
        if not is_valid and not stored:
            if payload.questions:
                payload.questions.without(_of_skipped_quiz, lambda q: q.id, self._issues)
            return AppliedQuiz(self._counter.at_revision(0))
        stored = stored or {}
        if not is_valid:
            columns = dict(stored)
        if not stored:
            self._session.execute(insert(Quiz).values(id=self._id, course_id=self._course_id, **columns))
        if payload.questions is not None or not stored:
            columns["question_set_id"], pushed = self._store_questions(
                stored.get("question_set_id"), payload.questions or _NO_QUESTIONS
            )
            columns["question_groups"] = _points_of_groups(
                pushed, payload.groups, stored.get("question_groups", {})
            )
        changes_reports = self._counter.has_changes or any(
            name not in stored or columns[name] != stored[name] for name in columns.keys() - _NOT_IN_REPORTS
        )
        self._count_quiz(stored, columns, is_valid=is_valid)
        of_quiz = Quiz.id == self._id
        if not self._counter.has_changes:
            revision = self._session.execute(select(Quiz.revision).where(of_quiz)).scalar_one()
            return AppliedQuiz(self._counter.at_revision(revision))
        quiz = self._session.scalars(
            update(Quiz)
            .where(of_quiz)
            .values(**columns, revision=Quiz.revision + int(changes_reports))
            .returning(Quiz)
            .execution_options(synchronize_session=False, populate_existing=True)
        ).one()
        withdrawn_keys = withdraw_reports(self._session, quiz) if stored and quiz.quiz_type.is_survey else ()
        return AppliedQuiz(self._counter.at_revision(quiz.revision), withdrawn_keys)

    def _find(self) -> Mapping[str, Any] | None:
        """Find the columns of the stored quiz; empty if it is new, None if it is of another course."""
        table = Quiz.__table__.columns
        found = self._session.execute(
            select(
                table.course_id,
                table.question_set_id,
                table.question_groups,
                *(table[name] for name in COLUMNS),
            ).where(table.id == self._id)
        ).first()
        if found is None:
            return {}
        if found.course_id != self._course_id:
            return None
        return {name: value for name, value in found._mapping.items() if name != "course_id"}

    def _is_valid(
        self, payload: QuizChanges, columns: Mapping[str, Any], stored: Mapping[str, Any] | None
    ) -> bool:
        """Whether the columns may be stored; what is wrong with them is reported."""
        if payload.columns is None:
            return False
        found = list(self._find_issues(columns, stored))
        if found:
            self._issues.skip(found)
            self._issues.finish()
        return not found

    def _find_issues(
        self, columns: Mapping[str, Any], stored: Mapping[str, Any] | None
    ) -> Iterator[ValidationIssue]:
        if stored is None:
            reason = f"{self._id} is a quiz of another course"
            yield ValidationIssue("quiz", reason, IssueKind.BELONGS_ELSEWHERE)
            return
        for name in _REQUIRED:
            if name not in columns:
                yield ValidationIssue(f"quiz.{name}", "is missing", IssueKind.MISSING)
        if columns["assignment_id"] is not None and self._is_assignment_in_use(columns["assignment_id"]):
            yield _ASSIGNMENT_IN_USE

    def _is_assignment_in_use(self, assignment_id: int) -> bool:
        other = select(Quiz.id).where(
            Quiz.course_id == self._course_id, Quiz.assignment_id == assignment_id, Quiz.id != self._id
        )
        return self._session.execute(other).first() is not None

    def _store_questions(
        self, old_question_set_id: int | None, pushed: PushedList[PushedQuestion]
    ) -> tuple[int, PushedList[PushedQuestion]]:
        """Store the questions; return the id of the question set, and those of the pushed that are in it."""
        question_sets = QuestionSets(self._session, self._id)
        stored = question_sets.questions(old_question_set_id) if pushed.skipped else {}
        pushed = self._without_excess(pushed, stored)
        questions = _with_skipped(pushed, stored)
        old = dict(question_sets.version_ids(old_question_set_id))
        question_set_id, changed = question_sets.store_current(PushedQuestionSet.of(questions))
        new = dict(question_sets.version_ids(question_set_id))
        kept = new.keys() & old.keys()
        updated = sum(new[question] != old[question] or new[question] in changed for question in kept)
        self._counter.created += len(new.keys() - kept)
        self._counter.updated += updated
        self._counter.unchanged += len(kept) - updated
        self._counter.deleted += len(old.keys() - kept)
        return question_set_id, pushed

    def _without_excess(
        self, pushed: PushedList[PushedQuestion], stored: Mapping[int, Question]
    ) -> PushedList[PushedQuestion]:
        """Skip the last new questions if the quiz would have too many, with those that stay as they are."""
        excess = len(_with_skipped(pushed, stored)) - MOST_QUESTIONS
        if excess <= 0:
            return pushed
        new = [int(question.id) for question in pushed.entries.values() if question.id not in stored]
        surplus = set(new[-excess:])

        def find(question: PushedQuestion, path: str) -> Iterator[ValidationIssue]:
            if question.id in surplus:
                reason = f"is one more than the {MOST_QUESTIONS} questions that a quiz may have"
                yield ValidationIssue(path, reason, IssueKind.TOO_LONG)

        return pushed.without(find, lambda question: int(question.id), self._issues)

    def _count_quiz(self, stored: Mapping[str, Any], columns: Mapping[str, Any], *, is_valid: bool) -> None:
        if not stored:
            self._counter.created += 1
            return
        is_edited = any(columns[name] != stored[name] for name in ("question_groups", *COLUMNS))
        # If no question changed and the question set did, the questions are in another order.
        is_reordered = (
            columns["question_set_id"] != stored["question_set_id"] and not self._counter.has_changes
        )
        if is_edited or is_reordered:
            self._counter.updated += 1
        elif is_valid:
            self._counter.unchanged += 1


def _of_skipped_quiz(_: PushedQuestion, path: str) -> Sequence[ValidationIssue]:
    return [ValidationIssue(path, "belongs to a quiz that is skipped", IssueKind.DEPENDS_ON_SKIPPED)]


def _with_skipped(pushed: PushedList[PushedQuestion], stored: Mapping[int, Question]) -> list[Question]:
    """List the pushed questions in their order, and the skipped ones as they are stored."""
    questions: list[Question] = []
    for index in sorted({*pushed.entries, *pushed.skipped}):
        if index in pushed.entries:
            questions.append(Question.of(pushed.entries[index]))
        elif question := stored.get(pushed.skipped[index]):
            questions.append(question)
    if not pushed.may_delete:
        listed = {question.id for question in questions}
        questions += [question for question in stored.values() if question.id not in listed]
    return questions


def _points_of_groups(
    pushed: PushedList[PushedQuestion], groups: Sequence[PushedGroup], stored: Mapping[str, float | None]
) -> Mapping[str, float | None]:
    """Map the groups of a quiz, listed or named by a question, to the points of their questions.

    A skipped group stays as it is stored.
    """
    skipped = {str(key.group_id) for key in pushed.skipped.values() if isinstance(key, GroupKey)}
    kept = {key: stored[key] for key in stored if key in skipped or not pushed.may_delete}
    questions = pushed.entries.values()
    named = {str(int(q.quiz_group_id)): None for q in questions if q.quiz_group_id is not None}
    listed = {str(int(group.id)): group.question_points for group in groups if group.id is not None}
    return {**named, **kept, **listed}
