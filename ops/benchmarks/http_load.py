"""A cheap client that requests one URL over and over on connections that stay open."""

from __future__ import annotations

import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from ops.benchmarks.stack import BenchmarkError

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CONNECTIONS = 8


def requests_per_second(url: str, *, token: str, duration: float) -> float:
    """Request a URL over eight connections for `duration` seconds; each response must be a 200."""
    until = time.perf_counter() + duration
    with ThreadPoolExecutor(_CONNECTIONS) as clients:
        counts = [clients.submit(_request_until, url, token, until) for _ in range(_CONNECTIONS)]
    try:
        return sum(client.result() for client in counts) / duration
    except (BenchmarkError, OSError) as error:
        raise BenchmarkError(f"{url}: {error}") from error


def _request_until(url: str, token: str, until: float) -> int:
    parts = urlsplit(url)
    request = (
        f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
        "Accept: application/json\r\n\r\n"
    ).encode()
    responses = 0
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.perf_counter() < until:
            connection.sendall(request)
            _read_response(connection)
            responses += 1
    return responses


def _read_response(connection: socket.socket) -> None:
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += _receive(connection)
    head = received[:end]
    length = _LENGTH.search(head)
    if b" 200 " not in head[:20] or length is None:
        raise BenchmarkError(f"unexpected response: {head[:60]!r}")
    missing = int(length[1]) - (len(received) - end - 4)
    while missing > 0:
        missing -= len(_receive(connection))


def _receive(connection: socket.socket) -> bytes:
    if part := connection.recv(65_536):
        return part
    raise BenchmarkError("the server closed the connection")
