"""Faults that waiting would not mend end a process at its start, with one line that says what to do."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from models.settings import Settings
from ops.cli import cli


@pytest.mark.parametrize("process", ["api", "worker", "sweeper"])
def test_a_wrong_password_of_the_broker(
    process: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = urlsplit(settings.redis_url)
    wrong = parts._replace(netloc=f"nobody:wrong@{parts.netloc.rpartition('@')[2]}").geturl()
    environ = {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": wrong,
        "STORAGE_URL": settings.storage_url,
        "SECRET_KEY": settings.secret_key,
    }

    ended = CliRunner().invoke(cli, [process], env=environ)

    assert ended.exit_code == 1
    assert "check REDIS_URL" in str(ended.exception)
