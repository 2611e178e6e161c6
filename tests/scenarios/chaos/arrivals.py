"""Requests that arrive at a rate of their own, whether the service keeps up or not."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from tests.scenarios.chaos.client import Answered

_PATIENCE_SECONDS = 30.0


def arrivals(
    addresses: Sequence[str], path: str, token: str, *, a_second: float, seconds: float
) -> list[Answered]:
    """Send GETs at an even rate, in turn to each address; return how each was answered.

    Plain sockets, because any more of a client would take the processors from the service.
    """
    return asyncio.run(_send_all(addresses, path, token, a_second, seconds))


def answers_of_few(
    addresses: Sequence[str], path: str, token: str, *, clients: int, seconds: float
) -> list[Answered]:
    """Send GETs from some clients, each as soon as its last one was answered."""
    return asyncio.run(_clients(addresses, path, token, clients, seconds))


async def _send_all(
    addresses: Sequence[str], path: str, token: str, a_second: float, seconds: float
) -> list[Answered]:
    began, tasks = time.monotonic(), []
    for number in range(int(a_second * seconds)):
        await asyncio.sleep(max(0.0, began + number / a_second - time.monotonic()))
        tasks.append(asyncio.create_task(_get(addresses[number % len(addresses)], path, token)))
    return await asyncio.gather(*tasks)


async def _clients(
    addresses: Sequence[str], path: str, token: str, clients: int, seconds: float
) -> list[Answered]:
    deadline, turn = time.monotonic() + seconds, itertools.cycle(addresses)

    async def work() -> list[Answered]:
        answers = []
        while time.monotonic() < deadline:
            answers.append(await _get(next(turn), path, token))
        return answers

    found = await asyncio.gather(*(work() for _ in range(clients)))
    return [answer for answers in found for answer in answers]


async def _get(address: str, path: str, token: str) -> Answered:
    began = time.monotonic()
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            head = await _head(urlsplit(address), path, token)
    except OSError:
        # Refused, cut off, or nobody answered in time.
        head = b""
    lines = head.lower().split(b"\r\n")
    status = int(lines[0].split()[1]) if lines[0] else 0
    says_when = any(line.startswith(b"retry-after:") for line in lines)
    return Answered("GET", path, status, time.monotonic() - began, says_when)


async def _head(address: SplitResult, path: str, token: str) -> bytes:
    host, port = address.hostname, address.port
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        answer = await reader.read()
    finally:
        writer.close()
    return answer.partition(b"\r\n\r\n")[0]
