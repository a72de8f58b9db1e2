"""The hosted repository's mirror: pushed after every change, and retried until it succeeds."""

import asyncio
from contextlib import suppress
from pathlib import Path

import structlog

from iluvatar_pxe.changed import Changed, Subscription
from iluvatar_pxe.errors import RepositoryError
from iluvatar_pxe.gitops.repository.remote import Remote
from iluvatar_pxe.problem import Problem

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 600.0
"""Seconds between two tries."""
_log = structlog.get_logger()


class Mirror:
    """Pushes the repository to its mirror, and retries until it succeeds."""

    def __init__(self, repository: Path, remote: Remote, changed: Changed) -> None:
        """``changed`` is told when there is something to push."""
        self._repository = repository
        self._remote = remote
        self._changed = changed
        self._problem = Problem(lambda why: _log.error("fleet.mirror", why=why))

    @property
    def problem(self) -> str | None:
        """Return why the copy is not up to date, or None."""
        return self._problem.text

    async def run(self) -> None:
        """Push at the start and whenever something has changed, until cancelled."""
        with Subscription(self._changed) as news:
            while True:
                await news.wait()
                await self._push(news)

    async def _push(self, news: Subscription) -> None:
        """Push until it arrives; after a failure wait a while, or until there is more to push."""
        pause = FIRST_PAUSE
        while not await self._has_pushed():
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await news.wait()
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _has_pushed(self) -> bool:
        try:
            await self._remote.mirror(self._repository)
        except RepositoryError as error:
            self._problem.set(str(error))
            return False
        self._problem.clear()
        _log.info("fleet.mirrored", to=self._remote.url)
        return True
