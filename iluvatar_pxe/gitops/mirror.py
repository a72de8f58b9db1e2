"""The hosted repository's copy elsewhere: pushed after every change, and again until it arrives."""

import asyncio
from contextlib import suppress
from pathlib import Path

import structlog

from iluvatar_pxe.errors import RepositoryError
from iluvatar_pxe.gitops.repository.remote import Remote
from iluvatar_pxe.problem import Problem

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 600.0
"""Seconds between two tries."""
_log = structlog.get_logger()


class Mirror:
    """Pushes the repository to its copy, until that arrives."""

    def __init__(self, repository: Path, remote: Remote) -> None:
        self._repository = repository
        self._remote = remote
        self._changed = asyncio.Event()
        self._changed.set()
        self._problem = Problem(lambda why: _log.error("fleet.mirror", why=why))

    @property
    def problem(self) -> str | None:
        """Return why the copy is not up to date, or None."""
        return self._problem.text

    def wake(self) -> None:
        """Have what has changed pushed."""
        self._changed.set()

    async def run(self) -> None:
        """Push whenever something has changed, until cancelled."""
        pause = FIRST_PAUSE
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._remote.mirror(self._repository)
            except RepositoryError as error:
                self._problem.set(str(error))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), pause)
                self._changed.set()
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self._problem.clear()
                pause = FIRST_PAUSE
                _log.info("fleet.mirrored", to=self._remote.url)
