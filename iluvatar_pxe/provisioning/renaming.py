"""Gives listed machines other names, by commits to the fleet's repository."""

import os
from collections.abc import Awaitable, Callable

from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.gitops.changes.joining import taken_names
from iluvatar_pxe.gitops.changes.renaming import rename
from iluvatar_pxe.gitops.compare_and_swap import Draw
from iluvatar_pxe.gitops.repository.bare import Changes
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.inventory.inventory import Inventory


class Renamer:
    """Commits what is asked for; ``commit`` is None where this daemon may not write the fleet."""

    def __init__(
        self, inventory: Inventory, commit: Callable[[Draw], Awaitable[Revision]] | None = None
    ) -> None:
        self._inventory = inventory
        self._commit = commit

    async def rename(self, old: str, new: str, by: str) -> None:
        """Move a machine's file; raises OperationError, InventoryError and RepositoryError."""
        if self._commit is None:
            raise OperationError(
                f"{old}: this daemon does not write the fleet; rename machines/{old}.yaml there, to {new}.yaml"
            )
        retired = await self._inventory.retired_names()

        def draw(newest: Revision) -> Changes:
            machines = self._inventory.snapshot.by_id.values()
            taken = taken_names(machines, newest.fleet, retired)
            return rename(newest, old, new, taken, f"{by} on {os.uname().nodename}")

        await self._commit(draw)
