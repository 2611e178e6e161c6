"""What the service does every day with a quiz: a client without a network, a worker without a queue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient

from api.app import create_app
from api.services import Services
from models.access.tokens import create_token
from models.db.session import Database
from models.settings import Settings
from tests.school import School, Size
from workers.generation import generate
from workers.resources import Resources

REPORT_TYPES = ("student_analysis", "item_analysis")


@dataclass(frozen=True)
class Everyday:
    """A quiz of a school, and those who work with it."""

    client: FlaskClient
    resources: Resources
    headers: Mapping[str, str]
    school: School
    quiz_id: int
    size: Size

    def list_reports(self) -> Any:
        return self._send("GET", "/reports")

    def request(self, report_type: str, *, all_versions: bool = True) -> Any:
        params = {"report_type": report_type, "includes_all_versions": all_versions}
        return self._send("POST", "/reports", {"quiz_report": params})

    def make(self, report: Any) -> None:
        """Make the file of a report that was requested."""
        generate(self.resources, report["id"], int(report["progress_url"].rsplit("/", 1)[1]))

    def all(self) -> None:
        """Make every report, request it again, list, show, push a new attempt and push it again."""
        for report_type in REPORT_TYPES:
            for all_versions in (True, False):
                report = self.request(report_type, all_versions=all_versions)
                if "file" not in report:
                    self.make(report)
                again = self.request(report_type, all_versions=all_versions)
                self._send("GET", f"/reports/{again['id']}")
        self.list_reports()
        attempt = self.school.pushed_attempt(self.quiz_id, 0, self.size.questions, attempt=99)
        for _ in range(2):
            self._send("PUT", "/submissions", {"quiz_submissions": [attempt]})

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        quiz = f"/api/v1/courses/{self.school.course_id}/quizzes/{self.quiz_id}"
        response = self.client.open(f"{quiz}{path}", method=method, headers=self.headers, json=body)
        assert response.status_code == 200, response.text
        return response.json


@contextmanager
def open_everyday(
    settings: Settings, database: Database, school: School, quiz_id: int, size: Size
) -> Iterator[Everyday]:
    """Open an application and a worker on a school's database, and close them afterwards."""
    with database.transaction() as session:
        token = create_token(session, user_id=1, admin=True)
    app, resources = create_app(settings), Resources(settings)
    headers = {"Authorization": f"Bearer {token}"}
    try:
        yield Everyday(app.test_client(), resources, headers, school, quiz_id, size)
    finally:
        Services.of(app).close()
        resources.close()
