"""The metrics of a worker or a sweeper over HTTP; the API has a route of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
import prometheus_client
from prometheus_client import CollectorRegistry

Command = TypeVar("Command", bound=Callable[..., Any])


def metrics_options(command: Command) -> Command:
    """Add the options of the address at which a process shows its metrics."""
    command = click.option("--metrics-host", default="127.0.0.1", help="The address of the metrics.")(command)
    return click.option(
        "--metrics-port",
        type=click.IntRange(1, 65535),
        help="Show metrics for Prometheus on this port.  [default: none]",
    )(command)


def serve_metrics(host: str, port: int, registry: CollectorRegistry) -> None:
    """Serve a registry from threads of this process; raise ClickException if the port is taken."""
    try:
        prometheus_client.start_http_server(port, host, registry)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}, port {port}: {error.strerror}") from None
