"""Contract, section 5: too many requests are a 429; each token has a limit of its own."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace

import pytest
import redis

from api import rate_limit
from api.app import create_app
from api.errors import TooManyRequestsError
from api.rate_limit import RateLimit
from api.services import Services
from models.settings import Settings
from tests.api.pages.browser import PAGES, Browser, link_for
from tests.factories import COURSE_ID, Api

# Tests wait longer for the broker than the service does.
_OWN_TIMEOUT = rate_limit._TIMEOUT_SECONDS

COURSE = f"/api/v1/courses/{COURSE_ID}"


@pytest.fixture
def limited(api: Api) -> Iterator[Api]:
    settings = replace(api.settings, rate_limit=3)
    app = create_app(settings)
    # A minute that does not end while the test runs.
    Services.of(app).rate_limit.close()
    Services.of(app).rate_limit = RateLimit(settings, clock=lambda: 600.0)
    yield replace(api, app=app, settings=settings)
    Services.of(app).close()


def test_each_answer_says_what_is_left(limited: Api) -> None:
    left = [limited.get(COURSE).headers["X-Rate-Limit-Remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]


def test_a_push_counts_once(limited: Api) -> None:
    pushed = [limited.call("PUT", COURSE, "admin", json={"course": {}}) for _ in range(3)]
    assert [response.headers["X-Rate-Limit-Remaining"] for response in pushed] == ["2", "1", "0"]


@pytest.mark.contract("5 Errors", "429 and 503 carry Retry-After")
def test_one_more_is_too_many(limited: Api) -> None:
    for _ in range(3):
        limited.get(COURSE)
    response = limited.get(COURSE)
    assert (response.status_code, response.json["status"]) == (429, "too_many_requests")
    assert response.json["errors"] == [{"message": response.json["message"]}]
    assert 1 <= int(response.headers["Retry-After"]) <= 61


def test_each_token_has_its_own(limited: Api) -> None:
    for _ in range(4):
        limited.get(COURSE, "teacher")
    assert limited.get(COURSE, "ta").status_code == 200


def test_the_next_minute_begins_anew(settings: Settings) -> None:
    now = 600.0
    limit = RateLimit(replace(settings, rate_limit=1), clock=lambda: now)
    assert limit.take("token") == 0
    with pytest.raises(TooManyRequestsError) as raised:
        limit.take("token")
    now += raised.value.retry_after
    assert limit.take("token") == 0
    limit.close()


@pytest.mark.parametrize(("page", "poll"), [("reports", "reports/progress"), ("items", "items/progress")])
def test_what_an_open_page_asks_by_itself_has_a_limit_of_its_own(limited: Api, page: str, poll: str) -> None:
    browser = Browser(limited)
    browser.sign_in(link_for(limited))
    assert browser.get(f"{PAGES}/{page}").headers["X-Rate-Limit-Remaining"] == "2"
    polls = [browser.get(f"{PAGES}/{poll}") for _ in range(4)]
    assert [response.status_code for response in polls] == [200, 200, 200, 429]
    assert browser.get(f"{PAGES}/{page}").headers["X-Rate-Limit-Remaining"] == "1"


def test_there_is_none_by_default(api: Api) -> None:
    assert "X-Rate-Limit-Remaining" not in api.get(COURSE).headers


def test_no_token_is_kept(limited: Api, redis_url: str) -> None:
    limited.get(COURSE)
    with redis.Redis.from_url(redis_url, decode_responses=True) as broker:
        keys = broker.keys("quiz-reports:rate:*")
        assert len(keys) == 1
        assert limited.tokens["teacher"] not in keys[0]
        assert 0 < broker.ttl(keys[0]) <= 120


def test_without_redis_everybody_is_let_through(settings: Settings) -> None:
    limit = RateLimit(replace(settings, rate_limit=1, redis_url="redis://127.0.0.1:1/0"))
    assert [limit.take("token") for _ in range(3)] == [None, None, None]
    limit.close()


def test_a_redis_that_is_silent_holds_no_request_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "_TIMEOUT_SECONDS", _OWN_TIMEOUT)
    # The kernel accepts what connects; nothing reads it.
    with socket.create_server(("127.0.0.1", 0)) as server:
        redis_url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        limit = RateLimit(replace(settings, rate_limit=1, redis_url=redis_url))
        began = time.monotonic()
        assert [limit.take("token") for _ in range(3)] == [None, None, None]
        assert time.monotonic() - began < 30
        limit.close()


@pytest.mark.parametrize(
    ("first", "second", "are_one"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        # A subscriber has a /64 of IPv6.
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        (None, "unix:", True),
    ],
)
def test_invalid_tokens_are_counted_by_the_network_that_sends_them(
    settings: Settings, first: str | None, second: str, *, are_one: bool
) -> None:
    limit = RateLimit(replace(settings, rate_limit=1), clock=lambda: 600.0)
    try:
        limit.count_invalid_token(first)
        with pytest.raises(TooManyRequestsError) if are_one else nullcontext():
            limit.count_invalid_token(second)
    finally:
        limit.close()
