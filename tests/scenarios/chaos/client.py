"""A client behind a load balancer, which remembers how each of its requests was answered."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from models.reports.variants import PUBLIC_TYPES, ReportType
from tests.scenarios.chaos.stack import Stack
from tests.school import COURSE_ID
from tests.waiting import wait_for

STUDENT_ANALYSIS, ITEM_ANALYSIS = PUBLIC_TYPES
_UNAVAILABLE = {429, 503}


@dataclass(frozen=True)
class Answered:
    """One request as it was answered; status 0: the connection ended without an answer."""

    method: str
    path: str
    status: int
    seconds: float
    says_when_to_retry: bool


class Client:
    """An administrator's client; each request goes to the next API process in the rotation."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {stack.admin_token}"},
            timeout=120.0,
            trust_env=False,
            # A connection of its own for each request: none is ever cut because it was idle.
            limits=httpx.Limits(max_keepalive_connections=0, max_connections=None),
        )
        self._turn = itertools.count()
        self._lock = threading.Lock()
        self.answered: list[Answered] = []

    def close(self) -> None:
        self._http.close()

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request, to the next address where nobody listens on one; nothing else is retried."""
        began = time.monotonic()
        try:
            answer = self._send(method, path, options)
        except httpx.TransportError:
            self._note(Answered(method, path, 0, time.monotonic() - began, says_when_to_retry=False))
            raise
        self._note(
            Answered(
                method,
                path,
                answer.status_code,
                time.monotonic() - began,
                says_when_to_retry="Retry-After" in answer.headers,
            )
        )
        return answer

    def post(self, quiz_id: int, kind: ReportType = STUDENT_ANALYSIS, **params: Any) -> httpx.Response:
        """Ask for a report."""
        return self.ask(
            "POST", reports_path(quiz_id), json={"quiz_report": {"report_type": kind.value, **params}}
        )

    def request(self, quiz_id: int, kind: ReportType = STUDENT_ANALYSIS, **params: Any) -> int:
        """Ask for a report that must be granted; return its id."""
        answer = self.post(quiz_id, kind, **params)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])

    def show(self, quiz_id: int, report_id: int) -> dict[str, Any]:
        answer = self.ask("GET", f"{reports_path(quiz_id)}/{report_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def abort(self, quiz_id: int, report_id: int) -> httpx.Response:
        return self.ask("DELETE", f"{reports_path(quiz_id)}/{report_id}")

    def download(self, file: dict[str, Any]) -> bytes:
        """Download a file's bytes, each time with the verifier that its File object carries."""
        url = httpx.URL(file["url"])
        answer = self.ask("GET", url.raw_path.decode())
        assert answer.status_code == 200, answer.text
        return answer.content

    def wait_for_file(self, quiz_id: int, report_id: int, *, seconds: float = 90.0) -> dict[str, Any]:
        """Wait until a report has its file, and return the File object."""

        def file() -> dict[str, Any] | None:
            # An API that is away for a moment is what many of these tests are about.
            with suppress(httpx.TransportError, AssertionError):
                return self.show(quiz_id, report_id).get("file")
            return None

        return wait_for(file, seconds=seconds)

    def since(self, start: int) -> list[Answered]:
        """Return what was answered since `len(client.answered)` was `start`."""
        with self._lock:
            return self.answered[start:]

    def _send(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        addresses = self._stack.rotation.addresses()
        first = next(self._turn) % max(1, len(addresses))
        failure = httpx.ConnectError("no API process is in the rotation")
        for address in addresses[first:] + addresses[:first]:
            with self._stack.rotation.sending(address) as is_there:
                if not is_there:
                    continue
                try:
                    return self._http.request(method, f"{address}{path}", **options)
                except httpx.ConnectError as error:
                    failure = error
        raise failure

    def _note(self, answered: Answered) -> None:
        with self._lock:
            self.answered.append(answered)


def reports_path(quiz_id: int) -> str:
    return f"/api/v1/courses/{COURSE_ID}/quizzes/{quiz_id}/reports"


def statuses(answers: list[Answered]) -> str:
    """Count the statuses, as `200 × 12, 503 × 3`."""
    counts = Counter(answer.status or "cut off" for answer in answers)
    return ", ".join(f"{status} × {count}" for status, count in sorted(counts.items(), key=str))


def faulty(answers: list[Answered], *, may_be_unavailable: bool = False) -> list[Answered]:
    """Return the answers that no client should get; 503 and 429 may come where they say when to retry."""
    return [
        answer
        for answer in answers
        if answer.status == 0
        or (
            answer.status >= 500
            and not (may_be_unavailable and answer.status in _UNAVAILABLE and answer.says_when_to_retry)
        )
    ]
