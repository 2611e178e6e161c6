"""Ports of the loopback."""

from __future__ import annotations

import secrets
import socket

LOOPBACK = "127.0.0.1"
# Most systems take the ports of outgoing connections from above this range, so no such connection takes a
# port between its discovery and the start of the server.
_FIRST, _LAST = 20_000, 32_000
_MOST_GUESSES = 1_000


def free_port() -> int:
    """Find a free port of the loopback, and reserve it for this process; raise OSError if there is none."""
    for _ in range(_MOST_GUESSES):
        port = _FIRST + secrets.randbelow(_LAST - _FIRST)
        if is_free(port) and _reserve(port):
            return port
    raise OSError(f"no free port of {LOOPBACK} was found between {_FIRST} and {_LAST}")


def _reserve(port: int) -> bool:
    """Keep other searches from a port, until the process ends; False if another one has found it.

    A server may start seconds after its port was found. The reservation is the UDP port of the same number:
    the system gives it to one process, and a server of TCP does not need it.
    """
    reservation = socket.socket(type=socket.SOCK_DGRAM)
    try:
        reservation.bind((LOOPBACK, port))
    except OSError:
        reservation.close()
        return False
    # Without an owner it stays open as long as the process.
    reservation.detach()
    return True


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket() as probe:
        # Servers set this as well: closing connections of an earlier server do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
