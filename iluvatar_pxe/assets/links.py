"""Symbolic links in the assets directory: one is followed if whoever made it could have put a copy there instead.

So a link gives away nothing that its maker may not read himself. Root and the service's own user may make any, but
none to the daemon's own state.
"""

import errno
import os
import stat
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from iluvatar_pxe.errors import AssetError

_MOST_LINKS = 40
"""On the way to one file, as in the kernel (path_resolution(7))."""


class Place(Struct, frozen=True):
    """Where a link leads: a path without links, what is there, and the users that made the links on the way."""

    path: Path
    status: os.stat_result
    makers: frozenset[int]


class Bounds(Struct, frozen=True):
    """The assets directory, and the state directory, which may hold it; neither path has links in it."""

    root: Path
    state: Path | None

    def check(self, path: Path, reached: Path) -> None:
        """Raise AssetError if ``path`` leads to what the daemon keeps for itself, whoever made the link."""
        if self.state and reached.is_relative_to(self.state) and not self._is_asset(reached, self.state):
            raise AssetError(
                f"{path}: leads into the state directory, which has the daemon's keys; "
                "only the assets directory in it is served, so copy the file there"
            )

    def _is_asset(self, reached: Path, state: Path) -> bool:
        return self.root != state and self.root.is_relative_to(state) and reached.is_relative_to(self.root)


def enter(directory: Path) -> Place:
    """Return where the assets directory is; raises OSError, or AssetError if a stranger's link leads to it."""
    place, _ = _walk(directory.absolute())
    for maker in place.makers - {0, os.geteuid()}:
        raise AssetError(
            f"{directory}: user {maker} made a link on the way to it; make the link with sudo ln -s"
        )
    return Place(place.path, place.status, frozenset())


def follow(link: Path, root: Path) -> Place:
    """Return where a link leads; raises AssetError where it leads out of ``root`` to what its maker may not read.

    ``root`` has no links in it.
    """
    try:
        place, passed = _walk(link)
    except OSError as error:
        raise AssetError(f"{_words(link)}: {error.strerror}; correct or remove the link") from error
    if place.path.is_relative_to(root):
        return Place(place.path, place.status, frozenset())
    for status in (*passed, place.status):
        allow(place.makers, Place(link, status, frozenset()))
    return place


def allow(makers: Iterable[int], place: Place) -> None:
    """Raise AssetError unless all who made the links to a place may read it, as far as owner and mode tell."""
    for maker in makers:
        if not _may_read(maker, place.status):
            raise AssetError(
                f"{place.path}: user {maker}, who linked it here, may not read it; make the link with sudo ln -s"
            )


def _may_read(maker: int, status: os.stat_result) -> bool:
    """Say whether a user may read a file, or enter a directory; groups do not count."""
    needed = stat.S_IXOTH if stat.S_ISDIR(status.st_mode) else stat.S_IROTH
    return maker in {0, os.geteuid(), status.st_uid} or bool(status.st_mode & needed)


def _words(link: Path) -> str:
    try:
        return f"{link}: is a link to {link.readlink()}"
    except OSError:  # gone since
        return f"{link}: is a link"


def _walk(path: Path) -> tuple[Place, list[os.stat_result]]:
    """Resolve every link, and return what was passed on the way; raises OSError."""
    here, rest = Path("/"), deque(path.parts[1:])
    passed = [here.lstat()]
    makers: list[int] = []
    while rest:
        part = rest.popleft()
        if part == "..":
            here = here.parent
            continue
        status = (here / part).lstat()
        if not stat.S_ISLNK(status.st_mode):
            here /= part
            passed.append(status)
            continue
        makers.append(status.st_uid)
        if len(makers) > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = (here / part).readlink()
        here = Path("/") if target.is_absolute() else here
        rest.extendleft(reversed(target.parts[1:] if target.is_absolute() else target.parts))
    return Place(here, here.stat(), frozenset(makers)), passed
