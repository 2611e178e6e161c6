"""The user that an embedded server runs as when root starts it: one that nothing else on the machine has."""

from __future__ import annotations

import grp
import os
import pwd
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import psutil

# No distribution and no service manager hands these out, and a container of 65,536 ids has them too.
_UNUSED_IDS = range(60_578, 61_184)


class UserOptions(TypedDict, total=False):
    """The options of `subprocess` that choose a user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class ServerUser:
    """A user and a group by their numbers; neither needs a name."""

    uid: int
    gid: int

    @property
    def options(self) -> UserOptions:
        """What makes `subprocess` start a program as this user: without root's groups and capabilities."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def take(self, folder: Path) -> None:
        """Give a folder and all in it to this user: the folder last, so that its owner tells of the rest."""
        for path, folders, files in os.walk(folder, topdown=False):
            for name in (*folders, *files):
                os.lchown(Path(path, name), self.uid, self.gid)
        os.lchown(folder, self.uid, self.gid)


def nobody() -> ServerUser:
    """Find the user that every system has for work without rights."""
    entry = pwd.getpwnam("nobody")
    return ServerUser(entry.pw_uid, entry.pw_gid)


def owner_alone(folder: Path) -> ServerUser:
    """Return the owner of a server's data, which gets one of its own where that is root or `nobody`.

    Where the system lets root have no further user, as in some containers, `nobody` keeps it.
    """
    status = folder.stat()
    owner, shared = ServerUser(status.st_uid, status.st_gid), nobody()
    if owner.uid not in {0, shared.uid}:
        return owner
    for user in (_unused_user(), shared):
        try:
            user.take(folder)
        except OSError:
            continue
        return user
    raise PermissionError(f"{folder} cannot be given to another user")


def _unused_user() -> ServerUser:
    used = {entry.pw_uid for entry in pwd.getpwall()} | {entry.gr_gid for entry in grp.getgrall()}
    used |= {process.info["uids"].real for process in psutil.process_iter(["uids"]) if process.info["uids"]}
    number = secrets.choice([number for number in _UNUSED_IDS if number not in used])
    return ServerUser(number, number)
