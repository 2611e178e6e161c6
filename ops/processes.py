"""The web process and the sweeper: one process each, for production."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import click

from models.logs import configure_logging
from models.settings import Settings
from ops.supervisor import stop_signals
from ops.web_server import ApiServer


@click.command("api")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--processes", type=click.IntRange(1), default=2, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=8, show_default=True, help="In each process.")
def api_command(host: str, port: int, processes: int, threads: int) -> None:
    """Run the web process until SIGTERM; requests that have begun are finished."""
    settings = Settings.from_env().require("database_url", "redis_url", "storage_url", "secret_key")
    options = {
        "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "workers": processes,
        "threads": threads,
        "timeout": 60,
        "graceful_timeout": 30,
        "keepalive": 5,
        # A verifier makes a long line.
        "limit_request_line": 8190,
        "loglevel": settings.log_level,
        # Proxies are believed in one place: the application's trusted_proxies.
        "forwarded_allow_ips": "",
        "control_socket_disable": True,
        # The children's heartbeats are files; a slow disk would make them look frozen.
        "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else None,  # noqa: S108
    }
    configure_logging(settings)
    with _shared_metrics():
        # Imported once, before the fork, and not called: the children share the memory and start faster.
        import api.app  # noqa: F401

        ApiServer(settings, options).run()


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """Let /metrics speak for all processes of this server: prometheus-client reads this at its import."""
    parent = os.getpid()
    directory = tempfile.mkdtemp(prefix="quiz-reports-metrics-")
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", directory)
    try:
        yield
    finally:
        # A child that ends comes by here, too, and the others still write.
        if os.getpid() == parent:
            shutil.rmtree(directory, ignore_errors=True)


@click.command("sweeper")
def sweeper_command() -> None:
    """Run the sweeper until SIGTERM; any number of them may run."""
    settings = Settings.from_env().require("database_url", "redis_url", "storage_url")
    configure_logging(settings)
    from workers import sweeper

    with stop_signals() as stop:
        sweeper.run(settings, stop)
