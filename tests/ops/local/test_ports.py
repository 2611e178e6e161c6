"""A port that was found belongs to the process that found it, until its server listens there."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import suppress

import pytest

from ops.local import ports
from ops.local.ports import LOOPBACK, free_port

pytestmark = pytest.mark.integration


@pytest.fixture
def few_ports(monkeypatch: pytest.MonkeyPatch) -> range:
    """Let a search choose from three free ports, which no other test takes: they lie below all others."""
    first = next(
        first
        for first in range(ports._FIRST - 3, 10_000, -3)
        if all(is_unused(port) for port in range(first, first + 3))
    )
    monkeypatch.setattr(ports, "_FIRST", first)
    monkeypatch.setattr(ports, "_LAST", first + 3)
    return range(first, first + 3)


def is_unused(port: int) -> bool:
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams, suppress(OSError):
        datagrams.bind((LOOPBACK, port))
        return ports.is_free(port)
    return False


def test_no_port_is_found_twice_and_a_server_can_listen_on_each(few_ports: range) -> None:
    assert {free_port() for _ in few_ports} == set(few_ports)
    with pytest.raises(OSError, match="no free port"):
        free_port()
    for port in few_ports:
        socket.create_server((LOOPBACK, port)).close()


def test_another_process_does_not_find_a_port_before_its_server_listens(few_ports: range) -> None:
    first, end = few_ports.start, few_ports.stop
    script = (
        f"from ops.local import ports; ports._FIRST, ports._LAST = {first}, {end};"
        " print(ports.free_port(), flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        taken = int(other.stdout.readline())
        assert {free_port(), free_port()} == set(few_ports) - {taken}
        other.communicate("\n")
    assert free_port() == taken
