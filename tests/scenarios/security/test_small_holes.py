"""Bytes of anybody on the network: none is an error of ours, and none fills Redis or stands in a link."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
import redis

from api.app import create_app
from api.openapi.document import routes
from api.rate_limit import RateLimit
from api.services import Services
from models.settings import Settings
from tests.factories import COURSE_ID, QUIZ_ID, Api, reports_path
from tests.web_process import WebProcess, running_web_process

pytestmark = pytest.mark.exhaustive

COURSE = f"/api/v1/courses/{COURSE_ID}"
BROKEN_CHUNKS = (
    b"zz\r\n{}\r\n0\r\n\r\n",
    b"2\r\n{}}\r\n0\r\n\r\n",
    b"-1\r\n{}\r\n",
    b"\r\n",
    b"2;" + b"x" * 9000,
    b"f" * 40 + b"\r\n{}",
    b"0x2\r\n{}\r\n0\r\n\r\n",
    b"2\r\n{}\r\n0\r\nbad trailer\r\n\r\n",
)
ODD_HOSTS = (
    "",
    " ",
    "a b",
    "a/b",
    "a@b",
    "<script>",
    'a"b',
    "a,b",
    "a:b",
    "a:999999",
    "[::1",
    "é",
    "x" * 300,
    "a?b",
)


@pytest.fixture
def with_settings(api: Api) -> Iterator[Callable[..., Api]]:
    with ExitStack() as stack:

        def make(**changes: Any) -> Api:
            settings = replace(api.settings, **changes)
            app = create_app(settings)
            stack.callback(Services.of(app).close)
            return replace(api, app=app, settings=settings)

        yield make


@pytest.fixture(scope="module")
def web(module_settings: Settings) -> Iterator[WebProcess]:
    with running_web_process(module_settings) as web:
        yield web


def exchange(web: WebProcess, request: bytes) -> bytes:
    """Send bytes and nothing after them; return all that comes until the server closes the connection."""
    return web.exchange(request, sends_no_more=True)


def statuses(response: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"(?m)^HTTP/1\.[01] (\d{3}) ", response)]


def test_a_broken_chunk_without_a_token_is_a_4xx_on_every_route(
    web: WebProcess, module_settings: Settings
) -> None:
    app = create_app(module_settings)
    for route in routes(app):
        path = re.sub(r"<\w+>", "1", route.rule.rule)
        for chunks in BROKEN_CHUNKS:
            head = f"{route.method} {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
            found = statuses(
                exchange(
                    web,
                    head.encode() + b"Connection: close\r\nContent-Type: application/json\r\n\r\n" + chunks,
                )
            )
            # A route that needs neither token nor body may answer before it has read one.
            assert found
            assert all(status < 500 for status in found), (route.method, path, chunks)
            assert route.scope is None or found[0] >= 400, (route.method, path, chunks)
    Services.of(app).close()


@pytest.mark.parametrize("coding", [b"xchunked", b"", b"chunked;a=b", b"identity, x", b"gzip", b"chunked, x"])
def test_a_transfer_coding_that_is_not_known_is_a_400(web: WebProcess, coding: bytes) -> None:
    head = b"PUT /api/v1/courses/101 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + coding

    assert statuses(exchange(web, head + b"\r\n\r\n2\r\n{}\r\n0\r\n\r\n")) == [400]
    assert web.answers()


def test_no_bytes_make_a_5xx(web: WebProcess) -> None:
    choice = random.Random(12)
    head = (
        f"POST {reports_path()}?a=%ff%00 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a.b.c\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 40\r\nAccept-Language: de;q=1\r\n"
        "Range: bytes=0-1\r\nIf-None-Match: x\r\nIf-Modified-Since: x\r\nX-Request-Start: t=1\r\n"
        'Connection: close\r\n\r\n--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--'
    ).encode()
    pieces = (
        b"\r\n",
        b"\n",
        b"\0",
        b"\xff",
        b"%",
        b":",
        b" ",
        b";",
        b'"',
        b"9" * 30,
        b"-1",
        b"e9",
        b"*",
        b"=",
    )
    for _ in range(400):
        request = bytearray(head)
        for _ in range(choice.randint(1, 6)):
            start = choice.randrange(len(request))
            request[start : start + choice.choice((0, 1, 8))] = choice.choice(pieces)
        found = statuses(exchange(web, bytes(request)))
        assert all(status < 500 for status in found), bytes(request)
    assert web.answers()


@pytest.mark.parametrize("host", ODD_HOSTS)
def test_an_invalid_host_is_a_400_and_stands_in_no_link(with_settings: Callable[..., Api], host: str) -> None:
    plain = with_settings(public_url="")
    for path in (reports_path(), "/docs", "/healthz", f"{COURSE}/quizzes/{QUIZ_ID}"):
        response = plain.get(path, headers={"Host": host.encode().decode("latin-1")})
        assert (response.status_code, response.mimetype) == (400, "application/json")
        assert not host.strip() or host not in response.text


@pytest.mark.parametrize("host", ["localhost", "a.b-c.test:8000", "127.0.0.1", "[::1]:8000"])
def test_a_valid_host_is_answered(with_settings: Callable[..., Api], host: str) -> None:
    quiz = with_settings(public_url="").get(f"{COURSE}/quizzes/{QUIZ_ID}", headers={"Host": host})
    assert quiz.status_code == 200
    assert f"http://{host}/" in quiz.text


@pytest.mark.parametrize(
    ("public_url", "proxies", "said", "is_sent"),
    [
        ("http://x.test", 0, "https", False),
        ("", 0, "https", False),
        ("", 1, "https", True),
        ("http://x.test", 1, "https", True),
        ("", 1, "http", False),
        ("https://x.test", 0, "http", True),
        ("https://x.test", 1, "http", True),
    ],
)
def test_hsts_where_the_client_came_over_https(
    with_settings: Callable[..., Api], public_url: str, proxies: int, said: str, is_sent: bool
) -> None:
    app = with_settings(public_url=public_url, trusted_proxies=proxies)
    for path in (COURSE, "/nonsense"):
        response = app.get(path, headers={"X-Forwarded-Proto": said, "X-Forwarded-For": "192.0.2.1"})
        assert ("Strict-Transport-Security" in response.headers) is is_sent


class TestGuesses:
    @pytest.fixture
    def limited(self, with_settings: Callable[..., Api]) -> Api:
        limited = with_settings(rate_limit=3, trusted_proxies=1)
        Services.of(limited.app).rate_limit.close()
        # A minute that does not end while the test runs.
        Services.of(limited.app).rate_limit = RateLimit(limited.settings, clock=lambda: 600.0)
        return limited

    @staticmethod
    def guess(api: Api, address: str, token: str) -> int:
        headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": address}
        return api.get(COURSE, None, headers=headers).status_code

    @pytest.mark.parametrize("kind", ["qr_{}", "a.b.{}", "{}"])
    def test_they_are_limited_and_leave_one_counter(self, limited: Api, redis_url: str, kind: str) -> None:
        found = [self.guess(limited, "192.0.2.1", kind.format(number)) for number in range(20)]
        assert found == [401] * 3 + [429] * 17
        with redis.Redis.from_url(redis_url) as broker:
            assert len(broker.keys("quiz-reports:*")) == 1
        # Whoever shares the address is let in, and another address has its own limit.
        assert self.guess(limited, "192.0.2.1", limited.tokens["teacher"]) == 200
        assert self.guess(limited, "192.0.2.2", kind.format("x")) == 401

    def test_a_subscribers_ipv6_addresses_count_together(self, limited: Api) -> None:
        found = [self.guess(limited, f"2001:db8:0:1::{number:x}", "x") for number in range(5)]
        assert found == [401, 401, 401, 429, 429]
        assert self.guess(limited, "2001:db8:0:2::1", "x") == 401

    def test_an_address_that_a_client_invents_is_not_believed(self, limited: Api) -> None:
        found = [self.guess(limited, f"198.51.100.{number}, 192.0.2.7", "x") for number in range(5)]
        assert found == [401, 401, 401, 429, 429]
