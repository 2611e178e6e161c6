"""Courses and their quizzes."""

from __future__ import annotations

from typing import Final

from api.media_types import JSON
from api.openapi import schemas
from api.openapi.decorators import Content, Link, Operation, Parameter, ResponseSpec
from api.openapi.request_bodies import Anything

_FIRST_QUIZ: Final = {"course_id": "$request.path.course_id", "quiz_id": "$response.body#/0/id"}

_PAGE: Final = [
    Parameter("page", Anything, "The number of the page, from 1 on.", 1),
    Parameter("per_page", Anything, "Entries per page: 10 by default, at most 100.", 50),
]
_PAGE_NOTE: Final = "A `page` or `per_page` that is not a number is ignored."

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
    parameters=_PAGE,
    notes=_PAGE_NOTE,
)

SHOW_QUIZ: Final = Operation({200: ResponseSpec("The quiz.", {JSON: Content(schemas.Quiz)})})

LIST_SECTIONS: Final = Operation(
    {
        200: ResponseSpec(
            "A page of the course's sections.", {JSON: Content(list[schemas.Section])}, headers=["Link"]
        )
    },
    parameters=_PAGE,
    notes=_PAGE_NOTE,
)

LIST_QUESTIONS: Final = Operation(
    {
        200: ResponseSpec(
            "A page of the quiz's questions, as they were pushed last.",
            {JSON: Content(list[schemas.Question])},
            headers=["Link"],
        )
    },
    parameters=_PAGE,
    notes=_PAGE_NOTE,
)

LIST_SUBMISSIONS: Final = Operation(
    {
        200: ResponseSpec(
            "A page of the quiz's submissions, one per student, with the latest attempt.",
            {JSON: Content(schemas.QuizSubmissions)},
            headers=["Link"],
        )
    },
    parameters=_PAGE,
    refusals={403: "The caller may not, or the quiz is an anonymous survey."},
    notes=_PAGE_NOTE,
)
