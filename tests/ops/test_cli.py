"""The command line: fast help, and errors of one line with the right status."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from ops.cli import cli, main


def run(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["quiz-reports", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    return int(exit_.value.code or 0)


@pytest.mark.integration
def test_help_names_all_commands_and_imports_none_of_the_heavy_libraries() -> None:
    script = (
        "import sys; from ops.cli import cli; cli(['--help'], standalone_mode=False);"
        "print(sorted({'celery', 'flask', 'numpy', 'pandas', 'sqlalchemy'} & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    *_, heavy = output.splitlines()
    assert heavy == "[]"
    for name in (
        *("up", "api", "worker", "sweeper", "migrate", "token", "import", "rebuild", "page", "report"),
        *("backup", "restore", "files", "doctor"),
    ):
        assert f"\n  {name} " in output


@pytest.mark.parametrize("name", cli.list_commands(click.Context(cli)))
def test_every_command_has_help(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run([name, "--help"], monkeypatch) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["unknown"],
        ["up", "--port", "eighty"],
        ["up", "--workers", "0"],
        ["worker", "--queues", "medium"],
        ["token", "create"],
        ["token", "create", "--user", "0"],
        ["token", "revoke", "abc"],
        ["doctor", "--only", "weather"],
    ],
)
@pytest.mark.contract("9 Commands", "exit status 0, 1, 2; errors are one line")
def test_wrong_use_is_one_line_and_status_2(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments, monkeypatch) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("quiz-reports: ")
    assert "--help" in captured.err


@pytest.mark.parametrize(
    ("environ", "arguments", "message"),
    [
        ({}, ["migrate"], "DATABASE_URL is not set"),
        ({"DATABASE_URL": "mysql://h/d"}, ["token", "list"], "DATABASE_URL must begin with postgresql://"),
        (
            {"DATABASE_URL": "postgresql://u:canary@127.0.0.1:1/d"},
            ["migrate"],
            "PostgreSQL does not respond (",
        ),
        (
            {"DATABASE_URL": "postgresql://h/d", "REDIS_URL": "redis://h"},
            ["worker"],
            "STORAGE_URL is not set",
        ),
        ({}, ["api"], "DATABASE_URL is not set"),
    ],
)
@pytest.mark.contract("9 Commands", "exit status 0, 1, 2; errors are one line")
def test_a_failure_is_one_line_without_a_password_and_status_1(
    environ: dict[str, str],
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable, text in environ.items():
        monkeypatch.setenv(variable, text)

    assert run(arguments, monkeypatch) == 1

    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"quiz-reports: {message}")
    assert "canary" not in error
