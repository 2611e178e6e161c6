"""What a worker connects to, and what it does with its jobs while its store fails."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from sqlalchemy import text

from models.settings import Settings
from models.storage import open_store
from tests.factories import Api, reports_path
from workers.generation import generate
from workers.resources import Resources

WANTED = {"quiz_report": {"report_type": "student_analysis"}}


@pytest.fixture
def broken(settings: Settings, tmp_path: Path) -> Settings:
    """Settings of a worker whose folder is below a file, and which does not wait long for it."""
    (tmp_path / "file").touch()
    return dataclasses.replace(settings, storage_url=f"file://{tmp_path}/file/folder", sweep_seconds=0.01)


def request(api: Api) -> tuple[int, int]:
    report = api.post(reports_path(), json=WANTED, headers={"X-Request-Id": "asked-for-here"}).json
    return report["id"], int(report["progress_url"].rsplit("/", 1)[1])


def progress(api: Api, job: int) -> str:
    return str(api.get(f"/api/v1/progress/{job}").json["workflow_state"])


def test_another_worker_finishes_a_job_that_was_given_back(
    api: Api, settings: Settings, broken: Settings, open_resources: Callable[[Settings], Resources]
) -> None:
    report_id, job = request(api)
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logged:
        generate(open_resources(broken), report_id, job)
        assert progress(api, job) == "running"
        # Its lease has ended already.
        generate(open_resources(settings), report_id, job)
    assert progress(api, job) == "completed"
    # The request's id leads to the report, the job and its tries.
    lines = [line for line in logged if line["event"] in {"storage_failed", "report_generated"}]
    known = {(line["request_id"], line["report_id"], line["job_id"], line["try"]) for line in lines}
    assert known == {("asked-for-here", report_id, job, 1), ("asked-for-here", report_id, job, 2)}


def test_the_last_try_fails_with_a_message(
    api: Api, broken: Settings, open_resources: Callable[[Settings], Resources]
) -> None:
    report_id, job = request(api)
    resources = open_resources(broken)
    for _ in range(broken.max_tries):
        generate(resources, report_id, job)
    ended = api.get(f"/api/v1/progress/{job}").json
    assert (ended["workflow_state"], "could not be stored" in ended["message"]) == ("failed", True)


def test_a_worker_waits_for_its_store_before_it_takes_the_next_job(
    api: Api, broken: Settings, open_resources: Callable[[Settings], Resources], tmp_path: Path
) -> None:
    resources = open_resources(broken)
    report_id, job = request(api)
    generate(resources, report_id, job)
    with structlog.testing.capture_logs() as logged:
        resources.await_store()
    assert [line["event"] for line in logged] == ["store_still_fails"]

    (tmp_path / "file").unlink()
    generate(resources, report_id, job)

    assert progress(api, job) == "completed"


def test_the_line_of_a_lost_file_names_the_machine_that_wrote_it(
    api: Api, settings: Settings, open_resources: Callable[[Settings], Resources]
) -> None:
    report_id, job = request(api)
    generate(open_resources(settings), report_id, job)
    file = api.get(f"{reports_path()}/{report_id}").json["file"]
    [written] = [stored for batch in open_store(settings).list("reports") for stored in batch]
    open_store(settings).delete(written.key)
    with structlog.testing.capture_logs() as logged:
        assert api.get(f"/files/{file['id']}/download").status_code == 404
    [lost] = [line for line in logged if line["event"] == "file_lost"]
    assert (lost["storage_key"], lost["written_by"]) == (written.key, platform.node())


def test_nothing_is_opened_before_it_is_used(resources: Resources) -> None:
    opened = {"database", "snapshots", "store"}
    assert opened.isdisjoint(vars(resources))
    assert resources.store is resources.store
    resources.close()
    assert opened & set(vars(resources)) == {"store"}


def test_a_statement_ends_before_half_a_lease(
    settings: Settings, open_resources: Callable[[Settings], Resources]
) -> None:
    resources = open_resources(dataclasses.replace(settings, lease_seconds=20.0))

    with resources.database.transaction() as session:
        assert session.execute(text("SHOW statement_timeout")).scalar_one() == "10s"
