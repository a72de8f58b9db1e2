"""Owners of directories: root's work in the service's directories is done as the service user, or given to it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from msgspec import Struct


class Identity(TypedDict, total=False):
    """Arguments of ``subprocess`` that say as whom to run."""

    user: int
    group: int
    extra_groups: list[int]


class Owner(Struct, frozen=True):
    """User and group of a directory."""

    user: int
    group: int

    @classmethod
    def of(cls, path: Path) -> "Owner":
        """Return the owner of a path; raises OSError."""
        status = path.stat()
        return cls(status.st_uid, status.st_gid)

    @property
    def identity(self) -> Identity:
        """As whom to run a process: as the owner where root asks, else as who asks."""
        if os.geteuid() != 0 or self.user == 0:
            return {}
        return {"user": self.user, "group": self.group, "extra_groups": []}

    def take(self, handle: int) -> None:
        """Give the owner what root has made."""
        if os.geteuid() == 0:
            os.fchown(handle, self.user, self.group)


@contextmanager
def acting_as(owner: Owner) -> Iterator[None]:
    """Do root's work as the owner, all threads and children of this process included; nothing changes for other users."""
    if os.geteuid() != 0 or owner.user == 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    os.setgroups([])
    os.setresgid(owner.group, owner.group, group)
    os.setresuid(owner.user, owner.user, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(group, group, group)
        os.setgroups(groups)


def make_directory(path: Path, mode: int = 0o700) -> None:
    """Make a directory where there is none, for the owner of the one above it; raises OSError."""
    try:
        path.mkdir(mode=mode)
    except FileExistsError:
        if path.is_dir():
            return
        raise
    owner = Owner.of(path.parent)
    if os.geteuid() == 0:
        os.chown(path, owner.user, owner.group)
