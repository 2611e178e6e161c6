"""A TCP relay before a server, which can fall silent or be cut, as networks do."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from typing import Self

_POLL_SECONDS = 0.05


class Relay:
    """Passes bytes on between clients and a server.

    While `silent` is set, bytes and new connections wait, as behind a network that drops packets. `cut` ends
    all connections and refuses new ones until `mend`.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]
        self.silent = threading.Event()
        self._start(threading.Thread(target=self._accept, args=[self._listener]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def cut(self) -> None:
        """End all connections, and refuse new ones."""
        with suppress(OSError):
            # A thread that waits for a connection would keep a closed socket listening meanwhile.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for used in self._sockets:
                # Some have been ended by their other end.
                with suppress(OSError):
                    used.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Pass on again what is sent from now on, and what waited in silence."""
        self.silent.clear()
        if self._listener.fileno() == -1:
            self._listener = self._listen(self.port)
            self._start(threading.Thread(target=self._accept, args=[self._listener]))

    def close(self) -> None:
        self._stop.set()
        self.cut()
        for thread in self._threads:
            thread.join()
        for used in self._sockets:
            used.close()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        listener.settimeout(_POLL_SECONDS)
        return listener

    def _start(self, thread: threading.Thread) -> None:
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while not self._stop.is_set():
            if self.silent.is_set():
                # The kernel still takes connections, but nothing is heard on them.
                self._stop.wait(_POLL_SECONDS)
                continue
            try:
                client = listener.accept()[0]
            except TimeoutError:
                continue
            except OSError:
                # It was cut.
                return
            self._connect(client, listener)

    def _connect(self, client: socket.socket, listener: socket.socket) -> None:
        try:
            server = socket.create_connection(self._server)
        except OSError:
            client.close()
            return
        with self._lock:
            self._sockets |= {client, server}
            if listener.fileno() == -1:
                # It was cut while this connection was made.
                client.shutdown(socket.SHUT_RDWR)
                server.shutdown(socket.SHUT_RDWR)
                return
        for source, target in ((client, server), (server, client)):
            self._start(threading.Thread(target=self._pass_on, args=[source, target]))

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        while not self._stop.is_set():
            if self.silent.is_set():
                self._stop.wait(_POLL_SECONDS)
                continue
            if not select.select([source], [], [], _POLL_SECONDS)[0]:
                continue
            try:
                received = source.recv(65536)
            except OSError:
                received = b""
            # What was on its way when the silence began is not heard before its end.
            while self.silent.is_set() and not self._stop.is_set():
                self._stop.wait(_POLL_SECONDS)
            with suppress(OSError):
                if received:
                    target.sendall(received)
                else:
                    target.shutdown(socket.SHUT_WR)
            if not received:
                return
