"""The web process: gunicorn on a socket that is opened and limited here."""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import NoReturn

import click

from models.logs import configure_logging
from models.settings import Settings
from ops.serve.metrics_folder import make_metrics_folder
from ops.serve.start_checks import require_broker_user

# How long a client may send nothing in the middle of a request, and read nothing of a response.
_SILENT_SECONDS = 20
_UNREAD_SECONDS = 10


@click.command("api")
@click.option("--host", default="127.0.0.1", help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, help="The port to listen on.")
@click.option("--processes", type=click.IntRange(1), default=2, help="The number of processes.")
@click.option("--threads", type=click.IntRange(1), default=16, help="The number of threads in each process.")
def api_command(host: str, port: int, processes: int, threads: int) -> None:
    """Run the web process until SIGTERM; requests that have begun are finished.

    Needs DATABASE_URL, REDIS_URL, STORAGE_URL and SECRET_KEY. In production, put a proxy that buffers in
    front of it, as docker-compose.yml does, and set QUIZ_REPORTS_TRUSTED_PROXIES.
    """
    settings = Settings.from_env(require=("database_url", "redis_url", "storage_url", "secret_key"))
    configure_logging(settings)
    require_broker_user(settings)
    serve(host, port, "--workers", str(processes), "--threads", str(threads))


def serve(host: str, port: int, *options: str) -> NoReturn:
    """Replace this process by gunicorn on a new socket; raise ClickException if it cannot open.

    gunicorn's configuration listens on it when the application is imported. Until then connections are
    refused, so a proxy takes another server; what waited here with a trusted proxy's time would be overdue.
    Without a proxy, as under `up`, clients are refused for that moment of a restart.
    """
    try:
        listener = _bound(host, port)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}, port {port}: {error.strerror}") from None
    # Each connection inherits these from the listening socket, so the kernel enforces them.
    for limit, seconds in ((socket.SO_RCVTIMEO, _SILENT_SECONDS), (socket.SO_SNDTIMEO, _UNREAD_SECONDS)):
        listener.setsockopt(socket.SOL_SOCKET, limit, struct.pack("@ll", seconds, 0))
    if sys.platform == "linux":
        # The kernel holds a connection back until its first bytes arrive, so no thread waits for them.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _SILENT_SECONDS)
    listener.set_inheritable(True)
    # /metrics sums up all processes of this server; prometheus-client reads this when it is imported.
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(make_metrics_folder())
    # With a heap for each thread, the C library would keep much of what pushes needed.
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")
    bind = f"fd://{listener.fileno()}"
    command = ["-P", "-m", "gunicorn", "--config", "python:ops.serve.gunicorn_conf", "--bind", bind, *options]
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606


def _bound(host: str, port: int) -> socket.socket:
    """Open a socket at an address, without listening on it."""
    is_ipv6 = ":" in host
    listener = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET)
    try:
        if is_ipv6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # A server that has just ended may have left connections that wait for their end.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
