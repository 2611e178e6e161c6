"""Runs one command that ends when its parent does, if need be as another user: `leash.py OPTIONS -- COMMAND`.

It is run as a script of its own, because what it does must happen between fork and exec, where a
process with threads may not run Python.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityData(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def leashed(
    command: Sequence[str],
    *,
    death_signal: signal.Signals = signal.SIGTERM,
    user: tuple[int, int] | None = None,
    reach: bool = False,
) -> list[str]:
    """Return the command line that runs `command` on a leash held by this process.

    `user` is a (user id, group id) to become; `reach` lets it enter folders that only root may enter.
    """
    line = [sys.executable, "-I", "-S", __file__, "--parent", str(os.getpid())]
    line += ["--death-signal", str(int(death_signal))]
    if user is not None:
        line += ["--uid", str(user[0]), "--gid", str(user[1])]
    if reach:
        line += ["--reach"]
    return [*line, "--", *command]


def main(arguments: Sequence[str] | None = None) -> None:
    """Tie this process to its parent, become the user that was asked for, and turn into the command."""
    parser = argparse.ArgumentParser(prog="leash.py")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--death-signal", type=int, default=int(signal.SIGTERM))
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("--reach", action="store_true")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    try:
        if options.uid is not None:
            _become(options.uid, options.gid, reach=options.reach)
        # A change of user clears the death signal, so it is set last.
        _die_with(options.parent, options.death_signal)
        os.execv(options.command[0], options.command)  # noqa: S606
    except OSError as error:
        sys.exit(f"leash: {options.command[0]} cannot be run: {error}")


def _die_with(parent: int, death_signal: int) -> None:
    if sys.platform != "linux":
        # Elsewhere a later start clears away what was left behind.
        return
    _prctl(_PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        # The parent died before the kernel knew.
        sys.exit(1)


def _become(uid: int, gid: int, *, reach: bool) -> None:
    keep = reach and sys.platform == "linux"
    if keep:
        _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    os.umask(0o077)
    if keep:
        _keep_reach()


def _keep_reach() -> None:
    """Keep of root's powers the one to pass through closed folders, also over the coming exec."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    mask = 1 << _CAP_DAC_OVERRIDE
    sets = (_CapabilityData * 2)(_CapabilityData(mask, mask, mask), _CapabilityData(0, 0, 0))
    if libc.capset(ctypes.byref(header), ctypes.byref(sets)) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE)


def _prctl(option: int, *values: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    padded = [*values, 0, 0, 0, 0][:4]
    if libc.prctl(option, *(ctypes.c_ulong(value) for value in padded)) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    main()
