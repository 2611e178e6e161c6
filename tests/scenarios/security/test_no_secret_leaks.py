"""Canaries are planted in a running service, it is led through work and failures, and all is searched."""

from __future__ import annotations

import csv
import io
import pickle
import secrets
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis
from celery import Celery

from models.reports.tables import Queue
from ops.local.embedded import EmbeddedPostgres
from tests.scenarios.security.canaries import (
    ANSWER,
    COMMENT,
    COURSE,
    NAME,
    PEOPLES,
    QUIZ,
    QUIZ_BODY,
    REPORTS,
    SIS_ID,
    course,
    submissions,
)
from tests.scenarios.stack import Stack, running_stack
from tests.waiting import wait_for

pytestmark = pytest.mark.exhaustive


class _WouldRun:
    """Opens a file where it is unpickled."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self._path, "w"))


class Journey:
    """What a service was led through, and what was seen on the way."""

    def __init__(self, stack: Stack, secret_key: str) -> None:
        self.stack = stack
        self.secret_key = secret_key
        self.tokens = [stack.ready["admin_token"]]
        self.verifiers: list[str] = []
        self.csv = b""
        self.revoked: list[int] = []
        self.push()
        self.read()
        self.refusals()
        self.unforeseen()
        self.failures_of_workers()
        self.hostile_messages()
        self.revocation()
        self.shown = self.look_around()

    def push(self) -> None:
        """Bring the data in."""
        for path, body in ((COURSE, course()), (QUIZ, QUIZ_BODY), (f"{QUIZ}/submissions", submissions())):
            assert self.stack.send("PUT", path, json=body).status_code == 200

    def read(self) -> None:
        """Make a report and download it in all ways."""
        self.url = self.stack.make_report(REPORTS)["file"]["url"]
        path = self.url.split("?")[0]
        self.verifiers.append(self.url.split("verifier=")[1])
        self.csv = self.stack.send("GET", path).content
        for url in (self.url, f"{path}?access_token={self.tokens[0]}"):
            assert self.stack.send("GET", url, token=None).content == self.csv
        self.stack.make_report(REPORTS, "item_analysis")

    def refusals(self) -> None:
        """Be refused, with a canary in each place where one fits."""
        send = self.stack.send
        send("GET", COURSE, token="qr_Canary-Bad-Token")
        send("GET", f"{COURSE}?access_token=qr_Canary-Bad-Token", token=None)
        send("GET", f"/nonsense?access_token={self.tokens[0]}&verifier={self.verifiers[0]}", token=None)
        send("GET", self.url + "x", token=None)
        send("POST", REPORTS, token=None, data={"access_token": self.tokens[0], "quiz_report[x]": ANSWER})
        send("POST", REPORTS, content=b'{"x": "' + ANSWER.encode())
        send("POST", REPORTS, json={"quiz_report": {"report_type": ANSWER}})
        send("PUT", COURSE, json=course(users=[{"id": NAME, "name": [NAME]}]))
        send("PUT", f"{QUIZ}/submissions", json=submissions(user_id=NAME, updated_at=ANSWER))
        send("PUT", f"{QUIZ}/submissions", content=ANSWER, headers={"Content-Type": "application/json"})
        send("POST", "/api/v1/progress/999/cancel", json={"message": COMMENT})
        token = self.tokens[0].encode()
        for line in (b"GET /?access_token=%b", b"GET /?access_token=%b HTTP/9.9", b"G\0T /%b HTTP/1.1"):
            self.stack.send_bytes(line % token + b"\r\nHost: x\r\n\r\n")
        self.stack.send_bytes(b"GET / HTTP/1.1\r\nAuthorization : Bearer " + token + b"\r\n\r\n")

    def unforeseen(self) -> None:
        """Let the database refuse rows, and the store give half a file."""
        with psycopg.connect(self.stack.ready["database_url"], autocommit=True) as database:
            # As PostgreSQL itself does where a row breaks a rule: the row stands in the detail.
            database.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " RAISE EXCEPTION 'refused on purpose' USING DETAIL = format('Failing row: %s', NEW); END $$"
            )
            for table in ("users", "attempts"):
                database.execute(
                    f"CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {table}"
                    " FOR EACH ROW EXECUTE FUNCTION refuse()"
                )
            new = course(users=[{"id": 7, "name": f"{NAME} {NAME}", "sis_user_id": SIS_ID}])
            for path, body in ((COURSE, new), (f"{QUIZ}/submissions", submissions(id=502))):
                refused = self.stack.send("PUT", path, json=body)
                assert refused.status_code == 500, refused.text
            database.execute("DROP FUNCTION refuse CASCADE")
        for stored in (self.stack.folder / "files" / "reports").rglob("*"):
            if stored.is_file():
                stored.write_bytes(b"")
        request = f"GET {self.url.split('127.0.0.1', 1)[1].split('/', 1)[1]} HTTP/1.1\r\nHost: x\r\n"
        self.stack.send_bytes(f"{request.replace('GET ', 'GET /')}Connection: close\r\n\r\n".encode())

    def failures_of_workers(self) -> None:
        """Let a worker fail at its data, and at its store."""
        assert self.stack.send("PUT", f"{QUIZ}/submissions", json=submissions(id=503)).status_code == 200
        with psycopg.connect(self.stack.ready["database_url"], autocommit=True) as database:
            database.execute("ALTER TABLE question_versions RENAME content TO hidden")
            database.execute(f"ALTER TABLE question_versions ADD content jsonb DEFAULT '\"{ANSWER}\"'")
            self.failed = [self.stack.make_report(REPORTS)["progress"]["message"]]
            database.execute("ALTER TABLE question_versions DROP content")
            database.execute("ALTER TABLE question_versions RENAME hidden TO content")
        reports = self.stack.folder / "files" / "reports"
        reports.rename(reports.with_name("away"))
        reports.write_text("no folder")
        self.failed.append(self.stack.make_report(REPORTS)["progress"]["message"])
        reports.unlink()

    def hostile_messages(self) -> None:
        """Put into the broker what nobody of ours puts there; the worker must go on."""
        self.trap = self.stack.folder / "unpickled"
        before = self.stack.worker_pids()
        publisher = Celery("test", broker=self.stack.ready["redis_url"], set_as_current=False)
        publisher.conf.update(task_ignore_result=True, accept_content=["json", "pickle"])
        for name, arguments, serializer in (
            ("quiz_reports.generate_report", [_WouldRun(str(self.trap))], "pickle"),
            ("os.system", ["touch x"], "json"),
            ("celery.backend_cleanup", [], "json"),
            ("quiz_reports.generate_report", ["1; DROP TABLE users", None], "json"),
        ):
            publisher.send_task(name, args=arguments, queue=Queue.SMALL.value, serializer=serializer)
        publisher.close()
        with redis.Redis.from_url(self.stack.ready["redis_url"]) as broker:
            wait_for(lambda: broker.llen(Queue.SMALL.value) == 0)
        assert "file" in self.stack.make_report(REPORTS)
        self.workers_went_on = before == self.stack.worker_pids()
        with redis.Redis.from_url(self.stack.ready["redis_url"]) as broker:
            broker.lpush(Queue.SMALL.value, pickle.dumps(_WouldRun(str(self.trap))))
            wait_for(lambda: broker.llen(Queue.SMALL.value) == 0)

    def revocation(self) -> None:
        """Issue a token, use it, take it back."""
        token = self.stack.command("token", "create", "--user", "1", "--admin").strip()
        self.stack.outputs.remove(f"{token}\n")
        self.tokens.append(token)
        self.revoked.append(self.stack.send("GET", COURSE, token=token).status_code)
        number = self.stack.command("token", "list").splitlines()[-1].split("\t")[0]
        self.stack.command("token", "revoke", number)
        self.revoked.append(self.stack.send("GET", COURSE, token=token).status_code)
        self.stack.command("doctor", "--only", "database", "--only", "broker", "--only", "storage")

    def look_around(self) -> dict[str, str]:
        """Collect what others on the machine, an operator and a client can see."""
        for path in ("/metrics", "/healthz", "/readyz", "/openapi.json", "/docs"):
            self.stack.send("GET", path, token=None)
        dump = subprocess.run(
            [EmbeddedPostgres._binary("pg_dump"), "--dbname", self.stack.ready["database_url"]],
            capture_output=True,
            text=True,
            check=True,
        )
        with redis.Redis.from_url(self.stack.ready["redis_url"], decode_responses=True) as broker:
            keys = [key for key in broker.keys("*") if broker.type(key) == "list"]
            waiting = [broker.keys("*"), *(broker.lrange(key, 0, -1) for key in keys)]
        lines = [" ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"])]
        return {"dump": dump.stdout, "command lines": "\n".join(lines), "broker": str(waiting)}

    @property
    def secrets(self) -> list[str]:
        """All that only some may know."""
        return [
            *self.tokens,
            *(verifier.rsplit(".", 1)[1] for verifier in self.verifiers),
            self.secret_key,
            *self.stack.passwords(),
        ]


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    folder = tmp_path_factory.mktemp("security") / "stack"
    # A folder that was there, and open to all.
    folder.mkdir(mode=0o755)
    secret_key = f"canary-{secrets.token_hex(32)}"
    # It logs all that it can, for eyes.
    environ = {
        "SECRET_KEY": secret_key,
        "QUIZ_REPORTS_LOG_LEVEL": "debug",
        "QUIZ_REPORTS_LOG_FORMAT": "console",
        "QUIZ_REPORTS_FORMULA_GUARD": "true",
    }
    with running_stack(folder, "--workers", "1", environ=environ) as stack:
        yield Journey(stack, secret_key)


def found(canaries: list[str] | tuple[str, ...], text: str) -> list[str]:
    return [text[max(0, text.index(c) - 200) : text.index(c) + 60] for c in canaries if c in text]


def test_no_log_holds_a_secret_or_what_people_wrote(journey: Journey) -> None:
    logs = journey.stack.logs()
    assert {"api.log", "worker.log", "sweeper.log", "postgres.log", "valkey.log"} <= set(logs)
    for expected in (
        "refused on purpose",
        "Invalid request from",
        "request_failed",
        "job_failed",
        "storage_failed",
    ):
        assert any(expected in log for log in logs.values()), expected
    for part, log in logs.items():
        assert found([*journey.secrets, *PEOPLES], log) == [], part
        assert "verifier=" not in log, part
        assert "access_token=" not in log, part


def test_no_refusal_shows_a_secret_or_what_was_sent(journey: Journey) -> None:
    refusals = [answer for answer in journey.stack.responses if answer.status_code >= 400]
    assert {answer.status_code for answer in refusals} >= {400, 401, 404, 415, 422, 500}
    for answer in refusals:
        assert found([*journey.secrets, *PEOPLES], answer.text) == [], answer.request.url.path
        assert "Traceback" not in answer.text


def test_no_answer_shows_a_key_a_password_or_the_callers_token(journey: Journey) -> None:
    hidden = [secret for secret in journey.secrets if secret not in journey.url]
    for answer in journey.stack.responses:
        assert found(hidden, f"{answer.headers} {answer.text}") == [], answer.request.url.path


def test_operations_show_nothing_of_people(journey: Journey) -> None:
    shown = [
        a.text for a in journey.stack.responses if a.request.url.path in {"/metrics", "/readyz", "/docs"}
    ]
    assert len(shown) == 3
    assert found([*journey.secrets, *PEOPLES], "".join(shown)) == []


def test_no_command_line_holds_a_secret(journey: Journey) -> None:
    assert "-m gunicorn" in journey.shown["command lines"]
    assert found(journey.secrets, journey.shown["command lines"]) == []


def test_a_dump_of_the_database_lets_nobody_in(journey: Journey) -> None:
    assert NAME in journey.shown["dump"]
    assert found(journey.secrets, journey.shown["dump"]) == []


def test_the_broker_holds_nothing_of_people(journey: Journey) -> None:
    assert found([*journey.secrets, *PEOPLES], journey.shown["broker"]) == []


def test_commands_show_no_secret(journey: Journey) -> None:
    assert found([*journey.secrets, *PEOPLES], "".join(journey.stack.outputs)) == []


def test_why_a_report_failed_is_said_without_what_people_wrote(journey: Journey) -> None:
    assert all("reference: report " in message for message in journey.failed)
    assert found([*journey.secrets, *PEOPLES], "".join(journey.failed)) == []


def test_a_token_that_was_revoked_on_the_command_line_is_refused_at_once(journey: Journey) -> None:
    assert journey.revoked == [200, 401]


def test_hostile_messages_run_nothing_and_end_no_worker(journey: Journey) -> None:
    assert journey.workers_went_on
    assert not journey.trap.exists()


def test_the_guarded_file_holds_no_formula(journey: Journey) -> None:
    header, row = csv.reader(io.StringIO(journey.csv.decode()))
    assert header[:3] == ["name", "id", "sis_id"]
    assert row == [
        *(NAME, "7", "Canary-Sis-4714", "'=Section", "31", "", "2026-09-10 09:12:31 UTC"),
        *(f"'=1+1 {ANSWER}", "1.0", "1", "0", "-1.0"),
    ]


def test_all_that_a_stack_writes_is_its_owners_only(journey: Journey) -> None:
    def is_open(path: Path) -> bool:
        return not path.is_symlink() and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)

    folder = journey.stack.folder
    servers = [folder / "postgres", folder / "valkey"]
    assert not [server for server in servers if is_open(server)]
    # Below a closed folder nobody can go, whatever stands there.
    inside = [p for p in folder.rglob("*") if not any(p.is_relative_to(server) for server in servers)]
    assert {folder / "ready.json", folder / "admin_token", folder / "files"} <= set(inside)
    assert [path for path in inside if is_open(path)] == []


def test_servers_and_service_listen_on_the_loopback_only(journey: Journey) -> None:
    connections = journey.stack.seen_of_processes(lambda process: process.net_connections("inet"))
    listening = [
        connection.laddr.ip
        for of_process in connections.values()
        for connection in of_process
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 3
    assert set(listening) == {"127.0.0.1"}


def test_the_servers_are_not_given_the_settings(journey: Journey) -> None:
    seen = journey.stack.seen_of_processes(lambda process: (process.name(), process.environ()))
    servers = [environ for name, environ in seen.values() if name in {"postgres", "valkey-server"}]
    assert len(servers) >= 2
    for environ in servers:
        assert not {name for name in environ if "SECRET" in name or name.startswith("QUIZ_REPORTS")}
