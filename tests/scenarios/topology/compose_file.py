"""docker-compose.yml, read as an engine reads it, with paths and addresses of this machine.

A container has a folder and an address of the loopback of its own. What is rewritten, in commands, settings,
secrets and configuration files alike: the paths of what compose mounts, the names of other services, and the
addresses on which a container listens. Everything else is used as it is.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ops.local.ports import free_port

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$\$|\$\{(\w+):-([^}]*)\}")
_HOST = re.compile(r"(?<=[@/ ])([a-z0-9-]+)(?=:\d)")
_OWN_ADDRESS = re.compile(r"\b(?:0\.0\.0\.0|127\.0\.0\.1)\b")


@dataclass(frozen=True)
class Image:
    """What the file leaves to an image."""

    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    # Where containers share one machine, a server that listens everywhere must be given its address.
    listening: Sequence[str] = ()
    changes: Mapping[str, str] = field(default_factory=dict)


def _entrypoint() -> list[str]:
    line = next(
        line
        for line in (ROOT / "ops" / "docker" / "Dockerfile").read_text().splitlines()
        if line.startswith("ENTRYPOINT ")
    )
    words: list[str] = json.loads(line.removeprefix("ENTRYPOINT "))
    return words


# As root nginx would work as `nobody`, to which the test's folder is closed.
_NGINX_OPTIONS = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
_IMAGES = {
    "quiz-reports": Image(_entrypoint()),
    "postgres": Image(
        stop_signal=signal.SIGINT,
        listening=[
            "-D",
            "/proc/self/cwd",
            "-c",
            "listen_addresses={address}",
            "-c",
            "unix_socket_directories=",
        ],
    ),
    "valkey/valkey": Image(
        changes={
            '"dir /data"': '"dir /data" "bind {address}"',
            "valkey-cli ping": "valkey-cli -h {address} ping",
        }
    ),
    "nginxinc/nginx-unprivileged": Image(
        command=["nginx", "-c", "/etc/nginx/nginx.conf", "-g", _NGINX_OPTIONS],
        stop_signal=signal.SIGQUIT,
        changes={"listen 8080": "listen {address}:8080"},
    ),
    "chrislusf/seaweedfs": Image(
        ["weed"],
        listening=[
            *("-ip={address}", "-ip.bind={address}"),
            # Its sockets lie in a folder that all programs share, and are named by these ports.
            *(f"-{part}.port.grpc={{port}}" for part in ("master", "volume", "filer", "s3")),
            *("-s3.localSocket=/tmp/s3", "-filer.localSocket=/tmp/filer"),
        ],
    ),
}


def services(profiles: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Return the services that run with these profiles, as they are written."""
    everything: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
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
        service = self._file["services"][service_name]
        image = _IMAGES[service["image"].split(":")[0]]
        folder = self.folder / "containers" / name
        for part in ("tmp", "secrets", "configs"):
            (folder / part).mkdir(parents=True)
        mounts = {"/tmp": folder / "tmp", "/run/secrets": folder / "secrets"}
        for volume in service.get("volumes", ()):
            source, target = volume.split(":")
            mounts[target] = (self.folder if self._shares_volumes else folder) / "volumes" / source
            mounts[target].mkdir(parents=True, exist_ok=True)
        mounts |= {
            config["target"]: folder / "configs" / config["source"] for config in service.get("configs", ())
        }
        address = self._addresses[name]
        changes = dict(image.changes)

        def rewritten(text: str) -> str:
            for old in [old for old in changes if old in text]:
                text = text.replace(old, changes.pop(old).format(address=address))
            return self._rewritten(text, address, mounts)

        for secret in service.get("secrets", ()):
            content = (self.folder / self._file["secrets"][secret]["file"]).read_text()
            (folder / "secrets" / secret).write_text(rewritten(content))
        for config in service.get("configs", ()):
            content = (ROOT / self._file["configs"][config["source"]]["file"]).read_text()
            mounts[config["target"]].write_text(rewritten(content))
        command = [*(service.get("command") or image.command)]
        command += [word.format(address=address, port=free_port()) for word in image.listening]
        settings = self._settings if "env_file" in service else {}
        environ = {**settings, **service.get("environment", {})}
        health_check = [*service.get("healthcheck", {}).get("test", ())]
        description = Description(
            name=name,
            service=service_name,
            address=address,
            folder=folder,
            entrypoint=image.entrypoint,
            command=[rewritten(str(word)) for word in command],
            environ={key: rewritten(text) for key, text in environ.items()},
            health_check=_as_words([rewritten(word) for word in health_check]),
            stop_signal=image.stop_signal,
            # An engine waits for ten seconds where the file does not say how long.
            stop_seconds=float(service.get("stop_grace_period", "10s").removesuffix("s")),
            depends_on={other: wait["condition"] for other, wait in service.get("depends_on", {}).items()},
            mounts=mounts,
        )
        assert not changes, f"{name} does not contain {', '.join(changes)}"
        return description

    def _rewritten(self, text: str, address: str, mounts: Mapping[str, Path]) -> str:
        targets = "|".join(sorted(map(re.escape, mounts), key=len, reverse=True))
        text = re.sub(rf"(?<![\w.-])({targets})(?![\w.-])", lambda found: str(mounts[found[1]]), text)
        lines = []
        for line in text.splitlines(keepends=True):
            host = next((found[1] for found in _HOST.finditer(line) if found[1] in self._hosts), None)
            # The name of several containers has several addresses, each of which nginx uses.
            addresses = self._hosts[host] if host else []
            lines += [re.sub(rf"(?<=[@/ ]){host}(?=:\d)", to, line) for to in addresses] or [line]
        return _OWN_ADDRESS.sub(address, "".join(lines))


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


def search_path(*folders: Path) -> str:
    """Return a PATH with the installed commands of the service and the servers of this machine."""
    found = [*map(str, folders), str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"]
    return os.pathsep.join(found)
