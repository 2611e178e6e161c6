"""ops/security.md names tests: each must be there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "ops" / "security.md").read_text()
NAMED = re.findall(r"(tests/[\w/]+\.py)::(\w+)", PAGE)


def functions_of(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_page_names_is_there() -> None:
    assert len(NAMED) > 50
    assert [f"{path}::{name}" for path, name in NAMED if name not in functions_of(ROOT / path)] == []


def test_every_claim_has_a_test() -> None:
    rows = [line.split(" | ") for line in PAGE.splitlines() if re.match(r"\| \d", line)]
    assert len(rows) > 25
    assert [row[0] for row in rows if len(row) != 3 or "::" not in row[2]] == []
