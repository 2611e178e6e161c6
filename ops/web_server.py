"""gunicorn as the service runs it: its lines and refusals are our own, and no client stays for ever."""

from __future__ import annotations

import errno
import gc
import json
import select
import selectors
import socket
import threading
import time
import uuid
from functools import partial
from typing import Any

import structlog
from gunicorn.app.base import BaseApplication
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.http.errors import (  # type: ignore[attr-defined] # The stubs lack the first two.
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from gunicorn.util import close_graceful
from gunicorn.workers.gthread import ThreadWorker

from api.overload import WAITED_SECONDS
from models.settings import Settings

# How long a client may be silent while the server waits for more of its request.
SILENT_SECONDS = 20.0
# How long a request may take to come in; not so data that is pushed in, of which it is known who sends it.
REQUEST_SECONDS = 30.0

_log = structlog.stdlib.get_logger(__name__)


class ServerLog(Logger):
    """gunicorn's own lines, sent where the service's lines go and in the same format."""

    def setup(self, cfg: Config) -> None:
        """Hand the lines on to the root logger."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class PatientSocket(socket.socket):
    """A client's connection that waits for more of a request as long as it may, and no longer."""

    deadline: float | None = None

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive as ever; a client that keeps us waiting too long counts as gone."""
        if self.gettimeout() is not None:
            # Whoever has set one, as gunicorn where it closes a connection, knows how long.
            return super().recv(bufsize, flags)
        left = SILENT_SECONDS
        if self.deadline is not None:
            left = min(left, self.deadline - time.monotonic())
        try:
            # Zero would mean not to wait at all.
            self.settimeout(max(left, 0.001))
            return super().recv(bufsize, flags)
        except TimeoutError:
            raise ConnectionResetError(errno.ECONNRESET, "the client was too slow") from None
        finally:
            # Sending an answer takes as long as it takes.
            self.settimeout(None)


class Turn(threading.local):
    """What the thread at work knows of its request: how long it waited in line for a thread."""

    waited_seconds = 0.0


class WebWorker(ThreadWorker):
    """gunicorn's worker with threads, on its guard against what clients send."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._turn = Turn()

    def load_wsgi(self) -> None:
        """Make the application, and tell it with each request how long that one has waited."""
        super().load_wsgi()
        application = self.wsgi

        def tell(environ: Any, start_response: Any) -> Any:
            environ[WAITED_SECONDS] = self._turn.waited_seconds
            return application(environ, start_response)

        self.wsgi = tell

    def set_accept_enabled(self, enabled: bool | None) -> None:
        """Begin or cease to take connections in; at the end, take in first who has connected already."""
        super().set_accept_enabled(enabled)
        if self.alive or enabled:
            return
        for listener in self.sockets:
            self._take_in_all(listener)
            # Who comes now is refused at once, rather than kept waiting for nothing.
            listener.close()

    def _take_in_all(self, listener: Any) -> None:
        taken_in = -1
        while taken_in != self.nr_conns < self.worker_connections:
            taken_in = self.nr_conns
            try:
                self.accept(listener)
            except OSError as error:
                _log.warning("connections not taken in", reason=str(error))
                return

    def enqueue_req(self, conn: Any) -> None:
        """Put a connection in line for a thread; who has only connected gets none to wait in."""
        if not conn.initialized and not _has_sent(conn):
            conn.sock.setblocking(False)
            conn.set_timeout()
            self.pending_conns.append(conn)
            readable = partial(self.on_pending_socket_readable, conn)
            self.poller.register(conn.sock, selectors.EVENT_READ, readable)
            return
        conn.in_line_since = time.monotonic()
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Read and answer a request, the clock running."""
        now = time.monotonic()
        self._turn.waited_seconds = now - conn.in_line_since
        if not isinstance(conn.sock, PatientSocket):
            conn.sock = PatientSocket(fileno=conn.sock.detach())
        conn.sock.deadline = now + REQUEST_SECONDS
        is_kept = super().handle(conn)
        if not is_kept:
            # That takes up to two seconds, in which the thread that takes connections in must not stand.
            close_graceful(conn.sock)
        return is_kept

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Keep a connection for the next request, or count one that its thread has closed as gone."""
        if conn.sock.fileno() < 0:
            self.nr_conns -= 1
        else:
            super().finish_request(conn, fs)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Let the application answer; data that is pushed in may take its time."""
        if req.method == "PUT":
            conn.sock.deadline = None
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer as the application does what never reached it; a line or an address may hold a token."""
        request_id = uuid.uuid4().hex
        if _is_the_clients(exc):
            _log.warning("bad request", kind=type(exc).__name__, client=addr[0], request_id=request_id)
        else:
            path = getattr(req, "path", None)
            _log.error("request not answered", path=path, request_id=request_id, exc_info=exc)
        try:
            client.sendall(_refusal(exc, request_id))
        except OSError:
            _log.debug("refusal not sent", request_id=request_id)


class ApiServer(BaseApplication):
    """gunicorn with threads; the application is made in each child, so no connection is shared by a fork."""

    def __init__(self, settings: Settings, options: dict[str, object]) -> None:
        self._settings = settings
        self._options = {"worker_class": WebWorker, "logger_class": ServerLog, **options}
        super().__init__()

    def load_config(self) -> None:
        """Take the options, and nothing from files or the environment."""
        for name, option in self._options.items():
            self.cfg.set(name, option)

    def load(self) -> Any:
        """Make the application."""
        from api.app import create_app

        app = create_app(self._settings)
        # What stays for ever need not be looked through again at each collection of garbage.
        gc.freeze()
        return app


def _has_sent(conn: Any) -> bool:
    look = select.poll()
    look.register(conn.sock, select.POLLIN)
    conn.data_ready = conn.data_ready or bool(look.poll(0))
    return bool(conn.data_ready)


def _refusal(error: BaseException, request_id: str) -> bytes:
    status, name, text = _words(error)
    body = json.dumps({"status": name, "message": text, "errors": [{"message": text}]}).encode()
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Content-Length": str(len(body)),
        "Connection": "close",
        "X-Request-Id": request_id,
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cache-Control": "private, no-store",
        "Referrer-Policy": "no-referrer",
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def _is_the_clients(error: BaseException) -> bool:
    ours = (InvalidResponseHeader, InvalidResponseHeaderName)
    return isinstance(error, ParseException) and not isinstance(error, ours)


def _words(error: BaseException) -> tuple[str, str, str]:
    if isinstance(error, LimitRequestLine):
        return "414 URI Too Long", "uri_too_long", "The address is too long."
    if isinstance(error, LimitRequestHeaders):
        return "431 Request Header Fields Too Large", "headers_too_large", "The headers are too large."
    if _is_the_clients(error):
        return "400 Bad Request", "bad_request", "The request can not be read."
    return "500 Internal Server Error", "internal_server_error", "An error occurred."
