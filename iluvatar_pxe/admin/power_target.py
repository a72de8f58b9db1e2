"""The machine whose power is meant: one that was seen, or one that so far only a file lists. Pure."""

from ipaddress import IPv4Address

from msgspec import Struct

from iluvatar_pxe.errors import OperationError, UnknownMachineError
from iluvatar_pxe.fleet.lookup import find_machine, listed_as, title_of
from iluvatar_pxe.fleet.models import Fleet, ListedMachine
from iluvatar_pxe.fleet.power import Power
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.sighting import Firmware


class PowerTarget(Struct, frozen=True, kw_only=True):
    """At least one of ``machine`` and ``listed`` is there."""

    name: str
    machine: Machine | None
    listed: ListedMachine | None

    @property
    def macs(self) -> tuple[str, ...]:
        """The MACs that are surely its own: what its file lists, and what was seen and is in no doubt."""
        declared = self.listed.file.match.macs if self.listed else ()
        seen = [mac for mac in self.machine.macs if mac not in self.machine.unsure] if self.machine else ()
        return tuple(dict.fromkeys([*declared, *seen]))

    @property
    def address(self) -> IPv4Address | None:
        """Where it was seen last, else where its file says that it is."""
        seen = self.machine.address if self.machine else None
        return seen or (self.listed.file.address if self.listed else None)

    @property
    def power(self) -> Power:
        """What switches it; raises OperationError where its file does not say that."""
        declared = self.listed.file.power if self.listed else None
        if declared is None:
            raise OperationError(
                f"{self.name}: nothing says what switches its power; write 'power' in machines/{self.name}.yaml"
            )
        return declared

    @property
    def is_uefi(self) -> bool:
        """Say whether its firmware is UEFI, as that of one which was never seen probably is."""
        return self.machine is None or self.machine.firmware is not Firmware.BIOS_PXE


def power_target(text: str, snapshot: Snapshot, fleet: Fleet) -> PowerTarget:
    """Return the machine that goes by ``text``; raises UnknownMachineError, OperationError where its identity is unclear."""
    try:
        machine = find_machine(text, snapshot, fleet)
    except UnknownMachineError:
        listed = next((one for one in fleet.listed if one.name == text.strip().lower()), None)
        if listed is None:
            raise
        return PowerTarget(name=listed.name, machine=None, listed=listed)
    title = title_of(machine, fleet)
    if machine.conflict:
        raise OperationError(f"{title}: {machine.conflict}; first: iluvatar-pxe machines release {title}")
    return PowerTarget(name=title, machine=machine, listed=listed_as(machine, fleet))
