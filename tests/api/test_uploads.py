"""A body is received whole before its change begins; its client holds nothing, and is authorized again."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from sqlalchemy import QueuePool, text

from api.services import Services
from api.uploads import MOST_BYTES_IN_MEMORY, first_line
from models.access.tokens import list_tokens, revoke_token
from models.settings import Settings
from tests.factories import Api, ApiResponse
from tests.full_disk import largest_file
from tests.lms import ndjson_lines
from tests.payloads import COURSE_ID, QUIZ_ID, attempt, course, quiz

if TYPE_CHECKING:
    # Python 3.11 has no name for it.
    from _typeshed import WriteableBuffer as Buffer

COURSE = f"/api/v1/courses/{COURSE_ID}"
QUIZ = f"{COURSE}/quizzes/{QUIZ_ID}"
ATTEMPTS = f"{QUIZ}/submissions"
JSON, NDJSON = "application/json", "application/x-ndjson"
PADDING = " " * 300_000

OTHERS = "pg_stat_activity AS other WHERE datname = current_database() AND other.pid <> pg_backend_pid()"
OTHERS_IN_TRANSACTIONS = f"SELECT count(*) FROM {OTHERS} AND xact_start IS NOT NULL"
LOCKS_OF_OTHERS = f"SELECT count(*) FROM pg_locks WHERE pid IN (SELECT other.pid FROM {OTHERS})"

Action = Callable[[], object]


class Sending(io.RawIOBase):
    """A body of which the last byte is sent only after something else has happened."""

    def __init__(self, body: bytes, meanwhile: Action) -> None:
        self._parts = [body[:-1], body[-1:]]
        self._meanwhile = meanwhile

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        if len(self._parts) == 2 and not self._parts[0]:
            del self._parts[0]
            self._meanwhile()
        view = memoryview(buffer)
        sent, self._parts[0] = self._parts[0][: len(view)], self._parts[0][len(view) :]
        view[: len(sent)] = sent
        return len(sent)


def lines(*attempts: dict[str, Any]) -> bytes:
    return b"".join(ndjson_lines(attempts))


def document(*attempts: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"quiz_submissions": attempts})


ONE = attempt(1, submission_data=[])
MANY = [attempt(number, submission_data=[], comment=PADDING) for number in range(1, 6)]
SMALL: dict[str, tuple[str, str, bytes]] = {
    "course": (COURSE, JSON, msgspec.json.encode({"course": course(sections=[], users=[], enrollments=[])})),
    "quiz": (QUIZ, JSON, msgspec.json.encode({"quiz": quiz()})),
    "document": (ATTEMPTS, JSON, document(ONE)),
    "lines": (ATTEMPTS, NDJSON, lines(ONE)),
}
LARGE: dict[str, tuple[str, str, bytes]] = {
    "a document in a file": (ATTEMPTS, JSON, document(*MANY)),
    "lines in a file": (ATTEMPTS, NDJSON, lines(*MANY)),
}
every_body = pytest.mark.parametrize("push", [*SMALL.values(), *LARGE.values()], ids=[*SMALL, *LARGE])
large_body = pytest.mark.parametrize("push", LARGE.values(), ids=LARGE)
length_known_or_not = pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "uploads"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(settings: Settings, folder: Path) -> Settings:
    return dataclasses.replace(settings, upload_folder=str(folder), max_uploads=1)


def put(
    api: Api, push: tuple[str, str, bytes], meanwhile: Action = lambda: None, *, announced: bool = True
) -> ApiResponse:
    path, content_type, body = push
    environ = {
        "wsgi.input": Sending(body, meanwhile),
        "wsgi.input_terminated": True,
        "CONTENT_LENGTH": str(len(body)) if announced else "",
    }
    return api.call("PUT", path, "admin", content_type=content_type, environ_overrides=environ)


def value(api: Api, statement: str) -> Any:
    with api.database.transaction() as session:
        return session.scalar(text(statement))


def state(api: Api) -> list[Any]:
    """What pushes change."""
    return [
        value(api, "SELECT sum(roster_revision) FROM courses"),
        value(api, "SELECT sum(revision) FROM quizzes"),
        value(api, "SELECT count(*) FROM attempts"),
    ]


def unnamed_files(folder: Path) -> list[str]:
    """The files of a folder that only this process knows."""
    links = (link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
    return [str(link) for link in links if link.is_relative_to(folder)]


@every_body
@length_known_or_not
@pytest.mark.contract("6 Data in", "a client that sends holds no connection, and its right is asked again")
def test_while_a_client_sends_it_holds_no_connection_and_no_lock(
    api: Api, push: tuple[str, str, bytes], announced: bool
) -> None:
    claimed: list[int] = []

    def observe() -> None:
        pool = Services.of(api.app).database.engine.pool
        assert isinstance(pool, QueuePool)
        claimed.extend([pool.checkedout(), value(api, OTHERS_IN_TRANSACTIONS), value(api, LOCKS_OF_OTHERS)])

    assert put(api, push, observe, announced=announced).status_code == 200
    assert claimed == [0, 0, 0]


@every_body
@pytest.mark.contract("6 Data in", "a client that sends holds no connection, and its right is asked again")
def test_a_token_that_is_revoked_while_its_body_is_sent_is_refused(
    api: Api, push: tuple[str, str, bytes]
) -> None:
    before = state(api)

    def revoke() -> None:
        with api.database.transaction() as session:
            for token in list_tokens(session):
                revoke_token(session, token.id)

    response = put(api, push, revoke)

    assert response.status_code == 401
    assert response.json == {"errors": [{"message": "Invalid access token."}]}
    assert state(api) == before


@pytest.mark.parametrize("push", [SMALL["quiz"], SMALL["document"], SMALL["lines"]])
def test_a_course_that_is_gone_when_its_body_has_come_is_a_404(
    api: Api, push: tuple[str, str, bytes]
) -> None:
    def delete() -> None:
        with api.database.transaction() as session:
            session.execute(text(f"DELETE FROM courses WHERE id = {COURSE_ID}"))

    assert put(api, push, delete).status_code == 404


@every_body
def test_nothing_of_a_body_is_read_for_those_who_may_not_push(api: Api, push: tuple[str, str, bytes]) -> None:
    def fail() -> None:
        raise AssertionError

    path, content_type, body = push
    sending = {"wsgi.input": Sending(body, fail), "CONTENT_LENGTH": str(len(body))}
    response = api.call("PUT", path, "teacher", content_type=content_type, environ_overrides=sending)

    assert response.status_code == 401


@large_body
@length_known_or_not
def test_a_large_body_lies_in_the_folder_without_a_name_until_it_is_stored(
    api: Api, folder: Path, push: tuple[str, str, bytes], announced: bool
) -> None:
    files: list[str] = []
    names: list[Path] = []

    def observe() -> None:
        files.extend(unnamed_files(folder))
        names.extend(folder.iterdir())

    assert len(push[2]) > MOST_BYTES_IN_MEMORY
    assert put(api, push, observe, announced=announced).json["created"] == len(MANY)
    assert (len(files), names) == (1, [])
    assert unnamed_files(folder) == []


@pytest.mark.parametrize("push", SMALL.values(), ids=SMALL)
def test_a_small_body_needs_no_folder(api: Api, folder: Path, push: tuple[str, str, bytes]) -> None:
    folder.rmdir()

    assert put(api, push).status_code == 200


def test_attempts_are_stored_alike_from_memory_and_from_a_file(api: Api) -> None:
    one_by_one = [put(api, (ATTEMPTS, NDJSON, lines(line))).json["created"] for line in MANY]

    assert one_by_one == [1] * len(MANY)
    for push in LARGE.values():
        assert put(api, push).json["unchanged"] == len(MANY)


@large_body
@length_known_or_not
@pytest.mark.contract("5 Errors", "429 and 503 carry Retry-After")
def test_only_so_many_large_bodies_are_received_at_a_time(
    api: Api, push: tuple[str, str, bytes], announced: bool
) -> None:
    meanwhile: list[ApiResponse] = []

    def push_more() -> None:
        meanwhile.append(put(api, push, announced=announced))
        meanwhile.append(put(api, SMALL["quiz"]))

    assert put(api, push, push_more).json["created"] == len(MANY)
    refused, small = meanwhile
    assert refused.status_code == 503
    assert refused.headers["Retry-After"].isdigit()
    assert refused.json["message"] == "Too many large bodies are being received. Please try again."
    assert small.status_code == 200
    assert put(api, push).json["unchanged"] == len(MANY)


@large_body
@length_known_or_not
def test_a_full_disk_is_a_503_in_words_and_leaves_nothing(
    api: Api, folder: Path, push: tuple[str, str, bytes], announced: bool
) -> None:
    before = state(api)
    with largest_file(MOST_BYTES_IN_MEMORY + 1):
        response = put(api, push, announced=announced)

    assert response.status_code == 503
    assert response.headers["Retry-After"].isdigit()
    assert response.json["message"] == "There is no disk space to receive the body. Please try again later."
    assert (state(api), unnamed_files(folder)) == (before, [])
    assert put(api, push).json["created"] == len(MANY)


def test_a_folder_that_is_not_there_is_a_503(api: Api, folder: Path) -> None:
    folder.rmdir()

    assert put(api, LARGE["lines in a file"]).status_code == 503


@every_body
@length_known_or_not
def test_a_client_that_leaves_ends_its_request_and_leaves_nothing(
    api: Api, folder: Path, push: tuple[str, str, bytes], announced: bool
) -> None:
    before = state(api)

    def leave() -> None:
        raise ConnectionResetError

    assert put(api, push, leave, announced=announced).status_code == 400
    assert (state(api), unnamed_files(folder)) == (before, [])
    assert put(api, push).status_code == 200


@pytest.mark.parametrize("chunk", [1, 4, 1000])
@pytest.mark.parametrize(
    ("body", "line", "rest"),
    [(b"first\nsecond\n", b"first", b"second\n"), (b"only", b"only", b""), (b"\nsecond", b"", b"second")],
)
def test_the_first_line_is_found_however_the_bytes_are_read(
    monkeypatch: pytest.MonkeyPatch, chunk: int, body: bytes, line: bytes, rest: bytes
) -> None:
    monkeypatch.setattr("api.uploads._CHUNK_BYTES", chunk)
    received = io.BytesIO(body)

    assert first_line(received, 100) == line
    assert received.read() == rest


def test_no_more_is_collected_of_a_first_line_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.uploads._CHUNK_BYTES", 4)

    assert first_line(io.BytesIO(b"x" * 100), 10) == b"x" * 12
