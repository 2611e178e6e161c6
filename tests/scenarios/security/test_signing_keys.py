"""Where signing keys come from: from the address that is set, and in small, plain, quick answers only."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from api import json_web_tokens
from api.errors import UnavailableError
from api.json_web_tokens import KeySet, TokenReader, fetch_keys
from models.errors import InvalidSettingError, NotFoundError, StorageError
from models.settings import Settings
from models.storage import open_store

Reply = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(reply: Reply) -> Iterator[tuple[str, list[str]]]:
    """Give the address of a server, and the paths that it is asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            try:
                reply(self)
            except OSError:
                self.close_connection = True

        do_HEAD = do_GET  # noqa: N815 - the name that the class looks for.

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/jwks", asked
        finally:
            server.shutdown()
            thread.join()


def with_body(body: bytes, status: int = 200, **headers: str) -> Reply:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return reply


def without_end(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" " * 65536)


def drop_by_drop(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    # It ends with the connection; a client that waits for more would wait for a quarter of an hour.
    for _ in range(45_000):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.02)


def test_keys_are_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_web_tokens, "_FETCH_SECONDS", 60)
    with serving(with_body(b'{"keys": []}')) as (url, _):
        assert fetch_keys(url) == {"keys": []}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with serving(with_body(b'{"keys": []}')) as (inner, asked_inside):
        with serving(with_body(b"", status, Location=inner)) as (url, _), pytest.raises(httpx.HTTPError):
            fetch_keys(url)
        assert asked_inside == []


@pytest.mark.parametrize(
    "reply",
    [
        without_end,
        drop_by_drop,
        with_body(b" " * 2**19 + b"{}"),
        with_body(gzip.compress(b" " * 10**7 + b"{}"), Content_Encoding="gzip"),
        with_body(b"[]"),
        with_body(b"no JSON"),
        with_body(b"{}", 500),
    ],
    ids=["endless", "slow", "large", "packed", "a list", "no JSON", "an error"],
)
def test_what_is_no_small_plain_and_quick_answer_is_none(
    reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_web_tokens, "_FETCH_SECONDS", 0.3)
    with serving(reply) as (url, _):
        began = time.monotonic()
        with pytest.raises((httpx.HTTPError, ValueError)):
            fetch_keys(url)
        assert time.monotonic() - began < 60


def test_deep_nesting_is_no_crash() -> None:
    with serving(with_body(b'{"keys":' * 30_000)) as (url, _), pytest.raises(UnavailableError):
        KeySet(url).key("x")


def test_a_token_does_not_say_where_its_keys_are() -> None:
    """Headers such as `jku` and `x5u` name addresses; none of them is asked."""
    import jwt as pyjwt
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    with serving(with_body(b'{"keys": []}')) as (elsewhere, asked), serving(with_body(b"{}")) as (url, _):
        reader = TokenReader(Settings(jwt_issuer="i", jwt_audience="a", jwt_jwks_url=url), KeySet(url))
        headers: dict[str, Any] = {"jku": elsewhere, "x5u": elsewhere, "kid": elsewhere}
        with pytest.raises(UnavailableError):
            reader.read(pyjwt.encode({"sub": "1"}, key, "ES256", headers=headers))
        assert asked == []


@pytest.mark.parametrize(
    ("url", "is_good"),
    [
        ("https://lms.test/jwks", True),
        ("http://localhost:1/jwks", True),
        ("http://[::1]/jwks", True),
        ("http://lms.test/jwks", False),
        ("http://localhost@lms.test/jwks", False),
        ("http://127.0.0.1.lms.test/jwks", False),
        ("file:///etc/passwd", False),
        ("gopher://lms.test", False),
    ],
)
def test_keys_come_over_a_line_that_nobody_else_writes_to(url: str, *, is_good: bool) -> None:
    with_keys = {"QUIZ_REPORTS_JWT_ISSUER": "i", "QUIZ_REPORTS_JWT_AUDIENCE": "a"}
    environ = with_keys | {"QUIZ_REPORTS_JWT_JWKS_URL": url}
    if is_good:
        assert Settings.from_env(environ).jwt_jwks_url == url
    else:
        with pytest.raises(InvalidSettingError):
            Settings.from_env(environ)


def test_the_address_of_the_store_comes_from_the_settings_alone() -> None:
    with serving(with_body(b"", 404)) as (url, asked):
        s3 = {
            "AWS_ENDPOINT_URL": url.removesuffix("/jwks"),
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_REGION": "eu-north-1",
        }
        store = open_store(Settings(storage_url="s3://bucket/prefix", s3=s3))
        with pytest.raises((NotFoundError, StorageError)):
            store.read("reports/169.254.169.254/latest")
    assert [path.startswith("/bucket/prefix/reports/169") for path in asked] == [True]
