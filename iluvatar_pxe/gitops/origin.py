"""The origin of the fleet's repository, on this host or remote; its branch is authoritative."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import structlog

from iluvatar_pxe.errors import LostRaceError, RepositoryError
from iluvatar_pxe.gitops.repository.bare import Repository
from iluvatar_pxe.gitops.repository.remote import NETWORK_SECONDS, Remote
from iluvatar_pxe.host.directory_watch import DirectoryWatch
from iluvatar_pxe.problem import Problem

FETCH_SECONDS = 20.0
"""Timeout of a fetch, after which the origin counts as unreachable."""
LOOK_SECONDS = 1.0
"""How often a local repository is checked where the kernel does not tell of pushes."""
AGAIN_SECONDS = 10.0
"""How often its refs are checked where it does: another repository may have been mounted there."""
ANYWAY_SECONDS, SOON_SECONDS = 60.0, 10.0
"""It is read at least this often, and while something is wrong."""
LONGEST_PAUSE = 120.0
"""Longest interval, in seconds, between attempts to reach an origin: new machines wait for it."""

_log = structlog.get_logger()


class Origin(Protocol):
    """``repository`` has all that was read of it."""

    @property
    def repository(self) -> Repository: ...

    @property
    def read_only(self) -> bool:
        """Whether this daemon decides nothing by it."""
        ...

    async def newest(self) -> str:
        """Return the newest commit of the branch; raises RepositoryError."""
        ...

    async def push(self, old: str, new: str) -> None:
        """Put the branch from ``old`` on ``new``; raises LostRaceError, RefusedPushError or RepositoryError."""
        ...

    async def changed(self, *, is_well: bool = True) -> None:
        """Return when it is worth a look; ``is_well`` says whether all that was found at the last one was good."""
        ...

    @property
    def spare(self) -> Remote | None:
        """Who else has the repository's objects, if anybody does."""
        ...


class HostedOrigin:
    """A repository on this host."""

    read_only = False

    def __init__(self, repository: Repository, mirror: Remote | None = None) -> None:
        self.repository = repository
        self.spare = mirror
        self._seen: object = None
        self._watch = DirectoryWatch()
        self._untold = Problem(lambda why: _log.warning("git.untold", why=why))

    async def newest(self) -> str:
        """Return the branch's newest commit."""
        self._seen = await asyncio.to_thread(self._marks)
        tip = await self.repository.tip()
        if tip is None:
            where = f"{self.repository.path}: branch {self.repository.branch} is not there, or damaged"
            raise RepositoryError(f"{where}; push a fleet there, or set [fleet] branch")
        return tip

    async def push(self, old: str, new: str) -> None:
        """Move the branch, if nobody else has."""
        await self.repository.advance(old, new)

    async def changed(self, *, is_well: bool = True) -> None:
        """Wait until a ref has been written, and not for ever: what could not be read then may be read now."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ANYWAY_SECONDS if is_well else SOON_SECONDS):
                while await asyncio.to_thread(self._look) == self._seen:
                    await (
                        asyncio.sleep(LOOK_SECONDS) if self._untold.text else self._watch.news(AGAIN_SECONDS)
                    )

    def _look(self) -> object:
        """Have the kernel tell of what comes, and return the marks."""
        try:
            self._watch.follow(self._directories())
        except OSError as error:
            every = f"it is looked at every {LOOK_SECONDS:g} s"
            self._untold.set(
                f"{self.repository.path}: the kernel tells of no pushes: {error.strerror}; {every}"
            )
        else:
            self._untold.clear()
        return self._marks()

    def _directories(self) -> Iterator[Path]:
        """Yield those in which something happens whenever the branch changes, or the repository is another one."""
        path = self.repository.path
        yield path.parent
        yield path
        folders = Path(self.repository.ref).parents
        yield from (path / folder for folder in folders if folder.parts)

    def _marks(self) -> object:
        """Return what changes whenever the branch does: Git writes refs by renaming a new file into place."""
        return [_mark(self.repository.path / name) for name in (self.repository.ref, "packed-refs")]


def _mark(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


class FollowedOrigin:
    """A remote repository, with a local copy."""

    def __init__(self, repository: Repository, remote: Remote, poll: float, *, read_only: bool) -> None:
        """``poll`` is in seconds."""
        self.repository = repository
        self.read_only = read_only
        self.spare = remote
        self._poll = poll
        self._failures = 0

    async def newest(self) -> str:
        """Fetch it."""
        self._failures += 1
        known = await self.repository.tip()
        seconds = FETCH_SECONDS if known else NETWORK_SECONDS
        await self.spare.fetch(self.repository.path, self.repository.branch, seconds)
        tip = await self.repository.tip()
        if tip is None:
            raise RepositoryError(f"{self.spare.url}: its branch is empty")
        self._failures = 0
        return tip

    async def push(self, old: str, new: str) -> None:
        """Push it, and take it for what the origin has then."""
        await self.spare.push(self.repository.path, self.repository.branch, old, new)
        with suppress(LostRaceError):  # another process has fetched it, or what came after
            await self.repository.advance(old, new)

    async def changed(self, *, is_well: bool = True) -> None:  # noqa: ARG002 - it counts its own failures
        """Wait for the time of the next look: longer after each failure, and never at the same time as other Pis."""
        pause = min(self._poll * 2 ** min(self._failures, 10), max(self._poll, LONGEST_PAUSE))
        await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
