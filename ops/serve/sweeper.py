"""The sweeper process."""

from __future__ import annotations

import click

from models.logs import configure_logging
from models.settings import Settings
from ops.local.supervisor import stop_signals


@click.command("sweeper")
def sweeper_command() -> None:
    """Run the sweeper until SIGTERM; any number of them may run at once.

    It publishes lost jobs again, fails those whose workers were lost three times, and deletes files that
    belong to no report or have outlived QUIZ_REPORTS_RETENTION_DAYS. Needs DATABASE_URL, REDIS_URL and
    STORAGE_URL.
    """
    settings = Settings.from_env().require("database_url", "redis_url", "storage_url")
    configure_logging(settings)
    from workers import sweeper

    with stop_signals() as stop:
        sweeper.run(settings, stop)
