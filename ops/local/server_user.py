"""The user that an embedded server runs as if root starts it: one that nothing else on the machine uses."""

from __future__ import annotations

import grp
import os
import pwd
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import psutil

# No distribution or service manager assigns these ids, and a container with 65,536 ids has them too.
_UNUSED_IDS = range(60_578, 61_184)


class UserOptions(TypedDict, total=False):
    """The options of `subprocess` that set a user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class ServerUser:
    """The ids of a user and a group, neither of which needs a name."""

    uid: int
    gid: int

    @property
    def options(self) -> UserOptions:
        """The options for running a program as this user, without root's groups and capabilities."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def take(self, folder: Path) -> None:
        """Give a folder and its content to this user; the folder last, so that its owner implies the rest."""
        for path, folders, files in os.walk(folder, topdown=False):
            for name in (*folders, *files):
                os.lchown(Path(path, name), self.uid, self.gid)
        os.lchown(folder, self.uid, self.gid)


def nobody() -> ServerUser:
    """Return the unprivileged user that every system has."""
    entry = pwd.getpwnam("nobody")
    return ServerUser(entry.pw_uid, entry.pw_gid)


def owner_alone(folder: Path) -> ServerUser:
    """Return the owner of a server's data; if that is root or `nobody`, give the data an owner of its own.

    If root may not use further ids, as in some containers, `nobody` becomes the owner.
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
