"""A service that takes every push and writes down what came."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from ops.client.http import Client

_COUNTS = {"created": 1, "updated": 0, "unchanged": 0, "deleted": 0, "revision": 1}


@pytest.fixture
def pushed() -> list[httpx.Request]:
    return []


@pytest.fixture
def recording_client(pushed: list[httpx.Request]) -> Iterator[Client]:
    def handle(request: httpx.Request) -> httpx.Response:
        request.read()
        pushed.append(request)
        return httpx.Response(200, json=_COUNTS)

    with Client("http://127.0.0.1:9", "secret", transport=httpx.MockTransport(handle)) as client:
        yield client
