"""Exams whose item analysis the tests look at: the sample's, and one with hostile texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from models.db.session import Database
from models.lms.courses import EnrollmentType, User
from models.reports.tables import QuizReport, ReportState
from ops.benchmarks.item_page import repeated_questions
from ops.sample.loading import sample_quizzes
from ops.sample.simulated_exam import simulated_submissions
from tests.factories import COURSE_ID, QUIZ_ID, enroll
from tests.lms import Lms
from workers.generation import generate
from workers.resources import Resources

Json = dict[str, Any]

HOSTILE = (
    '</title></svg><script>alert("planted")</script>',
    '"><img src=x onerror="planted()">',
    "' onmouseover='planted()' x='",
    "{{ planted }} {% planted %} {n} {option} %s %(planted)s",
    "\N{RIGHT-TO-LEFT OVERRIDE}planted \N{RIGHT-TO-LEFT ISOLATE}\N{RIGHT-TO-LEFT MARK}",
    "planted \x01\x08\x0b\x1b\x7f\x85\ufffe\uffff",
    "planted" + "x" * 100_000,
    "javascript:planted() ]]> <!-- planted",
    "رياضيات 数学 математика हिन्दी 👩‍🔬 planted",
)


def sample_exam() -> tuple[list[Json], list[Json]]:
    """Return the questions and the submissions of the sample's exam."""
    (sample,) = (quiz for quiz in sample_quizzes() if quiz.name == "exam")
    return sample.definition["questions"], list(sample.submissions)


def long_exam(questions: int = 100) -> tuple[list[Json], list[Json]]:
    """Return an exam with the sample's questions, repeated."""
    many = repeated_questions(questions)
    return many, list(simulated_submissions(many))


def hostile_exam() -> tuple[list[Json], list[Json]]:
    """Return the sample's exam with a hostile text in each question and each of its answers."""
    questions, submissions = sample_exam()
    for number, question in enumerate(questions):
        text = HOSTILE[number % len(HOSTILE)]
        # As texts, not as markup: tags are gone before a question is stored.
        question["question_text"] = text.replace("&", "&amp;").replace("<", "&lt;")
        for answer in question.get("answers", ()):
            answer["text"] = f"{text} {answer['id']}"
    return questions, submissions


def push_exam(
    database: Database, questions: Sequence[Json], submissions: Sequence[Json], **quiz: Any
) -> None:
    """Make an exam the quiz of the school, taken by students of its course."""
    with database.transaction() as session:
        session.add_all(User(id=submission["user_id"], name="A student") for submission in submissions)
        session.flush()
        for submission in submissions:
            enroll(session, submission["user_id"], EnrollmentType.STUDENT)
    lms = Lms(database)
    lms.patch_quiz(QUIZ_ID, COURSE_ID, points_possible=float(len(questions)), questions=questions, **quiz)
    lms.put_attempts(*submissions, quiz_id=QUIZ_ID, course_id=COURSE_ID)


def make_queued_reports(database: Database, resources: Resources) -> None:
    """Do every queued job, as a worker does."""
    with database.transaction() as session:
        queued = list(session.scalars(select(QuizReport).where(QuizReport.state == ReportState.QUEUED)))
    for report in queued:
        assert report.progress_id is not None
        generate(resources, report.id, report.progress_id)
