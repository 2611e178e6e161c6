"""How many attempts of a report are newer than its file.

An attempt is newer if it was pushed or changed by a transaction that the snapshot of the file does not show,
and if the report would have it today: of a student or a taker who was not logged in, submitted, and the one
that counts where a report has one attempt of each. Deleted attempts are not counted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from models.lms.quizzes import Quiz
from models.reports.selected_attempts import all_attempts, first_attempts, kept_attempts
from models.reports.tables import QuizReport
from models.reports.variants import ReportType

MOST_CHANGED: Final = 1000


def count_newer(session: Session, quiz: Quiz, reports: Collection[QuizReport]) -> Mapping[int, int]:
    """Count the newer attempts of reports that have files of all sections of a quiz, by their ids.

    One statement counts those of all reports, and reads only respondents who have a changed attempt. A report
    has no count if its snapshot is unknown, or of another database than this one, as after a restore, or if
    more than MOST_CHANGED attempts at the quiz have changed since.
    """
    known = [report for report in reports if report.transactions is not None]
    if not known:
        return {}
    where = quiz.course_id, quiz.id
    statement = _COUNT.format(
        all=all_attempts(*where, among=_AMONG),
        first=first_attempts(*where, among=_AMONG),
        kept=kept_attempts(*where, quiz.scoring_policy, among=_AMONG),
    )
    rows = session.execute(
        text(statement),
        {
            "quiz_id": quiz.id,
            "most": MOST_CHANGED + 1,
            "report_ids": [report.id for report in known],
            "rules": [_rule(report) for report in known],
            "snapshots": [report.transactions for report in known],
        },
    )
    return {report_id: newer for report_id, changed, newer in rows if changed <= MOST_CHANGED}


def _rule(report: QuizReport) -> str:
    if report.report_type is ReportType.ITEM_ANALYSIS:
        return "first"
    return "all" if report.includes_all_versions else "kept"


# Ids are passed on as arrays, so that the planner fetches these rows by their keys, however many it expects.
_AMONG: Final = "a.id = ANY(ARRAY(SELECT id FROM candidates))"

# A snapshot that ends after the present one is of another database.
_COUNT: Final = """
    WITH files AS (
        SELECT report_id, rule, snapshot::pg_snapshot AS snapshot
        FROM unnest(CAST(:report_ids AS bigint[]), CAST(:rules AS text[]), CAST(:snapshots AS text[]))
            AS files (report_id, rule, snapshot)
        WHERE pg_snapshot_xmax(snapshot::pg_snapshot) <= pg_snapshot_xmax(pg_current_snapshot())
    ), changed AS MATERIALIZED (
        SELECT report_id, rule, found.*
        FROM files LEFT JOIN LATERAL (
            SELECT id, user_id, submission_id FROM attempts
            WHERE quiz_id = :quiz_id
                AND changed_in >= pg_snapshot_xmin(snapshot)::text::bigint
                AND NOT pg_visible_in_snapshot(changed_in::text::xid8, snapshot)
            ORDER BY changed_in DESC LIMIT :most
        ) AS found ON true
    ), candidates AS MATERIALIZED (
        SELECT id FROM attempts
        WHERE quiz_id = :quiz_id AND user_id = ANY(ARRAY(SELECT DISTINCT user_id FROM changed))
        UNION
        SELECT id FROM attempts WHERE submission_id = ANY(ARRAY(SELECT DISTINCT submission_id FROM changed))
    )
    SELECT report_id, count(id) AS changed, count(id) FILTER (WHERE CASE rule
        WHEN 'all' THEN id IN (SELECT id FROM ({all}) AS of_all)
        WHEN 'first' THEN id IN (SELECT id FROM ({first}) AS of_first)
        WHEN 'kept' THEN id IN (SELECT id FROM ({kept}) AS of_kept)
        END) AS newer
    FROM changed
    GROUP BY report_id
"""
