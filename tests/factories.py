"""What tests of the API stand on: a school with every kind of caller, a client, finished reports."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from api.app import create_app
from api.services import Services
from models.access.tokens import create_token
from models.db.session import Database
from models.lms.courses import Course, CourseUser, Enrollment, EnrollmentState, EnrollmentType, Section, User
from models.lms.quizzes import Quiz, QuizType, ScoringPolicy
from models.reports.jobs import Claim, Snapshot, claim, fail, finish
from models.reports.requests import Requested, request_report
from models.reports.tables import QuizReport
from models.reports.variants import Variant
from models.settings import Settings
from models.storage import open_store
from tests.description import check

COURSE_ID, OTHER_COURSE_ID = 101, 102
SECTION_ID, OTHER_SECTION_ID = 31, 32
QUIZ_ID, SURVEY_ID, ANONYMOUS_SURVEY_ID, OTHER_QUIZ_ID = 201, 202, 203, 301
ASSIGNMENT_ID = 900
SIS_COURSE_ID = "2026-BIO-101"
CSV = b"name,id\nAnn Lee,7\n"

# Who calls: their user id, and what they are in the course.
CALLERS: Mapping[str, tuple[int, EnrollmentType | None, EnrollmentState]] = {
    "teacher": (7, EnrollmentType.TEACHER, EnrollmentState.ACTIVE),
    "second_teacher": (8, EnrollmentType.TEACHER, EnrollmentState.ACTIVE),
    "ta": (9, EnrollmentType.TA, EnrollmentState.ACTIVE),
    "student": (10, EnrollmentType.STUDENT, EnrollmentState.ACTIVE),
    "observer": (11, EnrollmentType.OBSERVER, EnrollmentState.ACTIVE),
    "designer": (12, EnrollmentType.DESIGNER, EnrollmentState.ACTIVE),
    "test_student": (13, EnrollmentType.STUDENT_VIEW, EnrollmentState.ACTIVE),
    "former_teacher": (14, EnrollmentType.TEACHER, EnrollmentState.COMPLETED),
    "invited_teacher": (15, EnrollmentType.TEACHER, EnrollmentState.INVITED),
    "removed_teacher": (16, EnrollmentType.TEACHER, EnrollmentState.DELETED),
    "other_teacher": (17, None, EnrollmentState.ACTIVE),
    "stranger": (18, None, EnrollmentState.ACTIVE),
    "admin": (1, None, EnrollmentState.ACTIVE),
}


def add_course(session: Session, course_id: int, section_id: int, **columns: Any) -> None:
    """Add a course with one section."""
    session.add(Course(id=course_id, name=f"Course {course_id}", roster_revision=1, **columns))
    session.flush()
    session.add(Section(id=section_id, course_id=course_id, name="Section A"))


def enroll(
    session: Session,
    user_id: int,
    kind: EnrollmentType,
    state: EnrollmentState = EnrollmentState.ACTIVE,
    *,
    course_id: int = COURSE_ID,
    section_id: int = SECTION_ID,
) -> None:
    """Enroll a user in a section of a course."""
    session.add(CourseUser(course_id=course_id, user_id=user_id))
    session.add(
        Enrollment(
            section_id=section_id, course_id=course_id, user_id=user_id, type=kind, enrollment_state=state
        )
    )


def add_quiz(session: Session, quiz_id: int, course_id: int = COURSE_ID, **columns: Any) -> None:
    """Add a quiz without questions."""
    columns = {
        "title": "Cells",
        "quiz_type": QuizType.ASSIGNMENT,
        "scoring_policy": ScoringPolicy.HIGHEST,
        "revision": 1,
    } | columns
    session.add(Quiz(id=quiz_id, course_id=course_id, **columns))


def add_school(session: Session) -> Mapping[str, str]:
    """Add two courses with their quizzes and every kind of caller; return the callers' tokens."""
    add_course(session, COURSE_ID, SECTION_ID, course_code="BIO101", sis_course_id=SIS_COURSE_ID)
    add_course(session, OTHER_COURSE_ID, OTHER_SECTION_ID)
    add_quiz(session, QUIZ_ID, assignment_id=ASSIGNMENT_ID)
    add_quiz(session, SURVEY_ID, quiz_type=QuizType.SURVEY)
    add_quiz(session, ANONYMOUS_SURVEY_ID, quiz_type=QuizType.GRADED_SURVEY, anonymous_submissions=True)
    add_quiz(session, OTHER_QUIZ_ID, OTHER_COURSE_ID)
    session.add_all(User(id=user_id, name=name) for name, (user_id, _, _) in CALLERS.items())
    # One flush adds many rows with a few statements; what follows refers to them.
    session.flush()
    for user_id, kind, state in CALLERS.values():
        if kind is not None:
            enroll(session, user_id, kind, state)
    other = CALLERS["other_teacher"][0]
    enroll(session, other, EnrollmentType.TEACHER, course_id=OTHER_COURSE_ID, section_id=OTHER_SECTION_ID)
    return {
        name: create_token(session, user_id=user_id, admin=name == "admin")
        for name, (user_id, _, _) in CALLERS.items()
    }


class ApiResponse(TestResponse):
    """A response whose JSON may be of any type."""

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return self.get_json()


@dataclass(frozen=True)
class Api:
    """A client of an application, and what a worker would do beside it."""

    app: Flask
    settings: Settings
    database: Database
    tokens: Mapping[str, str]

    @property
    def client(self) -> FlaskClient:
        """A client without cookies or credentials."""
        return FlaskClient(self.app, ApiResponse, use_cookies=False)

    def call(self, method: str, path: str, caller: str | None = "teacher", **options: Any) -> ApiResponse:
        """Send a request as one of the callers; the API's description must foresee the response."""
        headers = dict(options.pop("headers", {}))
        if caller is not None:
            headers.setdefault("Authorization", f"Bearer {self.tokens[caller]}")
        response = self.client.open(path, method=method, headers=headers, **options)
        assert isinstance(response, ApiResponse)
        check(self.app, method, response.request.path, response)
        return response

    def get(self, path: str, caller: str | None = "teacher", **options: Any) -> ApiResponse:
        """Send a GET."""
        return self.call("GET", path, caller, **options)

    def post(self, path: str, caller: str | None = "teacher", **options: Any) -> ApiResponse:
        """Send a POST."""
        return self.call("POST", path, caller, **options)

    def delete(self, path: str, caller: str | None = "teacher", **options: Any) -> ApiResponse:
        """Send a DELETE."""
        return self.call("DELETE", path, caller, **options)

    def token(self, user_id: int, *, scopes: Sequence[str] = (), **options: Any) -> str:
        """Issue one more token."""
        with self.database.transaction() as session:
            return create_token(session, user_id=user_id, scopes=scopes, **options)

    def report(self, report_id: int) -> QuizReport:
        """Read a report's row."""
        with self.database.transaction() as session:
            return session.get_one(QuizReport, report_id)

    def start(self, report_id: int) -> Claim:
        """Begin a queued job as a worker does."""
        progress_id = self.report(report_id).progress_id
        assert progress_id is not None
        with self.database.transaction() as session:
            claimed = claim(session, report_id, progress_id, lease_seconds=60.0, max_tries=3)
        assert claimed is not None
        return claimed

    def finish(self, report_id: int, content: bytes = CSV) -> None:
        """Do a queued job as a worker does, with a file of this content."""
        claimed = self.start(report_id)
        with open_store(self.settings).writer(claimed.storage_key) as writer:
            writer.write(content)
        with self.database.transaction() as session:
            course = session.get_one(Course, claimed.course_id)
            quiz = session.get_one(Quiz, claimed.variant.quiz_id)
            version = claimed.variant.analysis_version(formula_guard=self.settings.formula_guard)
            finish(
                session,
                claimed,
                Snapshot(quiz.revision, course.roster_revision, version),
                size=len(content),
                sha256=hashlib.sha256(content).digest(),
                most_of_course=self.settings.course_jobs,
            )

    def fail(self, report_id: int, message: str) -> None:
        """Do a queued job as a worker does that cannot finish it."""
        claimed = self.start(report_id)
        with self.database.transaction() as session:
            fail(session, claimed, message)

    def queue_statistics(self) -> tuple[int, int]:
        """Queue the job of the statistics of the quiz; return the ids of the report and the job."""
        with self.database.transaction() as session:
            variant = Variant.of_statistics(session.get_one(Quiz, QUIZ_ID), all_versions=False)
            report = request_variant(session, variant, formula_guard=self.settings.formula_guard).report
        assert report.progress_id is not None
        return report.id, report.progress_id

    def bring_new_data(self, quiz_id: int = QUIZ_ID) -> None:
        """Make every report of a quiz stale."""
        with self.database.transaction() as session:
            session.get_one(Quiz, quiz_id).revision += 1

    def generated(self, caller: str = "teacher", content: bytes = CSV, **params: Any) -> dict[str, Any]:
        """Ask for a report, make it, and return it as it is shown then."""
        quiz_id = params.pop("quiz_id", QUIZ_ID)
        params.setdefault("report_type", "student_analysis")
        response = self.post(reports_path(quiz_id), caller, json={"quiz_report": params})
        assert response.status_code == 200, response.text
        self.finish(response.json["id"], content)
        return dict(self.get(f"{reports_path(quiz_id)}/{response.json['id']}", caller).json)


@contextmanager
def open_api(settings: Settings, database: Database) -> Iterator[Api]:
    """Open an application on a database that holds the school, and close it afterwards."""
    with database.transaction() as session:
        tokens = add_school(session)
    app = create_app(settings)
    try:
        yield Api(app, settings, database, tokens)
    finally:
        Services.of(app).close()


def reports_path(quiz_id: int = QUIZ_ID, course_id: int | str = COURSE_ID) -> str:
    """Where the reports of a quiz are."""
    return f"/api/v1/courses/{course_id}/quizzes/{quiz_id}/reports"


def request_variant(session: Session, variant: Variant, **options: Any) -> Requested:
    """Request a report of a variant, with settings that matter to no test unless they are given."""
    quiz = session.get_one(Quiz, variant.quiz_id)
    course = session.get_one(Course, quiz.course_id)
    chosen = {"user_id": 7, "formula_guard": False, "large_responses": 10**6, "course_jobs": 8, **options}
    return request_report(session, course, quiz, variant, **chosen)
