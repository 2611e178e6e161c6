"""The worker process: one Celery node, or two of which one takes only small reports."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from models.logs import configure_logging
from models.reports.tables import Queue
from models.settings import Settings
from ops.local.supervisor import ChildProcess, Supervisor, stop_signals
from ops.serve.metrics_folder import make_metrics_folder
from ops.serve.metrics_server import metrics_options, serve_metrics
from ops.serve.start_checks import require_broker_user, require_store

_log = structlog.stdlib.get_logger(__name__)


class _QueueNames(click.ParamType[tuple[Queue, ...]]):
    name = "queues"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Queue, ...]:
        if isinstance(value, tuple):
            return value
        try:
            named = {Queue(name.strip()) for name in str(value).split(",")}
        except ValueError:
            self.fail(f"{value!r} is not a list of {', '.join(Queue)}", param, ctx)
        # A slot polls its queues in this order.
        return tuple(queue for queue in Queue if queue in named)


@click.command("worker")
@click.option("--queues", type=_QueueNames(), default="small,large", help="The queues to take jobs from.")
@click.option(
    "--concurrency", type=click.IntRange(1), default=1, help="The number of slots: reports at a time."
)
@click.option(
    "--heartbeat-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Touch PATH-QUEUES every ten seconds, for a health check.",
)
@metrics_options
@click.option("--one-node", is_flag=True, hidden=True)
def worker_command(
    queues: tuple[Queue, ...],
    concurrency: int,
    heartbeat_file: Path | None,
    metrics_host: str,
    metrics_port: int | None,
    *,
    one_node: bool,
) -> None:
    """Run a worker until SIGTERM; it then gives a report that has begun 25 seconds to finish.

    One slot takes both queues, small reports first. Of two slots or more, one takes only small reports, so
    these never wait behind large ones. Needs DATABASE_URL, REDIS_URL and STORAGE_URL.
    """
    settings = Settings.from_env(require=("database_url", "redis_url", "storage_url"))
    configure_logging(settings)
    if not one_node:
        require_broker_user(settings)
        require_store(settings)
    nodes = (
        [(queues, concurrency)]
        if concurrency == 1 or len(queues) == 1
        else [((Queue.SMALL,), 1), (queues, concurrency - 1)]
    )
    if one_node or (len(nodes) == 1 and metrics_port is None):
        # Imported here because the parent of nodes has no use for Celery.
        from ops.serve.worker_node import run_node

        run_node(settings, queues, concurrency, heartbeat_file)
    # Threads that serve metrics must not exist in a process that forks children, so a node has a parent then.
    with _metrics(metrics_host, metrics_port) as environ:
        _run_nodes([_node(*node, heartbeat_file, {**os.environ, **environ}) for node in nodes])


@contextmanager
def _metrics(host: str, port: int | None) -> Iterator[Mapping[str, str]]:
    """Serve what the nodes count meanwhile; give the variable that lets them."""
    if port is None:
        yield {}
        return
    folder = str(make_metrics_folder())
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    try:
        serve_metrics(host, port, registry)
        yield {"PROMETHEUS_MULTIPROC_DIR": folder}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run_nodes(nodes: Sequence[ChildProcess]) -> None:
    supervisor = Supervisor(lambda line: _log.warning("node_ended", reason=line))
    with stop_signals() as stop:
        try:
            for node in nodes:
                supervisor.start(node)
            supervisor.run_until(stop)
        finally:
            supervisor.stop()


def _node(
    queues: Sequence[Queue], slots: int, heartbeat_file: Path | None, environ: Mapping[str, str]
) -> ChildProcess:
    names = ",".join(queues)
    command = [sys.executable, "-P", "-m", "ops.cli", "worker", "--one-node"]
    command += ["--queues", names, "--concurrency", str(slots)]
    if heartbeat_file is not None:
        command += ["--heartbeat-file", str(heartbeat_file)]
    return ChildProcess(f"the node for {names}", command, environ)
