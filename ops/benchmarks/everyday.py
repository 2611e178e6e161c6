"""The everyday work of the service, done in this process so that its SQL statements can be recorded."""

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
    """A client without a network, and a worker without a queue."""

    def __init__(self, settings: Settings, token: str, population: Population) -> None:
        self._app = create_app(settings)
        self._client: FlaskClient = self._app.test_client()
        self._resources = Resources(settings)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._population = population
        self._quiz = f"/api/v1/courses/{population.course.id}/quizzes/{population.quiz_id}"

    def list_reports(self) -> Any:
        """List the two reports."""
        return self._call("GET", "/reports")

    def request(self, report_type: str, *, all_versions: bool = True) -> Any:
        """Request a report."""
        params = {"report_type": report_type, "includes_all_versions": all_versions}
        return self._call("POST", "/reports", {"quiz_report": params})

    def show(self, report: Any) -> Any:
        """Show a report."""
        return self._call("GET", f"/reports/{report['id']}")

    def make(self, report: Any) -> None:
        """Generate the file of a report that was requested."""
        generate(self._resources, report["id"], int(report["progress_url"].rsplit("/", 1)[1]))

    def push(self, number: int) -> Any:
        """Push the quiz's first attempt under another number."""
        attempt = {**self._population.pushed(self._population.block(0), 0), "attempt": number}
        return self._call("PUT", "/submissions", {"quiz_submissions": [attempt]})

    def all(self) -> None:
        """Request, generate, request again, show and list every report; push a new attempt twice."""
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
        """Close the connections of both."""
        self._app.extensions["quiz_reports"].close()
        self._resources.close()

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        response = self._client.open(f"{self._quiz}{path}", method=method, headers=self._headers, json=body)
        if response.status_code != 200:
            raise BenchmarkError(f"{method} {path} returned {response.status}: {response.text[:500]}")
        return response.json
