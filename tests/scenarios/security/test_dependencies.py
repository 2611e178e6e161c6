"""The look at dependencies: which licences pass, and that silence is not taken for a clean bill."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent


def licences(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "pip-licenses", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )


def advisories(tmp_path: Path, answer: str) -> subprocess.CompletedProcess[str]:
    """Run the target of the Makefile with a pip-audit that answers so."""
    program = tmp_path / "pip-audit"
    program.write_text(f"#!/bin/sh\n{answer}\n")
    program.chmod(0o755)
    command = ["make", "advisories", f"BIN={tmp_path}", f"AUDIT_LOG={tmp_path / 'log'}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_all_that_is_installed_passes() -> None:
    ended = licences()
    assert ended.returncode == 0, ended.stderr


def test_a_licence_that_is_not_allowed_is_named() -> None:
    ended = licences("--allow-only", "BSD-3-Clause")
    assert ended.returncode == 1
    assert "not in allow-only licenses" in ended.stderr


def test_a_known_hole_fails(tmp_path: Path) -> None:
    hole = "echo 'Found 1 known vulnerability in 1 package' >&2; echo 'b 2 CVE-1'; exit 1"
    ended = advisories(tmp_path, hole)
    assert ended.returncode != 0
    assert "b 2 CVE-1" in ended.stderr


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("echo 'ConnectionError: no route' >&2; exit 1", "could not be asked: ConnectionError: no route"),
        ("echo 'a  Dependency not found and could not be audited: a'", "advisories: 1 of "),
        ("echo 'No known vulnerabilities found' >&2", "advisories: 0 of "),
    ],
    ids=["no network", "a mirror", "clean"],
)
def test_what_was_not_looked_up_is_told(answer: str, says: str, tmp_path: Path) -> None:
    ended = advisories(tmp_path, answer)
    assert ended.returncode == 0, ended.stderr
    assert says in ended.stdout
