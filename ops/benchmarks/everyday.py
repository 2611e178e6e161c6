"""What the service does every day, done once in this process so that its statements can be looked at."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from api.app import create_app
from models.settings import Settings
from ops.benchmarks.population import Population
from ops.benchmarks.stack import BenchmarkError
from workers.generation import generate
from workers.resources import Resources

REPORT_TYPES = ("student_analysis", "item_analysis")


class Everyday:
    """A client without a network between, and a worker without a queue."""

    def __init__(self, settings: Settings, token: str, population: Population) -> None:
        self._app = create_app(settings)
        self._client: FlaskClient = self._app.test_client()
        self._resources = Resources(settings)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._population = population
        self._quiz = f"/api/v1/courses/{population.course.id}/quizzes/{population.quiz_id}"

    def list_reports(self) -> Any:
        """List the two reports."""
        return self._ask("GET", "/reports")

    def request(self, report_type: str, *, all_versions: bool = True) -> Any:
        """Ask for a report."""
        wish = {"report_type": report_type, "includes_all_versions": all_versions}
        return self._ask("POST", "/reports", {"quiz_report": wish})

    def show(self, report: Any) -> Any:
        """Look at a report."""
        return self._ask("GET", f"/reports/{report['id']}")

    def make(self, report: Any) -> None:
        """Make the file of a report that was asked for."""
        generate(self._resources, report["id"], int(report["progress_url"].rsplit("/", 1)[1]))

    def push(self, number: int) -> Any:
        """Push the quiz's first attempt under another number."""
        attempt = {**self._population.pushed(self._population.block(0), 0), "attempt": number}
        return self._ask("PUT", "/submissions", {"quiz_submissions": [attempt]})

    def all(self) -> None:
        """Do all of it: make every report, ask again, list, show, push a new attempt and push it again."""
        for report_type in REPORT_TYPES:
            for all_versions in (True, False):
                report = self.request(report_type, all_versions=all_versions)
                if "file" not in report:
                    self.make(report)
                self.show(self.request(report_type, all_versions=all_versions))
        self.list_reports()
        for _ in range(2):
            self.push(99)

    def close(self) -> None:
        """Give back the connections of both."""
        self._app.extensions["quiz_reports"].close()
        self._resources.database.dispose()
        self._resources.snapshots.close()

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._client.open(f"{self._quiz}{path}", method=method, headers=self._headers, json=body)
        if answer.status_code != 200:
            raise BenchmarkError(f"{method} {path} was answered with {answer.status}: {answer.text[:500]}")
        return answer.json
