"""Reports as New Quizzes requests them."""

from __future__ import annotations

from typing import Final

from api.media_types import FORM, JSON, MULTIPART
from api.openapi import schemas
from api.openapi.decorators import Content, Link, Operation, ResponseSpec
from api.openapi.request_bodies import NewQuizReportBody, NewQuizReportForm

_FORM: Final = Content(
    NewQuizReportForm, {"quiz_report[report_type]": "item_analysis", "quiz_report[format]": "csv"}
)
_PROGRESS: Final = {"progress_id": "$response.body#/id"}

CREATE: Final = Operation(
    {
        201: ResponseSpec(
            "The Progress of the job, and the same again in `progress`. Once it is completed, its `results`"
            " contain the URL of the file, which can be read without a token.",
            {JSON: Content(schemas.WrappedProgress)},
            headers=["Retry-After"],
            links={"show": Link("progress.show", _PROGRESS), "cancel": Link("progress.cancel", _PROGRESS)},
        )
    },
    body={
        JSON: Content(NewQuizReportBody, {"quiz_report": {"report_type": "item_analysis", "format": "csv"}}),
        FORM: _FORM,
        MULTIPART: _FORM,
    },
    notes="The student_analysis has New Quizzes' own layouts in CSV and JSON, with a row for every attempt."
    " The layout of its item_analysis is not known: in CSV it is that of Classic Quizzes, in JSON a list of"
    " the same rows by the names of the columns.",
    refusals={
        400: "The report type or the format is unknown, or the quiz is a survey, which has no item_analysis.",
        409: "The report is already being generated.",
    },
)
