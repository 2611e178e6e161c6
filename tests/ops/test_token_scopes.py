"""`token create` gives only scopes that a route has."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ops.cli import cli


@pytest.mark.parametrize(
    ("scope", "near"),
    [
        ("url:GET|/api/v1/course/:id", "url:GET|/api/v1/courses/:id"),
        (
            "url:GET|/api/v1/courses/:course_id/quizzes/:id/reports",
            "url:GET|/api/v1/courses/:course_id/quizzes/:quiz_id/reports",
        ),
        ("nonsense", "url:PUT|/api/v1/courses/:id"),
        ("", "url:GET|/api/v1/files/:id"),
    ],
)
def test_another_scope_is_refused_and_near_ones_are_named(tmp_path: Path, scope: str, near: str) -> None:
    options = ["token", "create", "--user", "7", "--scope", scope, "--data-dir", str(tmp_path)]
    result = CliRunner().invoke(cli, options)
    assert result.exit_code == 2
    assert near in "".join(result.output.split("\n"))
    assert result.stdout == ""
