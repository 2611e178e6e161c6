"""The client, against answers made up here."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask, redirect
from werkzeug import Response
from werkzeug.serving import BaseWSGIServer, make_server, make_ssl_devcert

from ops.client.http import Client, RefusedError, Report, ReportFailedError, ServiceError, UnreachableError
from tests import serving

BASE = "http://127.0.0.1:9"
REPORTS = "/api/v1/courses/101/quizzes/201/reports"

Answer = httpx.Response | Exception


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def asked() -> list[httpx.Request]:
    return []


@pytest.fixture
def service(asked: list[httpx.Request]) -> Iterator[Callable[..., Client]]:
    """Make a client whose requests get these answers, one after the other."""
    clients = []

    def with_answers(*answers: Answer) -> Client:
        waiting = list(answers)

        def handle(request: httpx.Request) -> httpx.Response:
            request.read()
            asked.append(request)
            answer = waiting.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        clients.append(Client(BASE, "secret", transport=httpx.MockTransport(handle)))
        return clients[-1]

    yield with_answers
    for client in clients:
        client.__exit__(None, None, None)


def report(**more: Any) -> dict[str, Any]:
    return {"id": 7, "quiz_id": 201, "report_type": "item_analysis", "generatable": True, **more}


def queued(**more: Any) -> dict[str, Any]:
    return report(progress_url="https://elsewhere.example/api/v1/progress/33", **more)


def generated() -> dict[str, Any]:
    return queued(file={"id": 5, "size": 3, "url": "https://elsewhere.example/files/5"})


def progress(state: str, completion: float = 0.0, message: str | None = None) -> httpx.Response:
    return answer({"id": 33, "workflow_state": state, "completion": completion, "message": message})


def answer(body: object, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body)


def refusal(status: int, *messages: str) -> httpx.Response:
    return answer({"errors": [{"message": message} for message in messages]}, status)


def test_a_report_is_asked_for_with_the_token(
    service: Callable[..., Client], asked: list[httpx.Request]
) -> None:
    got = service(answer(queued())).request_report(101, 201, "item_analysis", all_versions=True)

    assert got.id == 7
    assert (asked[0].method, asked[0].url.path) == ("POST", REPORTS)
    assert asked[0].headers["Authorization"] == "Bearer secret"
    assert b"includes_all_versions%5D=true" in asked[0].content


def test_a_report_that_is_being_made_is_joined(
    service: Callable[..., Client], asked: list[httpx.Request]
) -> None:
    listed = [report(id=6, report_type="student_analysis"), queued()]
    got = service(refusal(409, "report is already being generated"), answer(listed)).request_report(
        101, 201, "item_analysis"
    )

    assert got.id == 7
    assert asked[1].method == "GET"


def test_a_report_that_was_aborted_meanwhile_is_asked_for_again(service: Callable[..., Client]) -> None:
    client = service(refusal(409, "being generated"), answer([report()]), answer(queued()))

    assert client.request_report(101, 201, "item_analysis").progress_url


def test_another_format_is_asked_for_until_it_is_not_being_made(
    service: Callable[..., Client], asked: list[httpx.Request]
) -> None:
    client = service(refusal(409, "being generated"), answer(generated()))

    assert client.request_report(101, 201, "item_analysis", "other").file
    assert [request.method for request in asked] == ["POST", "POST"]
    assert b"format%5D=other" in asked[1].content


def test_waiting_shows_the_completion_and_ends_with_the_file(
    service: Callable[..., Client], asked: list[httpx.Request]
) -> None:
    client = service(
        progress("queued"), progress("running", 40.0), progress("completed", 100.0), answer(generated())
    )
    shown: list[float] = []
    done = client.wait_for(101, Report(7, 201, "item_analysis", True, progress_url="x/33"), shown.append)

    assert done.file is not None
    assert shown == [0.0, 40.0, 100.0]
    assert asked[0].url == f"{BASE}/api/v1/progress/33"


def test_a_restart_of_the_service_is_waited_for(service: Callable[..., Client]) -> None:
    client = service(
        httpx.ConnectError("refused"), refusal(503, "busy"), progress("completed"), answer(generated())
    )
    waiting = Report(7, 201, "item_analysis", True, progress_url="x/33")

    assert client.wait_for(101, waiting, lambda completion: None).file


def test_a_failed_report_says_why(service: Callable[..., Client]) -> None:
    client = service(progress("failed", message="The file could not be stored."))
    waiting = Report(7, 201, "item_analysis", True, progress_url="x/33")

    with pytest.raises(ReportFailedError, match="could not be stored"):
        client.wait_for(101, waiting, lambda completion: None)


def test_a_report_that_was_taken_back_is_not_waited_for_ever(service: Callable[..., Client]) -> None:
    client = service(refusal(404, "does not exist"), answer(report()))
    waiting = Report(7, 201, "item_analysis", True, progress_url="x/33")

    with pytest.raises(ReportFailedError, match="ask again"):
        client.wait_for(101, waiting, lambda completion: None)


def test_submissions_are_streamed_with_their_length(
    service: Callable[..., Client], asked: list[httpx.Request]
) -> None:
    counts = {"created": 2, "updated": 0, "unchanged": 1_000, "deleted": 0, "revision": 4}
    got = service(answer(counts)).put_submissions(101, 201, [b"{}\n", b"{}\n"], 6)

    assert str(got) == "2 created, 1,000 unchanged"
    assert asked[0].headers["Content-Length"] == "6"
    assert "Transfer-Encoding" not in asked[0].headers
    assert asked[0].headers["Content-Type"] == "application/x-ndjson"
    assert asked[0].content == b"{}\n{}\n"


def test_a_push_is_sent_again_whole_while_the_service_is_busy(
    service: Callable[..., Client], asked: list[httpx.Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    busy = httpx.Response(503, headers={"Retry-After": "7"}, json={"errors": [{"message": "busy"}]})
    counts = answer({"created": 2, "updated": 0, "unchanged": 0, "deleted": 0})
    client = service(busy, refusal(429, "too many"), counts)

    assert client.put_submissions(101, 201, [b"{}\n", b"{}\n"], 6).created == 2
    assert [request.content for request in asked] == [b"{}\n{}\n"] * 3
    assert pauses == [7.0, 1.0]


def test_a_push_to_a_service_that_stays_busy_is_refused_after_a_minute(
    service: Callable[..., Client], asked: list[httpx.Request]
) -> None:
    busy = [
        httpx.Response(503, headers={"Retry-After": "30"}, json={"errors": [{"message": "busy"}]})
        for _ in range(9)
    ]

    with pytest.raises(RefusedError, match="503: busy"):
        service(*busy).put_course(101, {"name": "Bio"})
    assert len(asked) == 4


def test_a_course_may_be_named_by_its_sis_id(
    service: Callable[..., Client], asked: list[httpx.Request]
) -> None:
    service(answer([])).reports("sis_course_id:A/B 1", 201)

    assert asked[0].url.raw_path.startswith(b"/api/v1/courses/sis_course_id:A%2FB%201/quizzes/201/")


def test_a_refusal_carries_the_reasons_and_what_to_do(service: Callable[..., Client]) -> None:
    with pytest.raises(RefusedError, match=r"Invalid access token\..*token create") as caught:
        service(refusal(401, "Invalid access token.")).reports(101, 201)

    assert caught.value.reasons == ["Invalid access token."]


def test_a_forbidden_request_says_for_whom_reports_are(service: Callable[..., Client]) -> None:
    # The caller's token may be an administrator's, and the user of a link to the pages a student.
    with pytest.raises(RefusedError, match="for teachers and teaching assistants") as caught:
        service(refusal(403, "user not authorized to perform that action")).reports(101, 201)

    assert "token" not in str(caught.value)


def test_an_answer_that_is_no_json_is_a_refusal_too(service: Callable[..., Client]) -> None:
    with pytest.raises(RefusedError, match="502: Bad Gateway"):
        service(httpx.Response(502, text="<html>")).reports(101, 201)


def test_another_server_at_the_address_is_recognised(service: Callable[..., Client]) -> None:
    with pytest.raises(ServiceError, match="not a Quiz Reports service"):
        service(httpx.Response(200, text="<html>Welcome")).reports(101, 201)


def test_a_service_that_does_not_answer_says_how_to_start_it(service: Callable[..., Client]) -> None:
    with pytest.raises(UnreachableError, match="quiz-reports up"):
        service(httpx.ConnectError("Connection refused")).reports(101, 201)


def test_a_file_is_saved_whole(service: Callable[..., Client], tmp_path: Path) -> None:
    done = json.loads(json.dumps(generated()))
    client = service(answer([done]), httpx.Response(200, content=b"a,b"))
    client.save(client.reports(101, 201)[0], tmp_path / "report.csv")

    assert [path.name for path in tmp_path.iterdir()] == ["report.csv"]
    assert (tmp_path / "report.csv").read_bytes() == b"a,b"


@pytest.mark.parametrize(
    ("breaks", "is_seen_as"),
    [
        (httpx.RemoteProtocolError("peer closed connection"), UnreachableError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
    ids=["connection", "Ctrl-C"],
)
def test_a_download_that_breaks_leaves_the_older_file_and_no_draft(
    breaks: BaseException, is_seen_as: Any, service: Callable[..., Client], tmp_path: Path
) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise breaks

    (tmp_path / "report.csv").write_text("older")
    client = service(answer([generated()]), httpx.Response(200, content=broken()))
    listed = client.reports(101, 201)[0]

    with pytest.raises(is_seen_as):
        client.save(listed, tmp_path / "report.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["report.csv"]
    assert (tmp_path / "report.csv").read_text() == "older"


def test_a_redirected_download_does_not_carry_the_token_to_another_host(
    service: Callable[..., Client], asked: list[httpx.Request]
) -> None:
    client = service(
        answer([generated()]),
        httpx.Response(302, headers={"Location": "https://store.example/object?signature=1"}),
        httpx.Response(200, content=b"a,b"),
    )
    to = io.BytesIO()
    client.download(client.reports(101, 201)[0], to)

    assert to.getvalue() == b"a,b"
    assert asked[2].url.host == "store.example"
    assert "Authorization" not in asked[2].headers


def test_a_redirect_to_https_needs_a_certificate_that_an_authority_has_signed(tmp_path: Path) -> None:
    with self_signed_server(tmp_path) as store:
        app = Flask(__name__)
        app.add_url_rule("/api/v1/courses/101/quizzes/201/reports", "reports", lambda: [generated()])
        app.add_url_rule("/files/5/download", "download", lambda: redirect(store_url(store)))
        with serving.served(app) as url, Client(url, "secret") as client:
            listed = client.reports(101, 201)[0]
            with pytest.raises(UnreachableError, match="CERTIFICATE_VERIFY_FAILED"):
                client.download(listed, io.BytesIO())


def store_url(server: BaseWSGIServer) -> str:
    return f"https://localhost:{server.port}/object"


@contextmanager
def self_signed_server(folder: Path) -> Iterator[BaseWSGIServer]:
    make_ssl_devcert(str(folder / "store"), host="localhost")
    context = (str(folder / "store.crt"), str(folder / "store.key"))
    server = make_server("127.0.0.1", 0, Response("a,b"), ssl_context=context)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    yield server
    thread.join()
    server.server_close()
