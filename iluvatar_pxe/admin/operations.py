"""What people may do: one implementation, for the daemon's control socket and for the command line."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from iluvatar_pxe.admin.describe import describe
from iluvatar_pxe.admin.edits import (
    Wanted,
    check_undeclared,
    declared_intent,
    place_for,
    released,
    with_directive,
    with_phase,
)
from iluvatar_pxe.admin.waiting import refused_machines, waiting_machines
from iluvatar_pxe.errors import InventoryError, OperationError
from iluvatar_pxe.fleet.lookup import find_machine, listed_as, title_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Happening
from iluvatar_pxe.machines.merge import split
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Directive, Intent, Phase
from iluvatar_pxe.provisioning.assigner import Assigner, DatabaseAssigner
from iluvatar_pxe.wire.dns.name import Name

CommandResult = dict[str, Any]
"""``message`` says in one line what was done; the rest is data."""


class DnsAdmin(Protocol):
    """What may be asked of the daemon's DNS server."""

    async def query(self, name: Name, kind: int) -> CommandResult:
        """Tell what a client is answered to a name, and where that comes from."""
        ...

    def flush(self) -> int:
        """Forget what upstream resolvers have answered; return how many answers that were."""
        ...


class Operations:
    """``text`` is a machine as ``find_machine`` takes it; ``by`` is who asked for the change.

    Methods raise OperationError for what cannot be done, and InventoryError for what cannot be recorded.
    """

    def __init__(
        self, inventory: Inventory, fleet: Callable[[], Fleet], assigner: Assigner | None = None
    ) -> None:
        """``fleet`` returns the fleet in force; without an ``assigner`` the inventory decides."""
        self._inventory = inventory
        self._fleet = fleet
        self._assigner = assigner or DatabaseAssigner(inventory)
        self.report: Callable[[], CommandResult] = dict
        """How the daemon's parts are; nothing where none runs."""
        self.dns: DnsAdmin | None = None
        """The daemon's; None where none runs."""

    async def set(
        self, text: str, by: str, wanted: Wanted, phase: Phase | None, intent: Intent | None
    ) -> CommandResult:
        """Give a machine that no file lists another place, or say how far any has come or what is wanted of it."""
        machine = self._find(text)
        if intent:
            check_undeclared(machine, self._fleet())
        if wanted != Wanted():
            place = place_for(machine, wanted, self._inventory.snapshot, self._fleet(), by)
            machine = await self._assigner.assign(machine.id, place, self._fleet())
        if phase:
            machine = await self._change(machine, with_phase(phase), f"phase {phase}", by)
        if intent:
            machine = await self._change(
                machine, with_directive(Directive(intent, by)), f"intent {intent}", by
            )
        data = describe(machine, self._fleet())
        role = f"{data['role']} of {data['layer']}, " if data["role"] else ""
        return self._answer(
            machine, f"{self._title(machine)} is {role}{machine.phase}, intent {machine.directive.intent}"
        )

    async def hold(self, text: str, by: str, why: str) -> CommandResult:
        """Have a machine wait at its next boot."""
        directive = Directive(Intent.HOLD, by, why)
        machine = await self._change(
            self._find(text), with_directive(directive), f"hold: {why}".rstrip(": "), by
        )
        return self._answer(machine, f"{self._title(machine)} is held from its next boot on")

    async def release(self, text: str, by: str) -> CommandResult:
        """Let a machine go on that was held, refused, failed or taken for another."""
        machine = self._find(text)
        if released(machine) == machine:
            return self._answer(
                machine, f"{self._title(machine)}: nothing to release{self._declared(machine)}"
            )
        machine = await self._change(machine, released, "released", by)
        return self._answer(machine, f"{self._title(machine)} is released{self._declared(machine)}")

    async def reinstall(self, text: str, by: str) -> CommandResult:
        """Have a machine boot its chain once more although it has joined."""
        machine = self._find(text)
        title = self._title(machine)
        if machine.phase is Phase.FAILED or machine.conflict:
            why = machine.conflict or "it booted again and again and came no further"
            raise OperationError(f"{title}: {why}; first: iluvatar-pxe machines release {title}")
        if machine.assignment is None and listed_as(machine, self._fleet()) is None:
            raise OperationError(f"{title}: it has no place in the fleet yet; list it, or set its layer")
        machine = await self._change(
            machine, with_directive(Directive(Intent.REINSTALL, by)), "reinstall", by
        )
        return self._answer(machine, f"{title} is installed again at its next boot")

    async def forget(self, text: str, by: str) -> CommandResult:
        """Remove a machine and its boots; a name that it was assigned stays taken."""
        machine = self._find(text)
        await self._inventory.forget(machine.id, by)
        return {
            "message": f"{self._title(machine)} is forgotten",
            "machine": describe(machine, self._fleet()),
        }

    async def merge(self, text: str, other: str, by: str) -> CommandResult:
        """Make one machine of two."""
        one, two = self._find(text), self._find(other)
        if one.id == two.id:
            raise OperationError(f"{text} and {other} are one machine already, with {', '.join(one.macs)}")
        machine = await self._inventory.merge(one.id, two.id, by)
        given = (known.assignment for known in (one, two))
        retired = [
            f"; {was.name} stays taken, until reuseNames lists it"
            for was in given
            if was and was != machine.assignment
        ]
        cards = ", ".join(machine.macs)
        return self._answer(machine, f"{self._title(machine)} has {cards} now{''.join(retired)}")

    async def split(self, text: str, mac: str, by: str) -> CommandResult:
        """Make a machine of its own of one card."""
        machine = self._find(text)
        try:
            split(machine, mac, machine.id)  # finds out whether it can be done, before the inventory does it
        except ValueError as error:
            raise OperationError(str(error)) from error
        machine, _ = await self._inventory.split(machine.id, mac, by)
        cards = ", ".join(machine.macs)
        return self._answer(
            machine, f"{self._title(machine)} has {cards} now, and {mac} is a machine of its own"
        )

    async def open_window(self, seconds: int, by: str) -> CommandResult:
        """Let machines that no file lists join, for a while."""
        await self._inventory.open_window(seconds, by)
        return self.enrolment() | {"message": "the enrolment window is open"}

    async def close_window(self, by: str) -> CommandResult:
        """Let no more machines join."""
        await self._inventory.close_window(by)
        return self.enrolment() | {"message": "the enrolment window is closed"}

    def enrolment(self) -> CommandResult:
        """Tell whether machines may join, which ones wait, and which were refused."""
        self._check_health()
        window, fleet, snapshot = self._inventory.window, self._fleet(), self._inventory.snapshot
        now = datetime.now(UTC)
        return {
            "mode": fleet.settings.enrolment.mode.value,
            "open": window.is_open,
            "remaining": round(window.remaining),
            "opened_by": window.opened_by if window.is_open else None,
            "waiting": [describe(one, fleet) for one in waiting_machines(snapshot, fleet, now)],
            "refused": [describe(one, fleet) for one in refused_machines(snapshot, now)],
        }

    def health(self) -> CommandResult:
        """Tell how the parts of the daemon are."""
        return self.report()

    async def dns_query(self, name: Name, kind: int) -> CommandResult:
        """Tell what a client is answered to a name, and where that comes from."""
        return await self._dns().query(name, kind)

    def dns_flush(self) -> CommandResult:
        """Forget what upstream resolvers have answered."""
        return {"message": f"{self._dns().flush()} remembered answers are forgotten"}

    def upgrade(self) -> CommandResult:
        """Tell whether the database has this program's tables: whoever opened it has seen to that."""
        self._check_health()
        return {"message": "the database is up to date"}

    async def backup(self, file: Path) -> CommandResult:
        """Write a copy of the database."""
        await self._inventory.backup(file)
        return {"message": f"{file} is a copy of the database"}

    async def restore(self, file: Path) -> CommandResult:
        """Put a copy in the place of the database."""
        kept = await self._inventory.restore(file)
        return {
            "message": f"the database is that of {file} now" + (f"; the old one is {kept}" if kept else "")
        }

    async def set_aside(self) -> CommandResult:
        """Begin with an empty database."""
        path = await self._inventory.set_aside()
        return {"message": f"a new database is in use; the old one is {path}"}

    def _dns(self) -> DnsAdmin:
        if self.dns is None:
            raise OperationError("no daemon runs that could be asked; start it: iluvatar-pxe serve")
        return self.dns

    def _check_health(self) -> None:
        """Refuse while the database is away: little may be known then."""
        if self._inventory.health:
            raise InventoryError(self._inventory.health)

    def _find(self, text: str) -> Machine:
        self._check_health()
        return find_machine(text, self._inventory.snapshot, self._fleet())

    async def _change(
        self, machine: Machine, edit: Callable[[Machine], Machine], detail: str, by: str
    ) -> Machine:
        return await self._inventory.change(machine.id, edit, Happening.CHANGED, detail, by)

    def _title(self, machine: Machine) -> str:
        return title_of(machine, self._fleet())

    def _answer(self, machine: Machine, message: str) -> CommandResult:
        return {"message": message, "machine": describe(machine, self._fleet())}

    def _declared(self, machine: Machine) -> str:
        """Return what the machine's own file wants of it, where that is not to boot."""
        why = declared_intent(machine, self._fleet())
        return f", but {why}; change that file" if why else ""
