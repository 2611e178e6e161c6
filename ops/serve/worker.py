"""The worker process: one Celery node, or two of which one takes only small reports."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from models.reports.tables import Queue
from models.settings import Settings
from ops.local.supervisor import ChildProcess, Supervisor, stop_signals

if TYPE_CHECKING:
    from celery import Celery

_HEARTBEAT_SECONDS = 10


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
@click.option(
    "--queues",
    type=_QueueNames(),
    default="small,large",
    show_default=True,
    help="The queues to take jobs from.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="The number of slots: reports at a time.",
)
@click.option(
    "--heartbeat-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Touch PATH-QUEUES every ten seconds, for a health check.",
)
@click.option("--one-node", is_flag=True, hidden=True)
def worker_command(
    queues: tuple[Queue, ...], concurrency: int, heartbeat_file: Path | None, *, one_node: bool
) -> None:
    """Run a worker until SIGTERM; it then gives a report that has begun 25 seconds to finish.

    One slot takes both queues, small reports first. Of two slots or more, one takes only small reports, so
    these never wait behind large ones. Needs DATABASE_URL, REDIS_URL and STORAGE_URL.
    """
    settings = Settings.from_env().require("database_url", "redis_url", "storage_url")
    if one_node or concurrency == 1 or len(queues) == 1:
        _run_node(settings, queues, concurrency, heartbeat_file)
    else:
        _run_nodes(concurrency, heartbeat_file)


def _run_nodes(concurrency: int, heartbeat_file: Path | None) -> None:
    supervisor = Supervisor(lambda line: click.echo(f"quiz-reports worker: {line}", err=True))
    with stop_signals() as stop:
        try:
            supervisor.start(_node("small", 1, heartbeat_file))
            supervisor.start(_node("small,large", concurrency - 1, heartbeat_file))
            supervisor.run_until(stop)
        finally:
            supervisor.stop()


def _node(queues: str, slots: int, heartbeat_file: Path | None) -> ChildProcess:
    command = [sys.executable, "-P", "-m", "ops.cli", "worker", "--one-node"]
    command += ["--queues", queues, "--concurrency", str(slots)]
    if heartbeat_file is not None:
        command += ["--heartbeat-file", str(heartbeat_file)]
    return ChildProcess(f"the node for {queues}", command, os.environ)


def _run_node(settings: Settings, queues: tuple[Queue, ...], slots: int, heartbeat_file: Path | None) -> None:
    # With this, SIGTERM means: take no more jobs, give the running one its soft timeout, return the rest.
    # Celery reads it when it is imported.
    os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")
    from workers.app import create_celery

    names = "-".join(queues)
    app = create_celery(settings)
    if heartbeat_file is not None:
        _touch_regularly(app, heartbeat_file.with_name(f"{heartbeat_file.name}-{names}"))
    arguments = ["worker", "--pool=prefork", f"--concurrency={slots}", f"--queues={','.join(queues)}"]
    arguments += [f"--hostname={names}-{secrets.token_hex(4)}@%h"]
    arguments += ["--without-mingle", "--without-gossip", f"--loglevel={settings.log_level}"]
    app.worker_main(arguments)


def _touch_regularly(app: Celery, path: Path) -> None:
    """Let the node's event loop touch a file, so that a stuck node is noticed."""
    from celery import bootsteps

    class Heartbeat(bootsteps.StartStopStep):
        requires = ("celery.worker.components:Timer",)

        def start(self, worker: Any) -> None:
            path.touch()
            worker.timer.call_repeatedly(_HEARTBEAT_SECONDS, path.touch)

    app.steps["worker"].add(Heartbeat)
