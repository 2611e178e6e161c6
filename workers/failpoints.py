"""Named steps at which a worker can be told to stop, so that tests can kill or wake it just there."""

from __future__ import annotations

import os
import signal

from models.settings import FAILPOINTS, Settings


def reach(settings: Settings, step: str) -> None:
    """Stop this process (SIGSTOP) if the settings name this step; in production they name none."""
    if step not in FAILPOINTS:
        raise ValueError(f"{step} is no failpoint")
    if settings.failpoint == step:
        os.kill(os.getpid(), signal.SIGSTOP)
