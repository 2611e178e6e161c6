"""An installation without extras, as in the image, has all that the processes import."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.integration

PROCESSES = [
    "api.app",
    "gunicorn.workers.gthread",
    "kombu.transport.redis",
    "models.db.schema",
    "ops.admin.commands",
    "ops.client.commands",
    "ops.admin.doctor",
    "ops.serve.api",
    "ops.serve.worker",
    "workers.app",
    "workers.sweeper",
]
SCRIPT = """
import importlib, json, sys
hidden, modules = json.loads(sys.argv[1])

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hide())
for module in modules:
    importlib.import_module(module)
"""


def required_by(name: str, extras: frozenset[str] = frozenset()) -> set[str]:
    """List the distributions that pip installs for this one."""
    found: set[str] = set()
    waiting = [(name, extras)]
    seen = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found.add(canonicalize_name(name))
        for line in distribution(name).requires or ():
            need = Requirement(line)
            if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in extras | {""}):
                waiting.append((need.name, frozenset(need.extras)))
    return found


def test_nothing_that_a_process_imports_is_only_there_for_development() -> None:
    installed = required_by("quiz-reports")
    hidden = [
        module
        for module, names in packages_distributions().items()
        if not installed & {canonicalize_name(name) for name in names}
    ]
    assert "pytest" in hidden
    assert "psutil" in hidden

    subprocess.run([sys.executable, "-c", SCRIPT, json.dumps([hidden, PROCESSES])], check=True)
