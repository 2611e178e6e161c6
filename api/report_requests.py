"""The request for a report, as both routes make it: a variant from the parameters and the caller's rights."""

from __future__ import annotations

from api.auth import QuizAccess, RequestContext
from api.params import ReportParams
from api.services import services
from models.lms.courses import require_sections
from models.reports.requests import Requested, request_report
from models.reports.variants import Variant, parse_report_format, parse_report_type


def request_variant(context: RequestContext, found: QuizAccess, params: ReportParams) -> Requested:
    """Request the variant that the parameters and the caller's rights determine."""
    require_sections(context.session, found.course, params.section_ids)
    report_type = parse_report_type(params.report_type, found.quiz)
    variant = Variant.of(
        found.quiz,
        report_type,
        parse_report_format(params.format, report_type),
        all_versions=params.includes_all_versions,
        sis_ids=found.sees_sis_ids,
        section_ids=params.section_ids,
    )
    return request_report(
        context.session,
        found.course,
        found.quiz,
        variant,
        user_id=context.caller.user_id,
        formula_guard=services().settings.formula_guard,
        large_responses=services().settings.large_responses,
    )
