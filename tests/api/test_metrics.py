"""Metrics of jobs, read from the rows; of an absent database nothing is known."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.sql import func, text

from api.metrics import current_metrics
from models.db.session import Database
from models.reports.tables import QuizReport
from tests.factories import Api, reports_path

WANTED = {"quiz_report": {"report_type": "student_analysis"}}


def samples(database: Database) -> dict[str, float]:
    """Read the metrics of jobs as a scraper does."""
    lines = current_metrics(database).decode().splitlines()
    own = (line.rsplit(" ", 1) for line in lines if line.startswith("quiz_reports_"))
    return {name: float(value) for name, value in own}


def test_jobs_are_counted_by_queue_and_state_with_their_age(api: Api) -> None:
    report_id = api.post(reports_path(), json=WANTED).json["id"]
    hour = text("interval '1 hour'")
    with api.database.transaction() as session:
        session.execute(update(QuizReport).values(updated_at=func.now() - hour))

    found = samples(api.database)

    labels = '{queue="small",state="queued"}'
    assert found[f"quiz_reports_jobs{labels}"] == 1
    assert 3600 <= found[f"quiz_reports_oldest_job_seconds{labels}"] < 3700
    assert found["quiz_reports_database_up"] == 1

    api.start(report_id)
    with api.database.transaction() as session:
        session.execute(update(QuizReport).values(lease_until=func.now() - hour))
    found = samples(api.database)
    assert found[f"quiz_reports_jobs{labels}"] == 0
    assert found['quiz_reports_jobs{queue="small",state="running"}'] == 1
    assert found['quiz_reports_expired_leases{queue="small"}'] == 1


def test_without_a_database_only_that_is_told_of_jobs() -> None:
    absent = Database("postgresql://127.0.0.1:1/nothing")

    found = samples(absent)

    assert found["quiz_reports_database_up"] == 0
    assert not [name for name in found if name.startswith("quiz_reports_jobs{")]
    absent.dispose()
