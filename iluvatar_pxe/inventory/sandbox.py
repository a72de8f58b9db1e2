"""Simulated machines of ``iluvatar-pxe simulate``: kept in memory, never written to the inventory."""

import time
from collections.abc import Callable
from ipaddress import IPv4Address
from uuid import UUID, uuid4

from iluvatar_pxe.boot.assign import PlaceRequest, assignment_for, taken_by
from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.inventory.window import Window
from iluvatar_pxe.machines.boots import Happening, Stage, begins_boot
from iluvatar_pxe.machines.inspection import Inspection
from iluvatar_pxe.machines.model import NOT_LISTED, Listed, Machine, Snapshot
from iluvatar_pxe.machines.observe import Step, first_seen, observed
from iluvatar_pxe.machines.seed import Seed
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.values import replace

MOST_MACHINES = 1024
"""Simulated machines remembered at once; the one that was heard of least lately goes first."""
FRESH_SECONDS = 1.0
"""Making a snapshot of as many costs some 10 ms, which anybody could ask for with each message."""


class Sandbox:
    """Behaves like an ``Inventory``, on top of what the real one knows; its ``snapshot`` has both.

    One with the MAC of a real machine begins each boot as that machine is then.
    """

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._played: Recent[UUID, Machine] = Recent(MOST_MACHINES)
        self._at: Recent[IPv4Address, UUID] = Recent(MOST_MACHINES)
        self._stage = Snapshot()
        self._stale_at = 0.0
        """When ``_stage`` is to be made of the real snapshot again, by the monotonic clock."""

    @property
    def window(self) -> Window:
        """The real window."""
        return self._inventory.window

    @property
    def health(self) -> str | None:
        """The real inventory's."""
        return self._inventory.health

    @property
    def snapshot(self) -> Snapshot:
        """The real machines of ``FRESH_SECONDS`` ago at most, and those that are played in the place of some."""
        if time.monotonic() >= self._stale_at:
            self._stage = self._inventory.snapshot
            for machine in self._played.values():
                self._stage = self._stage.with_machine(machine)
            self._stale_at = time.monotonic() + FRESH_SECONDS
        return self._stage

    def machine_at(self, address: IPv4Address) -> Machine | None:
        """Return the machine that was played from this address last, or None."""
        machine_id = self._at.get(address)
        return self._played.get(machine_id) if machine_id else None

    def asked_within(self, machine_id: UUID, seconds: float) -> bool:
        """Say whether it is played here, at any time."""
        del seconds
        return machine_id in self._played

    def learn_address(self, sighting: Sighting) -> None:
        """Remember which machine is played from an address."""
        machine = self.snapshot.machine(sighting.mac)
        if machine and sighting.address and machine.id in self._played:
            self._at.put(sighting.address, machine.id)

    def observe(
        self,
        sighting: Sighting,
        stage: Stage,
        *,
        vouched: bool = False,
        listed: Listed = NOT_LISTED,
        chain: str = "",
        most_attempts: int = 5,
        **event: object,
    ) -> Machine:
        """Take in that a machine came to ``stage``; the ``event`` is not recorded."""
        del event
        return self._see(
            sighting, Step(stage, wall_clock(), chain, most_attempts), vouched=vouched, listed=listed
        )

    def touch(
        self, sighting: Sighting, stage: Stage, *, vouched: bool = False, listed: Listed = NOT_LISTED
    ) -> Machine:
        """Take in a sighting."""
        return self._see(sighting, Step(stage, wall_clock()), vouched=vouched, listed=listed)

    def hear(self, machine_id: UUID, sighting: Sighting, stage: Stage, listed: Listed) -> Machine:
        """Take in a sighting."""
        del machine_id
        return self.touch(sighting, stage, listed=listed)

    def note(self, machine_id: UUID, happening: Happening, detail: str, cause: str = "") -> None:
        """Nothing is recorded of what is played."""

    def doubt_nic(self, machine_id: UUID, mac: str) -> None:
        """Nothing is recorded of what is played."""

    def note_inspection(self, machine_id: UUID, inspection: Inspection, detail: str = "") -> None:
        """Nothing is read of what is played."""

    def note_seed(self, machine_id: UUID, seed: Seed) -> None:
        """What is played gets no secrets."""

    async def assign(self, machine_id: UUID, place: PlaceRequest, fleet: Fleet) -> Machine:
        """Give a machine the place that it would probably get now."""
        machine = self._machine(machine_id)
        taken = taken_by(one for one in self.snapshot.by_id.values() if one.id != machine_id)
        return self._put(replace(machine, assignment=assignment_for(place, fleet, taken, wall_clock())))

    async def change(
        self,
        machine_id: UUID,
        edit: Callable[[Machine], Machine],
        happening: Happening,
        detail: str,
        by: str,
    ) -> Machine:
        """Change a machine for as long as it is played; who changed what is not recorded."""
        del happening, detail, by
        return self._put(edit(self._machine(machine_id)))

    def _see(self, sighting: Sighting, step: Step, *, vouched: bool, listed: Listed) -> Machine:
        known = self.snapshot.machine(sighting.mac, listed.macs)
        if known is None:
            machine = first_seen(sighting, step, uuid4())
        else:
            if begins_boot(known.reached, step.stage):
                known = self._inventory.snapshot.machine(sighting.mac, listed.macs) or known
            machine = observed(known, sighting, step)
            machine = replace(machine, macs=tuple(dict.fromkeys((*machine.macs, sighting.mac))))
        if vouched and sighting.macs:
            machine = replace(machine, claimed=sighting.macs[1:])
        machine = self._put(machine)
        self.learn_address(sighting)
        return machine

    def _machine(self, machine_id: UUID) -> Machine:
        machine = self._played.get(machine_id)
        if machine is None:
            raise InventoryError("the simulated machine was forgotten; boot it again")
        return machine

    def _put(self, machine: Machine) -> Machine:
        dropped = self._played.put(machine.id, machine)
        self._stage = self.snapshot.with_machine(machine)
        if dropped:
            self._stage = self._stage.without(dropped[0])
        return machine
