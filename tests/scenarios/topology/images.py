"""What docker-compose.yml leaves to the images: how they start and stop, and where their servers listen."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_DOCKERFILE = Path(__file__).parents[3] / "ops" / "docker" / "Dockerfile"


@dataclass(frozen=True)
class Image:
    """An image; {address} stands for the address of a container, {port} for a port that is free."""

    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    # All containers share one machine, so a server that listens everywhere must be given its address: by
    # further words of the command, or by a change of a text of the compose file.
    listening: Sequence[str] = ()
    changes: Mapping[str, str] = field(default_factory=dict)


def _entrypoint() -> list[str]:
    lines = _DOCKERFILE.read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("ENTRYPOINT "))
    words: list[str] = json.loads(line.removeprefix("ENTRYPOINT "))
    return words


# As root nginx would work as `nobody`, to which the test's folder is closed.
_NGINX_OPTIONS = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")

IMAGES = {
    "quiz-reports": Image(_entrypoint()),
    "postgres": Image(
        stop_signal=signal.SIGINT,
        # Its user may not be able to enter the folders above its data, in which it is started.
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
