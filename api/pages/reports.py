"""The pages of a quiz's reports, for teachers: sign in, generate, follow, cancel, download."""

from __future__ import annotations

from flask import Blueprint, redirect, request
from sqlalchemy.orm import Session
from werkzeug import Response

from api.auth import RequestContext
from api.errors import ForbiddenError, NotSignedInError
from api.links import links
from api.pages.rendering import page_response
from api.pages.report_rows import report_groups
from api.pages.sign_in import begin_session, require_form_token, signed_in, signed_in_to_poll
from api.params import object_id, report_params
from api.report_requests import request_variant
from api.services import services
from models.access.page_links import use_page_link
from models.access.permissions import may_cancel
from models.errors import AlreadyBeingGeneratedError, CannotCancelError, NotFoundError
from models.lms.quizzes import find_quiz_and_course
from models.reports.requests import cancel_progress
from models.reports.tables import JobMessage

reports = Blueprint("reports", __name__)


@reports.get("/sign_in")
def sign_in(course_id: str, quiz_id: str) -> Response:
    """Use a one-time link up, and go on to the reports of its quiz."""
    if request.method == "HEAD":
        # A program that only looks whether the link exists must not use it up.
        return Response(status=204)
    with services().database.transaction() as session:
        user_id = use_page_link(session, request.args.get("link", ""), quiz_id=object_id(quiz_id))
        if user_id is not None:
            quiz, course = find_quiz_and_course(session, object_id(quiz_id))
    if user_id is None or course.id != object_id(course_id):
        services().rate_limit.count_invalid_token(request.remote_addr)
        raise NotSignedInError
    response = redirect(f"{links().quiz_page(quiz)}/reports", 303)
    begin_session(response, user_id=user_id, course_id=course.id)
    return response


@reports.get("")
def quiz(course_id: str, quiz_id: str) -> Response:
    """Go to the reports, since this is the address that the API gives for a quiz."""
    with services().database.reading() as session:
        found = signed_in(session, course_id).quiz(course_id, quiz_id)
    return redirect(f"{links().quiz_page(found.quiz)}/reports", 303)


@reports.get("/statistics")
def statistics(course_id: str, quiz_id: str) -> Response:
    """Go to the item analysis, since this is the address that the API gives for the statistics."""
    with services().database.reading() as session:
        found = signed_in(session, course_id).quiz(course_id, quiz_id)
    return redirect(f"{links().quiz_page(found.quiz)}/items", 303)


@reports.get("/reports")
def index(course_id: str, quiz_id: str) -> Response:
    """Show the reports of a quiz."""
    with services().database.reading() as session:
        return _listed("reports.html", signed_in(session, course_id), course_id, quiz_id)


@reports.get("/reports/progress")
def progress(course_id: str, quiz_id: str) -> Response:
    """Write the list of reports alone, for the open page that follows a job."""
    with services().database.reading() as session:
        return _listed("reports_list.html", signed_in_to_poll(session, course_id), course_id, quiz_id)


@reports.post("/reports")
def generate(course_id: str, quiz_id: str) -> Response:
    """Request a report, and show it among the others."""
    require_form_token(course_id)
    with services().database.transaction() as session:
        context = signed_in(session, course_id)
        found = context.quiz(course_id, quiz_id)
        try:
            requested = request_variant(context, found, report_params())
        except AlreadyBeingGeneratedError:
            # A second click; the page shows the report that is being generated.
            requested = None
    if requested is not None:
        services().publisher.send(requested.message)
    return redirect(f"{links().quiz_page(found.quiz)}/reports", 303)


@reports.get("/reports/<report_id>/download")
def download(course_id: str, quiz_id: str, report_id: str) -> Response:
    """Go to the file of a report, by a verifier that is made at this moment.

    One in the page would expire before the session does. This one outlasts the user's right to the file, too,
    but by up to an hour only.
    """
    with services().database.reading() as session:
        file = signed_in(session, course_id).report(course_id, quiz_id, report_id).report.file
    if file is None:
        raise NotFoundError
    return redirect(links().download(file), 303)


@reports.post("/reports/<report_id>/cancel")
def cancel(course_id: str, quiz_id: str, report_id: str) -> Response:
    """Cancel a report while it is queued; if it has begun, the page shows that."""
    require_form_token(course_id)
    with services().database.transaction() as session:
        context = signed_in(session, course_id)
        found = context.report(course_id, quiz_id, report_id)
        progress = found.report.progress
        if progress is not None and not may_cancel(context.caller, progress):
            raise ForbiddenError
        message = None if progress is None else _cancel_if_queued(session, progress.id)
    services().publisher.revoke(message)
    return redirect(f"{links().quiz_page(found.quiz)}/reports", 303)


def _listed(template: str, context: RequestContext, course_id: str, quiz_id: str) -> Response:
    found = context.quiz(course_id, quiz_id)
    groups = report_groups(context, found)
    is_live = any(row.is_live for group in groups for row in group.rows)
    return page_response(template, found, groups=groups, is_live=is_live)


def _cancel_if_queued(session: Session, progress_id: int) -> JobMessage | None:
    try:
        return cancel_progress(session, progress_id, None).message
    except (CannotCancelError, NotFoundError):
        # It has begun or ended since the page was made.
        return None
