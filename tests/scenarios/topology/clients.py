"""The clients of the topology: an LMS that pushes the sample course, a teacher who requests its reports."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from models.reports.variants import PUBLIC_TYPES, ReportType
from tests.plain_http import PLAIN_HTTP
from tests.sample_reports import DIGESTS, KINDS, Kind, sample_pushes
from tests.scenarios.topology.containers import Topology
from tests.waiting import wait_for

TEACHER, PUSHER = "7001", "1"
_PUSH_SCOPES = (
    "url:PUT|/api/v1/courses/:id",
    "url:PUT|/api/v1/courses/:course_id/quizzes/:id",
    "url:PUT|/api/v1/courses/:course_id/quizzes/:quiz_id/submissions",
)
_UNSERVED = {502, 503}


@dataclass(frozen=True)
class Clients:
    """The clients, with the tokens that the operator made for them."""

    topology: Topology
    pusher: str
    teacher: str
    # The addresses of the reports that were requested.
    paths: dict[Kind, str] = field(default_factory=dict)

    @classmethod
    def of(cls, topology: Topology) -> Clients:
        """Make tokens as the README of operations has it."""

        def token(*options: str) -> str:
            return topology["migrate"].run("token", "create", *options).strip()

        scopes = [word for scope in _PUSH_SCOPES for word in ("--scope", scope)]
        return cls(topology, token("--user", PUSHER, *scopes), token("--user", TEACHER))

    def send(self, method: str, path: str, *, base_url: str = "", **options: Any) -> httpx.Response:
        token = self.pusher if method == "PUT" else self.teacher
        url = path if path.startswith("http") else (base_url or self.topology.base_url) + path
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.request(method, url, headers=headers, **PLAIN_HTTP, timeout=60, **options)

    def served(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request as a patient client does: again, as long as it is not served."""

        def response() -> httpx.Response | None:
            try:
                found = self.send(method, path, **options)
            except httpx.TransportError:
                return None
            return None if found.status_code in _UNSERVED else found

        return wait_for(response)

    def push_sample(self) -> None:
        for path, body in sample_pushes():
            pushed = self.send("PUT", path, json=body)
            assert pushed.status_code == 200, pushed.text

    def try_to_request(self, kind: Kind) -> int | None:
        """Request a report once; return the status, or None if there was no response."""
        try:
            return self.send("POST", kind.path, json={"quiz_report": kind.params}).status_code
        except httpx.TransportError:
            return None

    def make(self, kind: Kind) -> bytes:
        """Request a report, poll until it has a file, and download that."""
        requested = self.served("POST", kind.path, json={"quiz_report": kind.params})
        if requested.status_code == 200:
            self.paths[kind] = f"{kind.path}/{requested.json()['id']}"
        else:
            # An earlier request was served.
            assert requested.status_code == 409, requested.text

        def file() -> dict[str, Any] | None:
            report: dict[str, Any] = self.served("GET", self.paths[kind]).json()
            if "file" not in report and (progress := self.served("GET", report["progress_url"])).is_success:
                assert progress.json()["workflow_state"] != "failed", progress.text
            return report.get("file")

        return self.served("GET", wait_for(file)["url"]).content

    def file(self, kind: Kind) -> bytes:
        """Download the file of a report that was requested before."""
        return self.served("GET", self.served("GET", self.paths[kind]).json()["file"]["url"]).content

    def was_made_by(self, worker: str, kind: Kind) -> bool:
        """Whether the log of a worker speaks of a report that was requested."""
        report_id = self.paths[kind].rsplit("/", 1)[1]
        return f'"report_id": {report_id},' in self.topology[worker].log.read_text()

    def empty(self, kind: Kind) -> None:
        """Remove a report's file, so that the next request makes it anew."""
        removed = self.send("DELETE", self.paths[kind])
        assert removed.status_code == 204, removed.text


def kept_digests() -> dict[ReportType, str]:
    """Return the digests of the CSV files that these reports have had since their version was raised."""
    kept: Mapping[str, Any] = json.loads(DIGESTS.read_bytes())
    return {report_type: kept[report_type]["csv"] for report_type in PUBLIC_TYPES}


def digests(files: Mapping[Kind, bytes]) -> dict[ReportType, str]:
    """Return the digests of files, the kinds of a type in their order."""
    return {
        report_type: hashlib.sha256(
            b"".join(files[kind] for kind in KINDS if kind.report_type is report_type)
        ).hexdigest()
        for report_type in PUBLIC_TYPES
    }
