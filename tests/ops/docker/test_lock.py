"""The image's lock holds what the project needs, in the versions that are tested: `make lock` remakes it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
LOCK = (ROOT / "ops" / "docker" / "requirements.lock").read_text()


def pins(text: str) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==([\w.]+)", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def test_every_version_is_that_of_the_constraints() -> None:
    assert pins(LOCK).items() <= pins((ROOT / "constraints.txt").read_text()).items()


def test_nothing_that_the_project_needs_is_missing_or_out_of_its_bounds() -> None:
    locked = pins(LOCK)
    for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]:
        need = Requirement(line)
        assert need.specifier.contains(locked[canonicalize_name(need.name)]), need


def test_every_file_has_its_hash_and_no_address() -> None:
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(entries) == len(pins(LOCK)) > 40
    for entry in entries:
        assert re.fullmatch(r"\S+( ; [^\\\n]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+", entry), entry
    assert "://" not in LOCK
