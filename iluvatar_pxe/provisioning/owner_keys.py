"""Makes the keys that the owner of a new repository lacks, and shows them once."""

import asyncio
from collections.abc import Callable

import structlog

from iluvatar_pxe.errors import FleetError, RepositoryError, SealError
from iluvatar_pxe.fleet.daemon_files import RecipientsFile
from iluvatar_pxe.gitops.origin import FollowedOrigin, Origin
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.gitops.secrets.first_keys import FirstKeys, enlisting_of, make_first_keys
from iluvatar_pxe.host.console import is_shown_once
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.settings.model import Settings

PAUSE = 300.0
"""Seconds until they are tried again, for a repository that could not be reached."""

_log = structlog.get_logger()


class OwnerKeys:
    """The owner's keys to a repository; nobody has any of a plain directory."""

    def __init__(self, settings: Settings, origin: Origin | None) -> None:
        self._settings = settings
        self._origin = origin
        self._problem = Problem(
            lambda why: _log.warning("fleet.keys", why=why, later="iluvatar-pxe fleet init")
        )
        self.first = FirstKeys()
        """What the owner is to see now, and never again."""

    @property
    def problem(self) -> str | None:
        """Why they could not be made here; of a repository elsewhere only the log tells."""
        return None if isinstance(self._origin, FollowedOrigin) else self._problem.text

    async def make(self, known: Revision | None = None) -> bool:
        """Make those that are lacking, and say whether that could be done; ``known`` is the applied commit."""
        if self._origin is None:
            return True
        try:
            self.first = await make_first_keys(
                self._settings, self._origin, shown=is_shown_once(), known=known
            )
        except (FleetError, RepositoryError, SealError) as error:
            self._problem.set(str(error).partition("\n")[0])
            return False
        self._problem.clear()
        return True

    async def show(self, show: Callable[[FirstKeys], None]) -> None:
        """Show them; for a repository elsewhere they are made now, and later where that failed."""
        origin = self._origin
        if origin and not origin.read_only and (self._problem.text or isinstance(origin, FollowedOrigin)):
            while True:
                if await self.make():
                    break
                await asyncio.sleep(PAUSE)
        show(self.first)

    async def are_anothers(self, recipients: RecipientsFile) -> bool:
        """Say whether another daemon is among the recipients, or whether that cannot be told."""
        try:
            own = (await enlisting_of(self._settings)).daemon
        except SealError:
            return True
        return any(key != own for key in recipients.daemons.values())
