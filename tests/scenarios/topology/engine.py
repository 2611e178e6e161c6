"""A `docker` for the scripts of operators, which runs `compose exec` and `compose run` in a topology."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.scenarios.topology.compose_file import ROOT
from tests.scenarios.topology.containers import Container, Topology

_DOCKER = """\
#!{python}
import json, os, re, sys
compose, verb, option, service, *command = sys.argv[1:]
assert (compose, verb, option) in {{("compose", "exec", "-T"), ("compose", "run", "--rm")}}
with open({containers!r}) as file:
    container = json.load(file)[service]
if verb == "run":
    command = container["entrypoint"] + (command or container["command"])
mounts = container["mounts"]
mounted = re.compile("|".join(sorted(map(re.escape, mounts), key=len, reverse=True)))
command = [mounted.sub(lambda found: mounts[found[0]], word) for word in command]
os.chdir(container["cwd"])
os.execvpe(command[0], command, container["environ"])
"""


class Engine:
    """Runs the scripts of `ops/docker` with the topology in place of an engine."""

    def __init__(self, topology: Topology, folder: Path) -> None:
        folder.mkdir()
        # Of several containers of a service, compose takes the first.
        described = {part.description.service: part for part in reversed(topology.containers.values())}
        containers = folder / "containers.json"
        containers.write_text(json.dumps({name: _described(part) for name, part in described.items()}))
        docker = folder / "docker"
        docker.write_text(_DOCKER.format(python=sys.executable, containers=str(containers)))
        docker.chmod(0o755)
        self._environ = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}

    def run(self, script: str, *words: str) -> str:
        """Run a script to its good end, and return its standard output."""
        ended = self.try_to_run(script, *words)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def try_to_run(self, script: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / "ops" / "docker" / script), *words]
        return subprocess.run(command, env=self._environ, capture_output=True, text=True, check=False)


def _described(part: Container) -> dict[str, object]:
    description, environ = part.description, dict(part.environ)
    if (password := environ.get("POSTGRES_PASSWORD_FILE")) is not None:
        # In the image, connections over its socket need neither an address nor a password.
        environ |= {"PGHOST": description.address, "PGPASSWORD": Path(password).read_text()}
    return {
        "entrypoint": list(description.entrypoint),
        "command": list(description.command),
        "cwd": str(part.cwd),
        "environ": environ,
        "mounts": {path: str(here) for path, here in description.mounts.items()},
    }
