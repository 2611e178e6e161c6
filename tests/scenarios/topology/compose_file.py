"""docker-compose.yml, read as an engine reads it, with paths and addresses of this machine.

A container has a folder and an address of the loopback of its own. What is rewritten, in commands, settings,
secrets and configuration files alike: the paths of what compose mounts, the names of other services, and the
addresses on which a container listens. Everything else is used as it is.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ops.local.ports import free_port
from tests.scenarios.topology.images import IMAGES, Image

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$\$|\$\{(\w+):-([^}]*)\}")
_HOST = re.compile(r"(?<=[@/ ])([a-z0-9-]+)(?=:\d)")
_OWN_ADDRESS = re.compile(r"\b(?:0\.0\.0\.0|127\.0\.0\.1)\b")

# A service as it is written in the file.
Service = Mapping[str, Any]


def services(profiles: Sequence[str] = ()) -> dict[str, Service]:
    """Return the services that run with these profiles."""
    everything: dict[str, Service] = yaml.safe_load(COMPOSE.read_text())["services"]
    return {
        name: service
        for name, service in everything.items()
        if set(service.get("profiles", profiles)) <= set(profiles)
    }


def replicas(profiles: Sequence[str] = ()) -> dict[str, str]:
    """Return the containers' names with their services; those of a service with several are numbered."""
    found: dict[str, str] = {}
    for name, service in services(profiles).items():
        count = service.get("deploy", {}).get("replicas", 1)
        found |= {f"{name}-{n}" if count > 1 else name: name for n in range(1, count + 1)}
    return found


@dataclass(frozen=True)
class Description:
    """A container as the file describes it, ready to be started as a process."""

    name: str
    service: str
    address: str
    folder: Path
    entrypoint: Sequence[str]
    command: Sequence[str]
    environ: Mapping[str, str]
    health_check: Sequence[str]
    stop_signal: signal.Signals
    stop_seconds: float
    depends_on: Mapping[str, str]
    # The paths inside the container, and what they are on this machine.
    mounts: Mapping[str, Path]

    @property
    def tmp(self) -> Path:
        return self.mounts["/tmp"]


class Rewriter:
    """Rewrites the texts of one container, whose mounts and address are known."""

    def __init__(
        self, mounts: Mapping[str, Path], hosts: Mapping[str, Sequence[str]], address: str, image: Image
    ) -> None:
        self._mounts = mounts
        self._hosts = hosts
        self._address = address
        targets = "|".join(sorted(map(re.escape, mounts), key=len, reverse=True))
        self._target = re.compile(rf"(?<![\w.-])({targets})(?![\w.-])")
        # The image's changes that no text had yet.
        self.changes = dict(image.changes)

    def __call__(self, text: str) -> str:
        for old in [old for old in self.changes if old in text]:
            text = text.replace(old, self.changes.pop(old).format(address=self._address))
        text = self._target.sub(lambda found: str(self._mounts[found[1]]), text)
        lines = [rewritten for line in text.splitlines(keepends=True) for rewritten in self._addressed(line)]
        return _OWN_ADDRESS.sub(self._address, "".join(lines))

    def _addressed(self, line: str) -> list[str]:
        """Replace the name of a service; a name of several containers makes a line for each."""
        host = next((found[1] for found in _HOST.finditer(line) if found[1] in self._hosts), None)
        if host is None:
            return [line]
        return [re.sub(rf"(?<=[@/ ]){host}(?=:\d)", address, line) for address in self._hosts[host]]


class ComposeFile:
    """The file's containers below a folder, on the addresses of a network of the loopback.

    `variables` are those of the shell that calls compose, `settings` the lines of settings.env. Machines that
    share nothing have volumes of their own; with an engine, containers of one machine share them.
    """

    def __init__(
        self,
        folder: Path,
        network: str,
        *,
        profiles: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        shares_volumes: bool = True,
    ) -> None:
        self.folder = folder
        self._settings = settings or {}
        self._shares_volumes = shares_volumes
        self._file: dict[str, Any] = _interpolated(yaml.safe_load(COMPOSE.read_text()), variables or {})
        names = replicas(profiles)
        self._addresses = {name: f"{network}.{number}" for number, name in enumerate(names, 1)}
        self._hosts: dict[str, list[str]] = {}
        for name, service in names.items():
            self._hosts.setdefault(service, []).append(self._addresses[name])
        self.descriptions = {name: self._describe(name, service) for name, service in names.items()}

    def _describe(self, name: str, service_name: str) -> Description:
        service: Service = self._file["services"][service_name]
        image = IMAGES[service["image"].split(":")[0]]
        folder, address = self.folder / "containers" / name, self._addresses[name]
        mounts = self._mounts(folder, service)
        rewrite = Rewriter(mounts, self._hosts, address, image)
        self._write_files(service, mounts, rewrite)
        command = [*(service.get("command") or image.command)]
        command += [word.format(address=address, port=free_port()) for word in image.listening]
        settings = self._settings if "env_file" in service else {}
        environ = {**settings, **service.get("environment", {})}
        description = Description(
            name=name,
            service=service_name,
            address=address,
            folder=folder,
            entrypoint=image.entrypoint,
            command=[rewrite(str(word)) for word in command],
            environ={key: rewrite(text) for key, text in environ.items()},
            health_check=_as_words(
                [rewrite(word) for word in service.get("healthcheck", {}).get("test", ())]
            ),
            stop_signal=image.stop_signal,
            # An engine waits for ten seconds where the file does not say how long.
            stop_seconds=float(service.get("stop_grace_period", "10s").removesuffix("s")),
            depends_on={other: wait["condition"] for other, wait in service.get("depends_on", {}).items()},
            mounts=mounts,
        )
        assert not rewrite.changes, f"{name} does not contain {', '.join(rewrite.changes)}"
        return description

    def _mounts(self, folder: Path, service: Service) -> dict[str, Path]:
        """Create what is mounted, but for the content of files."""
        mounts = {"/tmp": folder / "tmp", "/run/secrets": folder / "secrets"}
        for volume in service.get("volumes", ()):
            source, target = volume.split(":")
            mounts[target] = (self.folder if self._shares_volumes else folder) / "volumes" / source
        for path in mounts.values():
            path.mkdir(parents=True, exist_ok=True)
        (folder / "configs").mkdir()
        configs = service.get("configs", ())
        return mounts | {config["target"]: folder / "configs" / config["source"] for config in configs}

    def _write_files(self, service: Service, mounts: Mapping[str, Path], rewrite: Rewriter) -> None:
        """Write the secrets and the configuration files that the service lists."""
        for secret in service.get("secrets", ()):
            content = (self.folder / self._file["secrets"][secret]["file"]).read_text()
            (mounts["/run/secrets"] / secret).write_text(rewrite(content))
        for config in service.get("configs", ()):
            content = (ROOT / self._file["configs"][config["source"]]["file"]).read_text()
            mounts[config["target"]].write_text(rewrite(content))


def _interpolated(part: Any, variables: Mapping[str, str]) -> Any:
    """Put the variables of the shell into all texts of a part of the file."""
    if isinstance(part, dict):
        return {key: _interpolated(value, variables) for key, value in part.items()}
    if isinstance(part, list):
        return [_interpolated(value, variables) for value in part]
    if not isinstance(part, str):
        return part
    return _VARIABLE.sub(lambda found: "$" if found[0] == "$$" else variables.get(found[1]) or found[2], part)


def _as_words(test: Sequence[str]) -> list[str]:
    """Return the command of a health check."""
    if not test:
        return []
    kind, *words = test
    assert kind in {"CMD", "CMD-SHELL"}
    return words if kind == "CMD" else ["sh", "-c", *words]
