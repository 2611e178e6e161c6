"""The releases that an upgrade leads between: 0.1.0, the present code, and one after it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from models.db.schema import newest_revision

ROOT = Path(__file__).parents[3]
FIRST_TAG = "v0.1.0"
VARIANTS = "models/reports/variants.py"
MIGRATIONS = "models/db/migrations/versions"
FIRST_MIGRATION = f"{MIGRATIONS}/7d1e5a90c3b6_first_tables.py"
LATER_REVISION = "a1b2c3d4e5f6"
_PACKAGES = ("api", "models", "ops", "workers")

_LATER_MIGRATION = f'''"""Add a column that the release before does not know."""

import sqlalchemy as sa
from alembic import op

revision = "{LATER_REVISION}"
down_revision = "{newest_revision()}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("quiz_reports", sa.Column("later", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("quiz_reports", "later")
'''


class MissingHistoryError(Exception):
    """The clone does not have the commit of the earlier release; the message says how to get it."""


@dataclass(frozen=True)
class Release:
    """A Python that has the service installed, or finds its code by the environment."""

    python: str = sys.executable
    environ: Mapping[str, str] = field(default_factory=dict)


PRESENT = Release()


def install_first_release(folder: Path) -> Release:
    """Build the wheel of 0.1.0, and install it with the versions that it pins."""
    source, environment = folder / "source", folder / "environment"
    source.mkdir(parents=True)
    archive = folder / "source.tar"
    _git("archive", f"--output={archive}", first_release())
    subprocess.run(["tar", "--extract", f"--file={archive}", f"--directory={source}"], check=True)
    uv = [str(Path(sys.executable).parent / "uv"), "--quiet"]
    subprocess.run([*uv, "build", "--wheel", "--out-dir", str(folder), str(source)], check=True)
    (wheel,) = folder.glob("*.whl")
    python = str(environment / "bin" / "python")
    subprocess.run([*uv, "venv", "--python", sys.executable, str(environment)], check=True)
    constraints = ["--constraint", str(source / "constraints.txt")]
    # Compiled once; else each of the processes, which start at the same time, would compile the libraries.
    install = ["pip", "install", "--compile-bytecode", "--python", python, *constraints, str(wheel)]
    subprocess.run([*uv, *install], check=True)
    return Release(python)


def copy_later_release(folder: Path) -> Release:
    """Copy the present code, and add a migration and a newer analysis, as a later release may."""
    for name in _git("ls-files", "-z", *_PACKAGES).split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / MIGRATIONS / f"{LATER_REVISION}_later.py").write_text(_LATER_MIGRATION)
    variants = (folder / VARIANTS).read_text()
    # The first version is that of the student_analysis.
    before, found, after = variants.partition("        version=")
    assert before.rstrip().endswith("ReportType.STUDENT_ANALYSIS: TypeSpec(")
    (folder / VARIANTS).write_text(f"{before}{found}1_000 + {after}")
    return Release(environ={"PYTHONPATH": str(folder)})


def first_release() -> str:
    """Name the commit of 0.1.0.

    Without its tag, it is the commit of that name; before the release, the one that last changed the first
    migration, which has the same tables.
    """
    if not (ROOT / ".git").exists() or _git("rev-parse", "--is-shallow-repository") != "false":
        raise MissingHistoryError(
            "this is no clone with its history, which has the code of 0.1.0: git fetch --unshallow --tags"
        )
    if _git("tag", "--list", FIRST_TAG):
        return FIRST_TAG
    if released := _git("log", "-1", "--format=%H", f"--grep=^Release {FIRST_TAG.removeprefix('v')}$"):
        return released
    return _git("log", "-1", "--format=%H", "--", FIRST_MIGRATION)


def _git(*arguments: str) -> str:
    git = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
