"""A whole service with real processes, watched as somebody would who looks for its secrets."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.waiting import wait_for

COMMAND = [sys.executable, "-P", "-m", "ops.cli"]
COURSE, QUIZ = "/api/v1/courses/101", "/api/v1/courses/101/quizzes/201"
REPORTS = f"{QUIZ}/reports"
NAME, ANSWER, TITLE = "Canary-Name-4711", "Canary-Answer-4712", "Canary-Title-4713"
SIS_ID, COMMENT = "Canary-Sis-4714", "Canary-Message-4715"
PEOPLES = (NAME, ANSWER, TITLE, SIS_ID, COMMENT)


@dataclass
class Stack:
    """A running `quiz-reports up`, and every answer that it has given."""

    folder: Path
    process: subprocess.Popen[bytes]
    console: Path
    secret_key: str
    ready: Mapping[str, Any]
    answers: list[httpx.Response] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)

    def send(self, method: str, path: str, *, token: str | None = "", **options: Any) -> httpx.Response:
        """Send a request, as the administrator unless another token or none is given."""
        token = self.ready["admin_token"] if token == "" else token
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **options.pop("headers", {})}
        url = path if path.startswith("http") else self.ready["base_url"] + path
        answer = httpx.request(method, url, headers=headers, trust_env=False, timeout=30, **options)
        self.answers.append(answer)
        return answer

    def send_bytes(self, request: bytes) -> str:
        """Send what need be no HTTP at all."""
        with socket.create_connection(("127.0.0.1", int(self.ready["base_url"].rsplit(":", 1)[1]))) as client:
            client.sendall(request)
            client.settimeout(10)
            return b"".join(iter(lambda: client.recv(65536), b"")).decode()

    def command(self, *arguments: str, status: int = 0) -> str:
        """Call the command line on the stack's folder."""
        ended = subprocess.run(
            [*COMMAND, *arguments, "--data-dir", str(self.folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == status, ended.stderr
        self.outputs += [ended.stdout, ended.stderr]
        return ended.stdout

    def processes(self) -> list[psutil.Process]:
        """All that belongs to the stack."""
        return [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]

    def worker_pids(self) -> set[int]:
        """The processes that compute reports."""
        return {p.pid for p in self.processes() if "worker" in p.cmdline()}

    def passwords(self) -> list[str]:
        """The passwords of the database and of the broker."""
        files = [*self.folder.glob("postgres/*.password"), *self.folder.glob("valkey/*.password")]
        assert len(files) == 3
        return [file.read_text().strip() for file in files]

    def logs(self) -> dict[str, str]:
        """All that the parts have written for people to read."""
        files = [self.console, *(self.folder / "logs").iterdir()]
        return {file.name: file.read_text(errors="replace") for file in files}

    def make_report(self, report_type: str = "student_analysis") -> dict[str, Any]:
        """Ask for a report and wait for its end; return it."""
        asked = self.send("POST", REPORTS, json={"quiz_report": {"report_type": report_type}})
        assert asked.status_code == 200, asked.text
        report = f"{REPORTS}/{asked.json()['id']}"

        def ended() -> dict[str, Any] | None:
            shown: dict[str, Any] = self.send("GET", report).json()
            if "file" in shown:
                return shown
            state = self.send("GET", shown["progress_url"]).json()
            return {**shown, "progress": state} if state["workflow_state"] == "failed" else None

        return wait_for(ended)


@contextmanager
def running(folder: Path) -> Iterator[Stack]:
    """Start a stack that logs all it can, for eyes, in a folder that was there and open to all."""
    folder.mkdir(mode=0o755)
    secret_key = f"canary-{secrets.token_hex(32)}"
    console = folder.with_suffix(".console")
    environ = {
        "SECRET_KEY": secret_key,
        "QUIZ_REPORTS_LOG_LEVEL": "debug",
        "QUIZ_REPORTS_LOG_FORMAT": "console",
    }
    with console.open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, "up", "--port", "0", "--workers", "1", "--data-dir", str(folder)],
            env={**os.environ, **environ, "QUIZ_REPORTS_FORMULA_GUARD": "true"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        note = folder / "ready.json"
        wait_for(lambda: note.exists() or process.poll() is not None, seconds=120)
        assert process.poll() is None, console.read_text()
        yield Stack(folder, process, console, secret_key, json.loads(note.read_text()))
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def course(**changes: Any) -> dict[str, Any]:
    """A course of one student."""
    return {
        "course": {
            "name": "Biology",
            "sections": [{"id": 31, "name": "=Section"}],
            "users": [{"id": 7, "name": NAME, "sis_user_id": SIS_ID}],
            "enrollments": [
                {"user_id": 7, "section_id": 31, "type": "StudentEnrollment", "enrollment_state": "active"}
            ],
            **changes,
        }
    }


QUIZ_BODY = {
    "quiz": {
        "title": TITLE,
        "quiz_type": "assignment",
        "questions": [
            {"id": 1, "question_type": "essay_question", "question_text": "+Why?", "points_possible": 1.0}
        ],
    }
}


def submissions(**changes: Any) -> dict[str, Any]:
    """One attempt of the student."""
    attempt = {
        "id": 501,
        "user_id": 7,
        "attempt": 1,
        "workflow_state": "complete",
        "score": -1.0,
        "finished_at": "2026-09-10T09:12:31Z",
        "updated_at": "2026-09-10T09:12:31Z",
        "submission_data": [{"question_id": 1, "correct": True, "points": 1.0, "text": f" =1+1 {ANSWER}"}],
    }
    return {"quiz_submissions": [{**attempt, **changes}]}
