"""The origin of the fleet's repository, on this host or remote; its branch is authoritative."""

import asyncio
import random
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from iluvatar_pxe.errors import LostRaceError, RepositoryError
from iluvatar_pxe.gitops.repository.bare import Repository
from iluvatar_pxe.gitops.repository.remote import NETWORK_SECONDS, Remote

FETCH_SECONDS = 20.0
"""Timeout of a fetch, after which the origin counts as unreachable."""
LOOK_SECONDS = 0.25
"""How often a local repository is checked, so that every push is applied within a second."""
ANYWAY_SECONDS = 10.0
"""It is checked at least this often."""
LONGEST_PAUSE = 120.0
"""Longest interval, in seconds, between attempts to reach an origin: new machines wait for it."""


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

    async def changed(self) -> None:
        """Return when it is worth a look."""
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

    async def changed(self) -> None:
        """Wait until a ref has been written, and not for ever: what could not be read then may be read now."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ANYWAY_SECONDS):
                while await asyncio.to_thread(self._marks) == self._seen:  # noqa: ASYNC110 - a file tells nobody
                    await asyncio.sleep(LOOK_SECONDS)

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

    async def changed(self) -> None:
        """Wait for the time of the next look: longer after each failure, and never at the same time as other Pis."""
        pause = min(self._poll * 2 ** min(self._failures, 10), max(self._poll, LONGEST_PAUSE))
        await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
