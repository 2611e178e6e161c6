"""The hosted CI and the hooks before a commit run what is there."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
CI = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_every_hook_is_a_tool_of_the_virtual_environment() -> None:
    assert [repository["repo"] for repository in HOOKS] == ["local"]
    tools = {hook["entry"].split()[0] for hook in HOOKS[0]["hooks"]}
    assert tools == {".venv/bin/ruff", ".venv/bin/mypy", ".venv/bin/lint-imports"}


def test_ci_runs_everything_on_every_version_that_is_promised() -> None:
    job = CI["jobs"]["all"]
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert job["strategy"]["matrix"]["python"][0] == oldest
    (step,) = [step for step in job["steps"] if "run" in step]
    assert step["run"] == ".ci/run"
    assert os.access(ROOT / step["run"], os.X_OK)


@pytest.mark.parametrize("package", ["api", "models", "ops", "workers"])
def test_types_are_published(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
