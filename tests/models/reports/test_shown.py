"""What responses show of a report is what its rows hold."""

from __future__ import annotations

from dataclasses import fields

from models.access.permissions import find_report_context
from models.lms.quizzes import Quiz
from models.reports.shown import ShownFile, ShownProgress
from models.reports.tables import QuizReport
from tests.factories import COURSE_ID, QUIZ_ID, Api


def test_a_generated_report_is_shown_as_it_is_stored(api: Api) -> None:
    report_id = api.generated()["id"]
    with api.database.transaction() as session:
        found = find_report_context(session, COURSE_ID, QUIZ_ID, report_id, 7)
        quiz = session.get_one(Quiz, QUIZ_ID)
        stored = session.get_one(QuizReport, report_id)

        assert found.report is not None
        assert found.quiz is not None
        for shown, row, names in (
            (found.quiz, quiz, ("id", "course_id", "title", "quiz_type")),
            (found.report, stored, ("id", "state", "created_at", "updated_at", "variant")),
            (found.report.progress, stored.progress, [field.name for field in fields(ShownProgress)]),
            (found.report.file, stored.file, [field.name for field in fields(ShownFile)]),
        ):
            assert {name: getattr(shown, name) for name in names} == {
                name: getattr(row, name) for name in names
            }


def test_what_a_report_does_not_have_is_none(api: Api) -> None:
    report_id = api.get(f"/api/v1/courses/{COURSE_ID}/quizzes/{QUIZ_ID}/reports").json[0]["id"]
    with api.database.transaction() as session:
        idle = find_report_context(session, COURSE_ID, QUIZ_ID, report_id, 7).report
        unknown = find_report_context(session, COURSE_ID, QUIZ_ID, None, 7)
        without_quiz = find_report_context(session, COURSE_ID, None, report_id, 7)

        assert idle is not None
        assert (idle.progress, idle.file) == (None, None)
        assert unknown.quiz is not None
        assert unknown.report is None
        assert (without_quiz.quiz, without_quiz.report) == (None, None)
