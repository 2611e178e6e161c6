"""Outside `up` no process starts with what everybody could know, and none says a secret while it refuses."""

from __future__ import annotations

import os
import subprocess

import pytest

from models.settings import DEFAULT_SECRET_KEY
from tests.scenarios.stack import COMMAND

pytestmark = pytest.mark.exhaustive

GOOD = {
    "DATABASE_URL": "postgresql://quiz:Canary@127.0.0.1:1/nothing",
    "REDIS_URL": "redis://:Canary@127.0.0.1:1/0",
    "STORAGE_URL": "file:///nowhere",
    "SECRET_KEY": "x" * 32,
}
API = ["api", "--port", "1"]


def refuse(command: list[str], **changes: str) -> str:
    """Start a process, expect it to end at once with one line on standard error, and return that line."""
    ended = subprocess.run(
        [COMMAND, *command],
        env={**os.environ, **GOOD, **changes},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 1, ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert "Canary" not in ended.stderr
    return ended.stderr


@pytest.mark.parametrize("key", ["", "short", DEFAULT_SECRET_KEY, "x" * 31])
def test_the_api_without_a_secret_of_its_own(key: str) -> None:
    assert "SECRET_KEY" in refuse(API, SECRET_KEY=key)


@pytest.mark.parametrize("command", [API, ["worker"], ["sweeper"]], ids=" ".join)
@pytest.mark.parametrize("missing", ["DATABASE_URL", "REDIS_URL"])
def test_a_process_without_its_servers(command: list[str], missing: str) -> None:
    assert f"{missing} is not set" in refuse(command, **{missing: ""})


@pytest.mark.parametrize(
    "changes",
    [
        # Forgotten hosts, and passwords that should have been escaped: libraries take them for a port.
        {"REDIS_URL": "redis://:Canary"},
        {"REDIS_URL": "redis://:Canary#1@127.0.0.1:1/0"},
        {"REDIS_URL": "redis://:Canary/1@127.0.0.1:1/0"},
        {"REDIS_URL": "redis://127.0.0.1:Canary/0"},
        {"DATABASE_URL": "postgresql://quiz:Canary"},
        {"DATABASE_URL": "postgresql://quiz:Canary/1@127.0.0.1/d"},
        {"DATABASE_URL": "postgresql://quiz:Canary@1@127.0.0.1/d"},
        {"QUIZ_REPORTS_JWT_JWKS_URL": "http://lms.test/jwks"},
    ],
    ids=str,
)
def test_an_address_that_cannot_be_read(changes: dict[str, str]) -> None:
    assert f"{next(iter(changes))} " in refuse(["sweeper"], **changes)
