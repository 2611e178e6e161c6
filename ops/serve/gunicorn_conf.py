"""The configuration of gunicorn; `quiz-reports api` adds the address, processes and threads."""

from __future__ import annotations

import gc
import logging
import os
import resource
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

from gunicorn.http.errors import InvalidHeader, UnsupportedTransferCoding
from gunicorn.workers.gthread import ThreadWorker

from models.logs import configure_logging
from models.settings import Settings

_settings = Settings.from_env()


class WithoutRequests(logging.Filter):
    """Remove from gunicorn's log lines what clients sent: malformed requests and URLs may hold a token."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the record; none is dropped."""
        line = str(record.msg)
        if line.startswith("Invalid request from"):
            record.msg = line.partition(": ")[0]
        elif line.startswith("Error handling request"):
            record.msg, record.args = "Error handling request", ()
        elif record.exc_info and isinstance(record.exc_info[1], BlockingIOError):
            # The listening socket's limits; otherwise a client could fill the log with tracebacks.
            record.msg, record.exc_info = "Connection closed: the client neither sent nor read", None
        return True


class WebWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types.
    """A worker that blames the client for every request that it cannot read."""

    def handle_error(self, request: Any, client: Any, address: Any, error: BaseException) -> None:
        """Answer an error; gunicorn answers an unknown transfer coding with 501, as if the fault was ours."""
        if isinstance(error, UnsupportedTransferCoding):
            error = InvalidHeader("TRANSFER-ENCODING", req=request)
        super().handle_error(request, client, address, error)


def on_starting(server: Any) -> None:
    """Log as the service does, import the application, so that the children share its memory, and listen."""
    configure_logging(_settings)
    import api.app  # noqa: F401

    for descriptor in server.cfg.address:
        _listen(descriptor)


def _listen(descriptor: int) -> None:
    """Listen on a bound socket; end the process if another server listens there meanwhile."""
    with socket.socket(fileno=os.dup(descriptor)) as listener:
        try:
            listener.listen(backlog)
        except OSError as error:
            host, port = listener.getsockname()[:2]
            sys.exit(f"Error: cannot listen on {host}, port {port}: {error.strerror}")


def on_reload(_server: Any) -> None:
    """Log as the service does: a reload has set up gunicorn's own logging again."""
    configure_logging(_settings)


def post_worker_init(_worker: Any) -> None:
    """Exclude the loaded application from garbage collection: it stays for ever."""
    gc.freeze()


def on_exit(_server: Any) -> None:
    """Remove the metrics of the processes."""
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        shutil.rmtree(folder, ignore_errors=True)


# Besides clients' connections a process opens the log, metrics, bodies, and connections to the servers.
_OTHER_FILES = 120


def _most_connections() -> int:
    """Allow as many open files as may be, and leave some beside the clients' connections.

    Without a limit below that of open files, an API process would end when it accepts one more.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1000 + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return 1000 if soft == resource.RLIM_INFINITY else max(1, min(1000, soft - _OTHER_FILES))


worker_connections = _most_connections()
backlog = 2048
wsgi_app = "api.app:from_env()"
worker_class = WebWorker
timeout = 60
graceful_timeout = 30
keepalive = 5
# A URL with a verifier is long.
limit_request_line = 8190
# Forwarded headers are handled in one place: by the application's trusted_proxies.
forwarded_allow_ips = ""
control_socket_disable = True
# gunicorn puts this folder on the import path; by default it is the current one, which is not ours.
chdir = str(Path(__file__).parents[2])
# The children's heartbeats are files; on a slow disk they would seem frozen.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
loglevel = _settings.log_level
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"without requests": {"()": WithoutRequests}},
    "root": {"handlers": []},
    "handlers": {},
    "formatters": {},
    "loggers": {
        "gunicorn.error": {
            "level": _settings.log_level.upper(),
            "handlers": [],
            "propagate": True,
            "filters": ["without requests"],
        }
    },
}
