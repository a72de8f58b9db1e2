"""The listener of fleet changes, called by whatever reads the fleet."""

import math
from typing import Protocol

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.repository.bare import Commit


class Listener(Protocol):
    """Neither raises."""

    async def adopt(
        self, fleet: Fleet, commit: Commit | None, *, rewritten: bool = False, most_age: float = math.inf
    ) -> None:
        """Go by this fleet from now on; ``commit`` is None where it is a plain directory.

        ``rewritten``: the commit is not a descendant of the applied one. ``most_age``: so many seconds ago at most the
        branch had the one that was applied before; infinite if that is not known.
        """
        ...

    async def reject(self, commit: Commit | None, error: FleetError) -> None:
        """Take note that a newer state is not valid, so that the old one stays applied."""
        ...
