"""Courses and their quizzes."""

from __future__ import annotations

from typing import Final

from api.media_types import JSON
from api.openapi import schemas
from api.openapi.decorators import Content, Link, Operation, Parameter, ResponseSpec
from api.openapi.request_bodies import Anything

_FIRST_QUIZ: Final = {"course_id": "$request.path.course_id", "quiz_id": "$response.body#/0/id"}

SHOW: Final = Operation({200: ResponseSpec("The course.", {JSON: Content(schemas.Course)})})

LIST_QUIZZES: Final = Operation(
    {
        200: ResponseSpec(
            "A page of the course's quizzes.",
            {JSON: Content(list[schemas.Quiz])},
            headers=["Link"],
            links={
                "show": Link("courses.show_quiz", _FIRST_QUIZ),
                "reports": Link("quiz_reports.index", _FIRST_QUIZ),
                "report": Link("quiz_reports.create", _FIRST_QUIZ),
            },
        )
    },
    parameters=[
        Parameter("page", Anything, "The number of the page, from 1 on.", 1),
        Parameter("per_page", Anything, "Entries per page: 10 by default, at most 100.", 50),
    ],
    notes="A `page` or `per_page` that is not a number is ignored.",
)

SHOW_QUIZ: Final = Operation({200: ResponseSpec("The quiz.", {JSON: Content(schemas.Quiz)})})
