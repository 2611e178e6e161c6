"""Withdrawing reports: those with names once a quiz is an anonymous survey, item analyses once a survey.

A change of the quiz locks its row before it withdraws reports. A transaction that queues or finishes a job
takes a shared lock of that row and compares the quiz, so if a change and a job race, the change wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import and_, false, func, not_, or_, select, update
from sqlalchemy.orm import Session

from models.lms.quizzes import Quiz, QuizType
from models.reports.requests import clear
from models.reports.tables import File, Progress, QuizReport, ReportState
from models.reports.variants import ReportType

WITHDRAWN: Final = (
    "The quiz has become a survey that may not have this report. Ask for its reports again: in an anonymous"
    " survey they hold no names, and a survey has no item analysis."
)

_SURVEYS: Final = ", ".join(f"'{kind.value}'" for kind in QuizType if kind.is_survey)
MAY_HAVE: Final = f"""NOT (
    quiz_type IN ({_SURVEYS}) AND (:is_item_analysis OR anonymous_submissions AND NOT :is_anonymous)
)"""
"""The condition of a quiz that may have a report of a type, with or without names.

A transaction that finishes a job checks it on the locked row of the quiz.
"""


def withdraw_reports(session: Session, quiz: Quiz) -> Sequence[str]:
    """Withdraw the reports that a quiz may no longer have; its row must be locked.

    Their files are removed, and their queued and running jobs fail. Returns the keys of the objects to delete
    once this is committed.
    """
    withdrawn = and_(
        QuizReport.quiz_id == quiz.id,
        or_(
            QuizReport.report_type == ReportType.ITEM_ANALYSIS if quiz.quiz_type.is_survey else false(),
            not_(QuizReport.anonymous) if quiz.is_anonymous_survey else false(),
        ),
    )
    failed = session.scalars(
        update(QuizReport)
        .where(withdrawn, QuizReport.state.in_([ReportState.QUEUED, ReportState.RUNNING]))
        .values(state=ReportState.FAILED, claim_token=None, lease_until=None, updated_at=func.now())
        .returning(QuizReport.progress_id)
        .execution_options(synchronize_session=False)
    ).all()
    if failed:
        session.execute(
            update(Progress)
            .where(Progress.id.in_(failed))
            .values(message=WITHDRAWN, updated_at=func.now())
            .execution_options(synchronize_session=False)
        )
    generated = session.execute(
        select(QuizReport.progress_id, QuizReport.file_id, File.storage_key)
        .join(File, File.id == QuizReport.file_id)
        .where(withdrawn)
        .order_by(QuizReport.id)
        .with_for_update(of=QuizReport)
    ).all()
    if generated:
        clear(session, [row.progress_id for row in generated], [row.file_id for row in generated])
    return [row.storage_key for row in generated]
