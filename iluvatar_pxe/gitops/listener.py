"""The listener of fleet changes, called by whatever reads the fleet."""

from typing import Protocol

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.repository.bare import Commit


class Listener(Protocol):
    """Neither raises."""

    async def adopt(self, fleet: Fleet, commit: Commit | None, *, rewritten: bool = False) -> None:
        """Go by this fleet from now on; ``commit`` is None where it is a plain directory.

        ``rewritten``: the commit is not a descendant of the applied one.
        """
        ...

    async def reject(self, commit: Commit | None, error: FleetError) -> None:
        """Take note that a newer state is not valid, so that the old one stays applied."""
        ...
