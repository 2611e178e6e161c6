"""No text from outside begins a line of the log, or speaks to the terminal; no traceback shows variables."""

from __future__ import annotations

import functools
import json
import logging
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

PROGRAM = """
import logging, structlog
from models.logs import configure_logging
from models.settings import Settings
configure_logging(Settings(log_format={format!r}))
evil = "a\\r\\n2026-01-01 [error] forged \\x1b[2J\\x9b31m\\u2028\\u202e"
structlog.stdlib.get_logger("ours").info("request", path=evil, **{{"n": 1}})
logging.getLogger("celery").warning("message %s", evil)
def fail(password):
    raise ValueError("\\x1b[2J")
for log in (structlog.stdlib.get_logger("ours"), logging.getLogger("celery")):
    try:
        fail("Canary")
    except ValueError:
        log.exception("failed")
"""


@functools.cache
def written(log_format: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM.format(format=log_format)],
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stderr


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_what_comes_from_outside_is_escaped(log_format: str) -> None:
    log = written(log_format)
    assert log.isascii()
    assert all(character.isprintable() or character == "\n" for character in log)
    assert not [line for line in log.splitlines() if line.startswith("2026-01-01")]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_variables(log_format: str) -> None:
    log = written(log_format)
    assert log.count("ValueError") == 2
    assert log.count("Canary") == log.count('fail("Canary")') + log.count('fail(\\"Canary\\")')


def test_each_line_of_json_is_an_event() -> None:
    assert [json.loads(line)["event"].split()[0] for line in written("json").splitlines()] == [
        *("request", "message", "failed", "failed")
    ]
    assert logging.getLogger().name == "root"


UNCAUGHT = """
from models.logs import configure_logging
from models.settings import Settings
configure_logging(Settings(log_format="json"))
raise {error}("stopped")
"""


def ended_by(error: str) -> str:
    command = [sys.executable, "-c", UNCAUGHT.format(error=error)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def test_an_uncaught_error_is_a_line_of_the_log_and_an_interrupt_is_none() -> None:
    [line] = map(json.loads, ended_by("ValueError").splitlines())
    assert (line["event"], line["level"]) == ("uncaught_error", "critical")
    assert ended_by("KeyboardInterrupt").startswith("Traceback")
