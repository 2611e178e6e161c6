"""The parent death signal: child processes end when their parent does, however it ended."""

from __future__ import annotations

import functools
import shutil
import signal
import subprocess
from collections.abc import Sequence


def dies_with_parent(command: Sequence[str], death_signal: signal.Signals = signal.SIGTERM) -> list[str]:
    """Return a command line that runs `command` and has the kernel signal it when its parent dies.

    Without `setpriv` of util-linux the command line is unchanged, and the next start ends the orphans.
    """
    setpriv = _setpriv()
    prefix = [setpriv, "--pdeathsig", death_signal.name.removeprefix("SIG"), "--"] if setpriv else []
    return [*prefix, *command]


@functools.cache
def _setpriv() -> str | None:
    found = shutil.which("setpriv")
    if found is None:
        return None
    # Busybox has a program of the same name without this option.
    trial = subprocess.run([found, "--pdeathsig", "keep", "true"], capture_output=True, check=False)
    return found if trial.returncode == 0 else None
