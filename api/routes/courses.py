"""Courses and their quizzes: what clients walk through to reach a report."""

from __future__ import annotations

from flask import Blueprint, request
from werkzeug import Response

from api.auth import reading_visit, scope
from api.links import links
from api.openapi import request_bodies, schemas
from api.openapi.decorators import JSON, Answer, Content, Link, Parameter, describe
from api.params import page
from api.responses import answer
from api.serializers import course_json, quiz_json
from models.lms.quizzes import count_quizzes, list_quizzes, question_counts

_PAGES = [
    Parameter("page", request_bodies.Anything, "Which page, from 1 on.", 1),
    Parameter("per_page", request_bodies.Anything, "Entries a page: 10, at most 100.", 50),
]
_FIRST = {"course_id": "$request.path.course_id", "quiz_id": "$response.body#/0/id"}

courses = Blueprint("courses", __name__, url_prefix="/api/v1/courses/<course_id>")


@courses.get("")
@scope("url:GET|/api/v1/courses/:id")
@describe({200: Answer("The course.", {JSON: Content(schemas.Course)})})
def show(course_id: str) -> Response:
    """Show a course."""
    with reading_visit() as visitor:
        access = visitor.course(course_id)
    return answer(course_json(access.course, sees_sis_ids=access.sees_sis_ids))


@courses.get("/quizzes")
@scope("url:GET|/api/v1/courses/:course_id/quizzes")
@describe(
    {
        200: Answer(
            "A page of the course's quizzes.",
            {JSON: Content(list[schemas.Quiz])},
            headers=["Link"],
            links={
                "show": Link("courses.show_quiz", _FIRST),
                "reports": Link("quiz_reports.index", _FIRST),
                "report": Link("quiz_reports.create", _FIRST),
            },
        )
    },
    parameters=_PAGES,
    notes="What is no number in `page` or `per_page` counts as absent.",
)
def index(course_id: str) -> Response:
    """List a page of a course's quizzes."""
    wanted = page()
    with reading_visit() as visitor:
        course = visitor.course(course_id).course
        total = count_quizzes(visitor.session, course.id)
        quizzes = list_quizzes(visitor.session, course.id, offset=wanted.offset, limit=wanted.size)
        counts = question_counts(visitor.session, quizzes)
    url = links()
    body = [quiz_json(quiz, counts[quiz.id], url) for quiz in quizzes]
    return answer(body, headers=url.pages(request.path, wanted, total))


@courses.get("/quizzes/<quiz_id>")
@scope("url:GET|/api/v1/courses/:course_id/quizzes/:id")
@describe({200: Answer("The quiz.", {JSON: Content(schemas.Quiz)})})
def show_quiz(course_id: str, quiz_id: str) -> Response:
    """Show a quiz."""
    with reading_visit() as visitor:
        _, quiz = visitor.quiz(course_id, quiz_id)
        counts = question_counts(visitor.session, [quiz])
    return answer(quiz_json(quiz, counts[quiz.id], links()))
