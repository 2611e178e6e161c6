"""The addresses that a load balancer sends requests to."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Rotation:
    """Addresses in turn; one that is taken out is let go when no request is under way there."""

    def __init__(self) -> None:
        self._addresses: list[str] = []
        self._under_way: Counter[str] = Counter()
        self._changed = threading.Condition()

    def addresses(self) -> list[str]:
        with self._changed:
            return list(self._addresses)

    def add(self, address: str) -> None:
        with self._changed:
            self._addresses.append(address)

    def remove(self, address: str) -> None:
        """Send no further request there, and wait until those that were sent are answered.

        A server that is told to stop before has some that it did not accept; the kernel cuts them off.
        """
        with self._changed:
            self._addresses.remove(address)
            assert self._changed.wait_for(lambda: not self._under_way[address], timeout=120)

    def clear(self) -> None:
        """Forget the addresses of servers that have been killed."""
        with self._changed:
            self._addresses.clear()

    @contextmanager
    def sending(self, address: str) -> Iterator[bool]:
        """Count a request as under way; tell whether the address is still in the rotation."""
        with self._changed:
            is_there = address in self._addresses
            self._under_way[address] += 1
        try:
            yield is_there
        finally:
            with self._changed:
                self._under_way[address] -= 1
                self._changed.notify_all()
