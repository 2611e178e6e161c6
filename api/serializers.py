"""Rows to Canvas's JSON, plain and JSON-API; pure."""

from __future__ import annotations

import datetime
from collections.abc import Sequence, Set
from typing import Any

from api.links import Links
from api.translations import Translations
from models.access.page_links import NewPageLink
from models.lms.attempts import Attempt
from models.lms.courses import Course, Section
from models.lms.quizzes import QuestionVersion, Quiz
from models.reports.shown import AnyFile, AnyProgress, AnyQuiz, AnyReport
from models.reports.tables import QuizReport, ReportState
from models.reports.variants import FORMATS, file_name, is_generatable

_JOB = "Quizzes::QuizStatistics"
_PROGRESS_STATES = {
    ReportState.QUEUED: "queued",
    ReportState.RUNNING: "running",
    ReportState.FAILED: "failed",
    ReportState.GENERATED: "completed",
}

Json = dict[str, Any]


def utc(moment: datetime.datetime) -> str:
    """Write a time as ISO 8601 in UTC, to the second."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def report_json(report: AnyReport, quiz: AnyQuiz, links: Links, translations: Translations) -> Json:
    """Write a QuizReport as plain JSON, with `file` and `progress_url` once they exist."""
    body = {"id": report.id, "quiz_id": quiz.id, **_report_fields(report, quiz, links, translations)}
    if report.file is not None:
        body["file"] = file_json(report.file, report, quiz, links, translations)
    if report.progress is not None:
        body["progress_url"] = links.progress(report.progress)
    return body


def reports_json_api(
    reports: Sequence[AnyReport], quiz: AnyQuiz, links: Links, translations: Translations, include: Set[str]
) -> Json:
    """Write QuizReports in Canvas's early JSON-API; `include` names what is embedded."""
    return {
        "quiz_reports": [_report_json_api(report, quiz, links, translations, include) for report in reports]
    }


def progress_json(report: AnyReport, progress: AnyProgress, links: Links) -> Json:
    """Write the Progress of a report's job, with the file's URL in `results` once it is completed."""
    body = _progress_fields(report, progress, _PROGRESS_STATES[report.state], links)
    if report.file is not None:
        body["results"] = {"url": links.download(report.file)}
    return body


def cancelled_progress_json(report: AnyReport, progress: AnyProgress, links: Links) -> Json:
    """Write the Progress of a cancelled job as it ended; its report no longer refers to it."""
    return _progress_fields(report, progress, "failed", links)


def file_json(
    file: AnyFile, report: AnyReport, quiz: AnyQuiz, links: Links, translations: Translations
) -> Json:
    """Write a File; its `url` carries a fresh verifier."""
    made_at = utc(file.created_at)
    variant = report.variant
    return {
        "id": file.id,
        "uuid": str(file.uuid),
        "folder_id": None,
        "display_name": translations.display_name(quiz, variant),
        "filename": file_name(variant.report_type, variant.format),
        "upload_status": "success",
        "content-type": FORMATS[variant.format].media_type,
        "url": links.download(file),
        "size": file.size,
        "created_at": made_at,
        "updated_at": made_at,
        "modified_at": made_at,
        "unlock_at": None,
        "lock_at": None,
        "locked": False,
        "hidden": False,
        "locked_for_user": False,
        "hidden_for_user": False,
        "thumbnail_url": None,
        "mime_class": "file",
        "media_entry_id": None,
    }


def statistics_json(shown: Json, report: QuizReport, quiz: Quiz, links: Links) -> Json:
    """Write the statistics of a quiz as plain JSON."""
    head = {"id": report.id, "quiz_id": quiz.id}
    return {"quiz_statistics": [{**head, **_statistics_fields(shown, quiz, links)}]}


def statistics_json_api(shown: Json, report: QuizReport, quiz: Quiz, links: Links) -> Json:
    """Write the statistics of a quiz in Canvas's early JSON-API."""
    body = {
        "id": str(report.id),
        **_statistics_fields(shown, quiz, links),
        "links": {"quiz": links.quiz(quiz)},
    }
    return {"quiz_statistics": [body]}


def course_json(course: Course, *, sees_sis_ids: bool) -> Json:
    """Write a Course, with its SIS id if the caller may see it."""
    body: Json = {
        "id": course.id,
        "name": course.name,
        "course_code": course.course_code,
        "workflow_state": "available",
    }
    if sees_sis_ids:
        body["sis_course_id"] = course.sis_course_id
    return body


def section_json(section: Section, *, sees_sis_ids: bool) -> Json:
    """Write a Section, with its SIS id if the caller may see it."""
    body: Json = {"id": section.id, "name": section.name, "course_id": section.course_id}
    if sees_sis_ids:
        body["sis_section_id"] = section.sis_section_id
    return body


def question_json(version: QuestionVersion) -> Json:
    """Write a question in the form in which it is pushed; defaults that are not stored are added."""
    stored = version.content
    return {
        "id": version.question_id,
        "quiz_id": version.quiz_id,
        "position": None,
        "question_text": "",
        "points_possible": 0.0,
        "answers": [],
        **stored,
    }


def submission_json(attempt: Attempt) -> Json:
    """Write a submission with its latest attempt."""
    return {
        "id": attempt.submission_id,
        "quiz_id": attempt.quiz_id,
        "user_id": attempt.user_id,
        "attempt": attempt.attempt,
        "workflow_state": attempt.workflow_state.value,
        "score": attempt.score,
        "kept_score": attempt.kept_score,
        "started_at": None if attempt.started_at is None else utc(attempt.started_at),
        "finished_at": None if attempt.finished_at is None else utc(attempt.finished_at),
    }


def quiz_json(quiz: Quiz, question_count: int, links: Links) -> Json:
    """Write a Quiz."""
    return {
        "id": quiz.id,
        "title": quiz.title,
        "quiz_type": quiz.quiz_type.value,
        "points_possible": quiz.points_possible,
        "question_count": question_count,
        "published": quiz.published_at is not None,
        "published_at": None if quiz.published_at is None else utc(quiz.published_at),
        "anonymous_submissions": quiz.anonymous_submissions,
        "scoring_policy": quiz.scoring_policy.value,
        "html_url": links.quiz_page(quiz),
    }


def page_link_json(link: NewPageLink, quiz: Quiz, links: Links) -> Json:
    """Write a link to the pages of a quiz."""
    return {"url": links.sign_in(quiz, link.secret), "expires_at": utc(link.expires_at)}


def _statistics_fields(shown: Json, quiz: Quiz, links: Links) -> Json:
    return {
        "url": links.statistics(quiz),
        "html_url": links.statistics_page(quiz),
        **shown,
        "speed_grader_url": None,
        "quiz_submissions_zip_url": None,
    }


def _report_fields(report: AnyReport, quiz: AnyQuiz, links: Links, translations: Translations) -> Json:
    variant = report.variant
    return {
        "report_type": variant.report_type.value,
        "readable_type": translations.readable_type(variant.report_type),
        "includes_all_versions": variant.includes_all_versions,
        "includes_sis_ids": variant.includes_sis_ids,
        "anonymous": variant.anonymous,
        "generatable": is_generatable(variant.report_type, quiz.quiz_type),
        "created_at": utc(report.created_at),
        "updated_at": utc(report.updated_at),
        "url": links.report(report, quiz),
    }


def _report_json_api(
    report: AnyReport, quiz: AnyQuiz, links: Links, translations: Translations, include: Set[str]
) -> Json:
    body = {
        "id": str(report.id),
        **_report_fields(report, quiz, links, translations),
        "links": {"quiz": links.quiz(quiz)},
    }
    if "file" in include and report.file is not None:
        body["file"] = file_json(report.file, report, quiz, links, translations)
    if "progress" in include and report.progress is not None:
        body["progress"] = progress_json(report, report.progress, links)
    return body


def _progress_fields(report: AnyReport, progress: AnyProgress, state: str, links: Links) -> Json:
    return {
        "id": progress.id,
        "context_id": report.id,
        "context_type": _JOB,
        "user_id": progress.user_id,
        "tag": _JOB,
        "completion": progress.completion,
        "workflow_state": state,
        "created_at": utc(progress.created_at),
        "updated_at": utc(progress.updated_at),
        "message": progress.message,
        "url": links.progress(progress),
    }
