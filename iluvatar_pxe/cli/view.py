"""What there is to look at, read without asking the daemon: the inventory, the fleet and the boot files."""

import asyncio
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from iluvatar_pxe.assets.catalogue import SYSTEM_PROGRAMS, list_assets
from iluvatar_pxe.boot.decide import Context, Decision, decide
from iluvatar_pxe.errors import FleetError, RepositoryError
from iluvatar_pxe.fleet.lookup import find_machine
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.reading import fleet_in_force
from iluvatar_pxe.inventory.database.history import BootRecord
from iluvatar_pxe.inventory.database.queries import Stored
from iluvatar_pxe.inventory.database.read_only import last_boots, read_only
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.provisioning.booter import sighting_of
from iluvatar_pxe.settings.model import Settings


@dataclass(frozen=True, slots=True)
class View:
    """The state of one moment, as recorded and declared."""

    settings: Settings
    stored: Stored
    fleet: Fleet

    @classmethod
    def read(cls, settings: Settings) -> "View":
        """Read it; a fleet that is not valid counts as empty, with a line to standard error. Raises InventoryError."""
        stored = read_only(settings.database_url)
        try:
            fleet = asyncio.run(fleet_in_force(settings))
        except (FleetError, RepositoryError) as error:
            line = str(error).partition("\n")[0]
            print(f"iluvatar-pxe: {line}; what the fleet declares is left out", file=sys.stderr)  # noqa: T201
            fleet = Fleet()
        return cls(settings, stored, fleet)

    @property
    def snapshot(self) -> Snapshot:
        """All machines."""
        return self.stored.snapshot

    def find(self, text: str) -> Machine:
        """Return the machine that goes by ``text``; raises UnknownMachineError."""
        return find_machine(text, self.snapshot, self.fleet)

    def boots(self, machine: Machine, most: int) -> tuple[BootRecord, ...]:
        """Return a machine's last boots, the latest last."""
        return tuple(reversed(last_boots(self.settings.database_url, machine.id, most)))

    def decide(self, machine: Machine) -> Decision:
        """Decide what a machine's iPXE, or a Pi's firmware, would be told now, if it asks itself."""
        window = self.stored.window
        context = Context(
            ready=list_assets(self.settings.assets_directory, SYSTEM_PROGRAMS).names,
            window_open=window is not None and window.remaining_at(datetime.now(UTC)) > 0,
        )
        asking = sighting_of(machine)
        if machine.firmware is not Firmware.RASPBERRY_PI:
            asking = replace(sighting_of(machine, Firmware.IPXE), macs=machine.macs)
        return decide(asking, self.snapshot, self.fleet, context)
