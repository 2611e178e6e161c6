"""Courses and their quizzes, through which clients reach a report."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from werkzeug import Response

from api.auth import authorized, scope
from api.errors import ForbiddenError
from api.links import links
from api.openapi.decorators import describe
from api.openapi.operations import courses as operations
from api.params import Page, page
from api.responses import serialized_response
from api.serializers import course_json, question_json, quiz_json, section_json, submission_json
from api.services import services
from models.lms.attempts import count_submissions, list_latest_attempts
from models.lms.courses import count_sections, list_sections
from models.lms.quizzes import (
    count_quizzes,
    list_questions,
    list_quizzes,
    question_counts,
)

courses = Blueprint("courses", __name__, url_prefix="/api/v1/courses/<course_id>")


@courses.get("")
@scope("url:GET|/api/v1/courses/:id")
@describe(operations.SHOW)
def show(course_id: str) -> Response:
    """Show a course."""
    with services().database.reading() as session:
        found = authorized(session).course(course_id)
    return serialized_response(course_json(found.course, sees_sis_ids=found.sees_sis_ids))


@courses.get("/quizzes")
@scope("url:GET|/api/v1/courses/:course_id/quizzes")
@describe(operations.LIST_QUIZZES)
def index(course_id: str) -> Response:
    """List a page of a course's quizzes."""
    requested = page()
    with services().database.reading() as session:
        course = authorized(session).course(course_id).course
        total = count_quizzes(session, course.id)
        quizzes = list_quizzes(session, course.id, offset=requested.offset, limit=requested.size)
        counts = question_counts(session, quizzes)
    body = [quiz_json(quiz, counts[quiz.id], links()) for quiz in quizzes]
    return _page_response(body, requested, total)


@courses.get("/sections")
@scope("url:GET|/api/v1/courses/:course_id/sections")
@describe(operations.LIST_SECTIONS)
def list_sections_of_course(course_id: str) -> Response:
    """List a page of a course's sections."""
    requested = page()
    with services().database.reading() as session:
        found = authorized(session).course(course_id)
        total = count_sections(session, found.course.id)
        sections = list_sections(session, found.course.id, offset=requested.offset, limit=requested.size)
    body = [section_json(section, sees_sis_ids=found.sees_sis_ids) for section in sections]
    return _page_response(body, requested, total)


@courses.get("/quizzes/<quiz_id>")
@scope("url:GET|/api/v1/courses/:course_id/quizzes/:id")
@describe(operations.SHOW_QUIZ)
def show_quiz(course_id: str, quiz_id: str) -> Response:
    """Show a quiz."""
    with services().database.reading() as session:
        quiz = authorized(session).quiz(course_id, quiz_id).quiz
        counts = question_counts(session, [quiz])
    return serialized_response(quiz_json(quiz, counts[quiz.id], links()))


@courses.get("/quizzes/<quiz_id>/questions")
@scope("url:GET|/api/v1/courses/:course_id/quizzes/:quiz_id/questions")
@describe(operations.LIST_QUESTIONS)
def list_questions_of_quiz(course_id: str, quiz_id: str) -> Response:
    """List a page of a quiz's questions, with their answers."""
    requested = page()
    with services().database.reading() as session:
        quiz = authorized(session).quiz(course_id, quiz_id).quiz
        questions, total = list_questions(session, quiz, offset=requested.offset, limit=requested.size)
    body = [question_json(question) for question in questions]
    return _page_response(body, requested, total)


@courses.get("/quizzes/<quiz_id>/submissions")
@scope("url:GET|/api/v1/courses/:course_id/quizzes/:quiz_id/submissions")
@describe(operations.LIST_SUBMISSIONS)
def list_submissions_of_quiz(course_id: str, quiz_id: str) -> Response:
    """List a page of a quiz's submissions, each with its latest attempt."""
    requested = page()
    with services().database.reading() as session:
        quiz = authorized(session).quiz(course_id, quiz_id).quiz
        if quiz.is_anonymous_survey:
            # Their times would join the rows of the report to students.
            raise ForbiddenError
        total = count_submissions(session, quiz.id)
        attempts = list_latest_attempts(session, quiz.id, offset=requested.offset, limit=requested.size)
    body = {"quiz_submissions": [submission_json(attempt) for attempt in attempts]}
    return _page_response(body, requested, total)


def _page_response(body: Any, requested: Page, total: int) -> Response:
    return serialized_response(body, headers=links().list_pages(request.path, requested, total))
