"""The sweeper process."""

from __future__ import annotations

from pathlib import Path

import click

from models.db.session import Database
from models.logs import configure_logging
from models.metrics import collected_registry
from models.reports.job_metrics import JobsCollector
from models.settings import Settings
from ops.local.supervisor import stop_signals
from ops.serve.metrics_server import metrics_options, serve_metrics
from ops.serve.start_checks import require_broker_user


@click.command("sweeper")
@click.option(
    "--heartbeat-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Touch this file after each step, for a health check.",
)
@metrics_options
def sweeper_command(heartbeat_file: Path | None, metrics_host: str, metrics_port: int | None) -> None:
    """Run the sweeper until SIGTERM; any number of them may run at once.

    It publishes lost jobs again, fails those whose workers were lost three times, and deletes files that
    belong to no report or have outlived QUIZ_REPORTS_RETENTION_DAYS. Needs DATABASE_URL, REDIS_URL and
    STORAGE_URL.
    """
    settings = Settings.from_env(require=("database_url", "redis_url", "storage_url"))
    configure_logging(settings)
    require_broker_user(settings)
    from workers import sweeper

    if metrics_port is not None:
        database = Database(settings.database_url, pool_size=1)
        serve_metrics(metrics_host, metrics_port, collected_registry(JobsCollector(database)))
    with stop_signals() as stop:
        sweeper.run(settings, stop, (lambda: None) if heartbeat_file is None else heartbeat_file.touch)
