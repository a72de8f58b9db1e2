"""The declared state as one part of the daemon: where it comes from, who decides by it, who is told."""

import asyncio

from iluvatar_pxe.gitops.directory import DirectoryKeeper
from iluvatar_pxe.gitops.follower import Keeper
from iluvatar_pxe.gitops.mirror import Mirror
from iluvatar_pxe.gitops.origin import Home
from iluvatar_pxe.gitops.repository.remote import Remote
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.provisioning.assigner import GitAssigner
from iluvatar_pxe.provisioning.booter import Desk
from iluvatar_pxe.provisioning.rollout import FleetOffice
from iluvatar_pxe.settings.model import HOSTED, Settings


class Declared:
    """Puts the fleet in force at the desk; a plain directory's, or a repository's, which then decides too."""

    def __init__(self, settings: Settings, home: Home | None, desk: Desk, inventory: Inventory) -> None:
        self._office = FleetOffice(desk, inventory)
        self._assigner: GitAssigner | None = None
        self._mirror: Mirror | None = None
        if home is None:
            self._keeper: Keeper | DirectoryKeeper = DirectoryKeeper(settings.fleet_directory, self._office)
            return
        self._keeper = keeper = Keeper(home, self._office)
        if not home.read_only:
            self._assigner = GitAssigner(inventory, keeper)
            desk.decide_by(self._assigner)
            self._office.bring_in = self._assigner.bring_in
        if settings.fleet.mirror and settings.fleet.source == HOSTED:
            remote = Remote.of(settings.fleet.mirror, settings.fleet, settings.state_directory)
            self._mirror = Mirror(home.repository.path, remote)
            self._office.mirror = self._mirror.wake

    @property
    def problem(self) -> str | None:
        """Why the newest state is not in force, or its copy elsewhere is not up to date; None when all is well."""
        return self._keeper.problem or (self._mirror.problem if self._mirror else None)

    async def start(self) -> None:
        """Put it in force; raises FleetError where there is no valid state at all."""
        await self._keeper.start()

    async def run(self) -> None:
        """Follow it, until cancelled."""
        parts = (self._keeper, self._office, self._assigner, self._mirror)
        async with asyncio.TaskGroup() as group:
            for part in parts:
                if part:
                    group.create_task(part.run())

    def wake(self) -> None:
        """Have it looked at now."""
        self._keeper.wake()

    async def refresh(self) -> None:
        """Look at it now; what is faulty changes nothing."""
        await self._keeper.refresh()
