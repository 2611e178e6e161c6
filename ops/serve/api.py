"""The web process and the sweeper: one process each, for production."""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import NoReturn

import click

from models.logs import configure_logging
from models.settings import Settings
from ops.local.supervisor import stop_signals
from ops.serve.metrics_folder import make_metrics_folder

# How long a client may send nothing in the middle of a request, and take nothing of an answer.
_SILENT_SECONDS = 20
_UNREAD_SECONDS = 10
_BACKLOG = 2048


@click.command("api")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--processes", type=click.IntRange(1), default=2, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=16, show_default=True, help="In each process.")
def api_command(host: str, port: int, processes: int, threads: int) -> None:
    """Run the web process until SIGTERM; requests that have begun are finished."""
    Settings.from_env().require("database_url", "redis_url", "storage_url", "secret_key")
    serve(host, port, "--workers", str(processes), "--threads", str(threads))


def serve(host: str, port: int, *options: str) -> NoReturn:
    """Become gunicorn on a socket that it is given; raise ClickException where nothing can listen."""
    try:
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=_BACKLOG
        )
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}, port {port}: {error.strerror}") from None
    # Each connection inherits these from the socket that takes it in, so the kernel keeps the time.
    for limit, seconds in ((socket.SO_RCVTIMEO, _SILENT_SECONDS), (socket.SO_SNDTIMEO, _UNREAD_SECONDS)):
        listener.setsockopt(socket.SOL_SOCKET, limit, struct.pack("@ll", seconds, 0))
    if sys.platform == "linux":
        # A connection that has sent nothing is not handed out yet, so no thread waits for it.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _SILENT_SECONDS)
    listener.set_inheritable(True)
    # /metrics speaks for all processes of this server; prometheus-client reads this at its import.
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(make_metrics_folder())
    bind = f"fd://{listener.fileno()}"
    command = ["-P", "-m", "gunicorn", "--config", "python:ops.serve.gunicorn_conf", "--bind", bind, *options]
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606


@click.command("sweeper")
def sweeper_command() -> None:
    """Run the sweeper until SIGTERM; any number of them may run."""
    settings = Settings.from_env().require("database_url", "redis_url", "storage_url")
    configure_logging(settings)
    from workers import sweeper

    with stop_signals() as stop:
        sweeper.run(settings, stop)
