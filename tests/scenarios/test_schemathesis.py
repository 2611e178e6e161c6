"""Thousands of requests made from the API's description: no 5xx, and no answer that contradicts it."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from models.publisher import JobPublisher
from models.reports.tables import JobMessage
from models.reports.variants import ReportType
from tests import serving
from tests.factories import ANONYMOUS_SURVEY_ID, SURVEY_ID, Api, reports_path
from workers.generation import generate
from workers.resources import Resources

# Most requests should meet something that is there; the others ask for anything.
KNOWN = """
[dictionaries]
courses = { values = ["101", "102", "sis_course_id:2026-BIO-101"] }
quizzes = { values = ["201", "202", "203", "301"] }
assignments = { values = ["900"] }
own = { values = ["1", "2", "3", "4", "5", "6", "7"] }

[parameters]
"path.course_id" = { dictionary = "courses", probability = 0.8 }
"path.quiz_id" = { dictionary = "quizzes", probability = 0.8 }
"path.assignment_id" = { dictionary = "assignments", probability = 0.8 }
"path.report_id" = { dictionary = "own", probability = 0.8 }
"path.progress_id" = { dictionary = "own", probability = 0.8 }
"path.file_id" = { dictionary = "own", probability = 0.8 }
"""
# With these, an invalid push gets a 200 that says what is wrong, so they have a run of their own.
LENIENT = {"check", "on_error"}
LENIENT_RUN = "pushes that are checked, or stored in part"
# A report stays after DELETE, by contract. What a schema can not say is refused with 422, and with 400 where
# a report can not be made of a quiz or limited to a section. A NUL may stand in any text of a schema and is
# always refused, so those requests are made without asking whether they should have been accepted.
RUNS = {
    "every check": """
[generation]
max-examples = 30
allow-x00 = false

[checks]
use_after_free.enabled = false
positive_data_acceptance.expected-statuses = ["2xx", "304", "401", "403", "404", "409", "422"]

[[operations]]
include-operation-id = [
  "quiz_reports.index", "quiz_reports.create", "new_quiz_reports.create", "statistics.show"
]
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409"]
""",
    "with NUL characters": """
[generation]
max-examples = 40
allow-x00 = true

[phases]
coverage.enabled = false

[checks]
use_after_free.enabled = false
positive_data_acceptance.enabled = false
""",
    LENIENT_RUN: """
[generation]
max-examples = 60
allow-x00 = false

[phases]
stateful.enabled = false

[checks]
negative_data_rejection.enabled = false
positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "422"]

[[operations]]
exclude-operation-id = ["ingestion.put_course", "ingestion.put_quiz", "ingestion.put_submissions"]
enabled = false
""",
}
MOST_EXAMPLES = 2000


@pytest.fixture
def no_log() -> Iterator[None]:
    """Thousands of lines would hide what was found."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture
def served(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """Serve an application with reports in every state; give its address and an administrator's token."""
    add_reports(api)
    resources = Resources(api.settings)
    make_statistics_at_once(resources, api, monkeypatch)
    with serving.served(api.app) as url:
        yield url, api.tokens["admin"]
    resources.snapshots.close()
    resources.database.dispose()


def make_statistics_at_once(resources: Resources, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what a worker does when the job of statistics is published, since a request waits for it."""
    one_at_a_time = threading.Lock()

    def publish(_publisher: JobPublisher, message: JobMessage | None) -> None:
        if message is None or api.report(message.report_id).report_type is not ReportType.STATISTICS:
            return
        with one_at_a_time:
            generate(resources, message.report_id, message.progress_id)

    monkeypatch.setattr(JobPublisher, "send", publish)


def add_reports(api: Api) -> None:
    api.generated()
    api.generated("ta", quiz_id=SURVEY_ID)
    api.generated("admin", report_type="item_analysis")
    asked = [
        api.post(path, caller, json={"quiz_report": {"report_type": "student_analysis", **more}}).json["id"]
        for path, caller, more in (
            (reports_path(), "admin", {"includes_all_versions": True}),
            (reports_path(), "ta", {}),
            (reports_path(ANONYMOUS_SURVEY_ID), "admin", {}),
        )
    ]
    api.start(asked[0])
    api.fail(asked[1], "no")


@pytest.mark.exhaustive
@pytest.mark.usefixtures("no_log")
@pytest.mark.contract("2 Parameters", "bad input is one JSON error and never a crash")
def test_no_5xx_and_no_contradiction(
    served: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address, token = served
    examples = 0
    for name, run in RUNS.items():
        document = tmp_path / "openapi.json"
        document.write_text(json.dumps(described(address, is_lenient=name == LENIENT_RUN)))
        finished = schemathesis(address, token, run, document)
        summary = finished.stdout[finished.stdout.find("API Operations:") :]
        with capsys.disabled():
            print(f"\nschemathesis, {name}:\n{summary}")  # noqa: T201 - CI shows it.
        assert finished.returncode == 0, finished.stdout + finished.stderr
        examples += int(re.findall(r"(\d+) generated", summary)[0])
    assert examples >= MOST_EXAMPLES


def described(address: str, *, is_lenient: bool) -> Any:
    """Return the API's description, with the parameters of lenient pushes or without them."""
    document = httpx.get(f"{address}/openapi.json", timeout=60).raise_for_status().json()
    for path in document["paths"].values():
        for operation in path.values():
            operation["parameters"] = [
                parameter
                for parameter in operation.get("parameters", ())
                if is_lenient or parameter["name"] not in LENIENT
            ]
    return document


def schemathesis(address: str, token: str, run: str, document: Path) -> subprocess.CompletedProcess[str]:
    """Run it as one does by hand, always with the same seed."""
    config = document.with_name("schemathesis.toml")
    headers = f"headers = {{ Authorization = {json.dumps(f'Bearer {token}')} }}"
    config.write_text(f"seed = 1\ncontinue-on-failure = true\nrequest-timeout = 60\n{headers}\n{KNOWN}{run}")
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
        *("run", str(document), "--url", address, "--no-color", "--generation-database", "none"),
    ]
    # Counting branches in a process that runs none of ours would take a third of the time.
    environ = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
    return subprocess.run(
        command, env=environ, cwd=document.parent, capture_output=True, text=True, check=False, timeout=1800
    )
