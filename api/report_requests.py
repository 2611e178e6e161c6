"""The request for a report: a variant from the parameters and the caller's rights, a job by the settings."""

from __future__ import annotations

import structlog
from flask import g

from api.auth import QuizAccess, RequestContext
from api.params import ReportParams
from api.services import services
from models.access.permissions import require_sections
from models.reports.requests import Requested, request_report
from models.reports.variants import (
    ReportFormat,
    ReportType,
    Variant,
    parse_new_quizzes_format,
    parse_report_format,
    parse_report_type,
)


def request_variant(context: RequestContext, found: QuizAccess, params: ReportParams) -> Requested:
    """Request the variant that the parameters and the caller's rights determine."""
    report_type = parse_report_type(params.report_type, found.quiz)
    report_format = parse_report_format(params.format, report_type)
    return _request(
        context, found, params, report_type, report_format, all_versions=params.includes_all_versions
    )


def request_new_quizzes_variant(
    context: RequestContext, found: QuizAccess, params: ReportParams
) -> Requested:
    """Request the variant of a New Quizzes request, which must name its format; it has every attempt."""
    report_type = parse_report_type(params.report_type, found.quiz)
    report_format = parse_new_quizzes_format(params.format, report_type)
    return _request(context, found, params, report_type, report_format, all_versions=True)


def request_for_caller(context: RequestContext, found: QuizAccess, variant: Variant) -> Requested:
    """Request a variant for the caller, with a job as the settings say.

    The log line of this request names the report and its job.
    """
    settings = services().settings
    requested = request_report(
        context.session,
        found.course,
        found.quiz,
        variant,
        user_id=context.caller.user_id,
        formula_guard=settings.formula_guard,
        large_responses=settings.large_responses,
        course_jobs=settings.course_jobs,
        request_id=g.request_id,
    )
    # The worker's log lines have the same ids, and the request's.
    structlog.contextvars.bind_contextvars(
        report_id=requested.report.id,
        job_id=requested.report.progress_id,
        report_state=requested.report.state.value,
    )
    return requested


def _request(
    context: RequestContext,
    found: QuizAccess,
    params: ReportParams,
    report_type: ReportType,
    report_format: ReportFormat,
    *,
    all_versions: bool,
) -> Requested:
    require_sections(context.session, found.course, params.section_ids)
    variant = Variant.of(
        found.quiz,
        report_type,
        report_format,
        all_versions=all_versions,
        sis_ids=found.sees_sis_ids,
        section_ids=params.section_ids,
    )
    return request_for_caller(context, found, variant)
