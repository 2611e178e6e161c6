"""The request for a report, as both routes make it: a variant from the parameters and the caller's rights."""

from __future__ import annotations

import structlog
from flask import g

from api.auth import QuizAccess, RequestContext
from api.params import ReportParams
from api.services import services
from models.reports.requests import Requested, request_report
from models.reports.variants import Variant, parse_report_type


def request_variant(context: RequestContext, found: QuizAccess, params: ReportParams) -> Requested:
    """Request the variant that the parameters and the caller's rights determine."""
    variant = Variant.of(
        found.quiz,
        parse_report_type(params.report_type, found.quiz),
        all_versions=params.includes_all_versions,
        sis_ids=found.sees_sis_ids,
    )
    requested = request_report(
        context.session,
        found.course,
        found.quiz,
        variant,
        user_id=context.caller.user_id,
        analysis_version=services().analysis_version,
        large_responses=services().settings.large_responses,
        course_jobs=services().settings.course_jobs,
        request_id=g.request_id,
    )
    # For the line of this request; the worker's lines have the same report and job, and the request's id.
    structlog.contextvars.bind_contextvars(
        report_id=requested.report.id,
        job_id=requested.report.progress_id,
        report_state=requested.report.state.value,
    )
    return requested
