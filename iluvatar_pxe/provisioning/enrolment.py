"""Opens and closes the enrolment window: of the whole fleet by a commit, or of this daemon alone."""

import os
from collections.abc import Awaitable, Callable
from typing import Protocol

from iluvatar_pxe.errors import RepositoryError
from iluvatar_pxe.gitops.changes.enrolment import set_window
from iluvatar_pxe.gitops.compare_and_swap import Draw
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.inventory.memory import wall_clock


class WindowKeeper(Protocol):
    """Who opens and closes the window."""

    async def set(self, seconds: int, by: str) -> None:
        """Open it for so many seconds, or close it with 0; raises InventoryError or RepositoryError."""
        ...


class OwnWindow:
    """This daemon's: there is no repository, or none that may be written."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    async def set(self, seconds: int, by: str) -> None:
        """Have the inventory set it."""
        await self._inventory.set_window(seconds, by)


class FleetWindow:
    """The fleet's: every daemon sets it when it applies the commit, this one among them."""

    def __init__(self, commit: Callable[[Draw], Awaitable[Revision]]) -> None:
        self._commit = commit

    async def set(self, seconds: int, by: str) -> None:
        """Commit it."""
        who = f"{by} on {os.uname().nodename}"
        try:
            await self._commit(lambda newest: set_window(newest.fleet.window, seconds, who, wall_clock()))
        except RepositoryError as error:
            raise RepositoryError(f"the enrolment window is as it was: {error}") from error
