"""What the tables and the store hold of reports."""

from __future__ import annotations

from tests.scenarios.chaos.run import Run


def rows(run: Run, quiz_id: int) -> int:
    with run.school.connect() as connection:
        found = connection.execute("SELECT count(*) FROM quiz_reports WHERE quiz_id = %s", [quiz_id])
        return int(found.fetchall()[0][0])


def running(run: Run, report_id: int) -> bool:
    return bool(_column(run, "state", report_id) == "running")


def tries(run: Run, report_id: int) -> int:
    return int(str(_column(run, "tries", report_id)))


def job(run: Run, report_id: int) -> int:
    return int(str(_column(run, "progress_id", report_id)))


def files(run: Run, quiz_id: int) -> int:
    with run.school.connect() as connection:
        found = connection.execute(
            "SELECT count(*) FROM files JOIN quiz_reports r ON r.file_id = files.id WHERE quiz_id = %s",
            [quiz_id],
        )
        return int(found.fetchall()[0][0])


def objects(run: Run, quiz_id: int) -> int:
    """Count the objects of a quiz's jobs, by the ids that their rows have."""
    with run.school.connect() as connection:
        found = connection.execute("SELECT progress_id FROM quiz_reports WHERE quiz_id = %s", [quiz_id])
        return sum(len(objects_of_job(run, progress_id)) for (progress_id,) in found)


def objects_of_job(run: Run, progress_id: int) -> list[str]:
    return [key for key in run.folder.objects() if key.startswith(f"reports/{progress_id}/")]


def _column(run: Run, name: str, report_id: int) -> object:
    with run.school.connect() as connection:
        row = connection.execute(
            f"SELECT {name} FROM quiz_reports WHERE id = %s",
            [report_id],
        ).fetchone()
    assert row is not None
    return row[0]
