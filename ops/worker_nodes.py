"""A worker: one Celery node, or two of which one takes only small reports."""

from __future__ import annotations

import os
import secrets
import sys

import click

from models.messages import Queue
from models.settings import Settings
from ops.supervisor import ChildProcess, Supervisor, stop_signals


class _QueueNames(click.ParamType[tuple[Queue, ...]]):
    name = "queues"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Queue, ...]:
        if isinstance(value, tuple):
            return value
        try:
            asked = {Queue(name.strip()) for name in str(value).split(",")}
        except ValueError:
            self.fail(f"{value!r} is not a list of {', '.join(Queue)}", param, ctx)
        # The order in which a slot looks into them.
        return tuple(queue for queue in Queue if queue in asked)


@click.command("worker")
@click.option("--queues", type=_QueueNames(), default="small,large", show_default=True)
@click.option(
    "--concurrency", type=click.IntRange(1), default=1, show_default=True, help="Reports at a time (slots)."
)
@click.option("--one-node", is_flag=True, hidden=True)
def worker_command(queues: tuple[Queue, ...], concurrency: int, *, one_node: bool) -> None:
    """Run a worker until SIGTERM, which lets a report that has begun be finished.

    One slot takes both queues, small reports first. From two slots on, one of them takes only small
    reports, so these never wait behind large ones.
    """
    settings = Settings.from_env().require("database_url", "redis_url", "storage_url")
    if one_node or concurrency == 1 or len(queues) == 1:
        _run_node(settings, queues, concurrency)
    else:
        _run_nodes(concurrency)


def _run_nodes(concurrency: int) -> None:
    supervisor = Supervisor(lambda line: click.echo(f"quiz-reports worker: {line}", err=True))
    with stop_signals() as stop:
        try:
            supervisor.start(_node("small", 1))
            supervisor.start(_node("small,large", concurrency - 1))
            supervisor.run_until(stop)
        finally:
            supervisor.stop()


def _node(queues: str, slots: int) -> ChildProcess:
    command = [sys.executable, "-P", "-m", "ops.cli", "worker", "--one-node"]
    command += ["--queues", queues, "--concurrency", str(slots)]
    return ChildProcess(f"the node for {queues}", command, os.environ)


def _run_node(settings: Settings, queues: tuple[Queue, ...], slots: int) -> None:
    # SIGTERM then means: stop taking jobs, give the running one its soft timeout, hand back what is left.
    # Celery reads this when it is imported.
    os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")
    from workers.app import create_celery

    arguments = ["worker", "--pool=prefork", f"--concurrency={slots}", f"--queues={','.join(queues)}"]
    arguments += [f"--hostname={'-'.join(queues)}-{secrets.token_hex(4)}@%h"]
    arguments += ["--without-mingle", "--without-gossip", f"--loglevel={settings.log_level}"]
    create_celery(settings).worker_main(arguments)
