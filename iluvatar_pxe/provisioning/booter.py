"""What every server shares: the fleet in force, the inventory, the boot files, and the decision made of them."""

import asyncio
import time
from collections.abc import Callable
from ipaddress import IPv4Address

import structlog

from iluvatar_pxe.assets.catalogue import Catalogue
from iluvatar_pxe.boot.decide import Context, plan_for
from iluvatar_pxe.boot.plan import AssignFirst, Hold, Plan
from iluvatar_pxe.errors import InventoryError, OperationError, RepositoryError
from iluvatar_pxe.fleet.lookup import name_of, title_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.protocol import InventoryProtocol
from iluvatar_pxe.machines.boots import QUESTIONS, Happening, Stage, begins_boot
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.provisioning.assigner import Assigner, DatabaseAssigner
from iluvatar_pxe.provisioning.repeats import Repeats
from iluvatar_pxe.provisioning.trust import Trust, trust_of
from iluvatar_pxe.ratelimit import RateLimiter, complain

MOST_TRANSIENTS = 20
"""Machines that have only asked for a boot by DHCP and are logged within a second: anybody can invent such."""
ASSIGN_SECONDS = 5.0
"""How long an iPXE waits for its machine's name; then it is told to wait and asks again."""

FIRMWARE_SECONDS = 300.0
"""From a DISCOVER to the last file that the same firmware fetches, at most."""

_log = structlog.get_logger()


class Booter:
    """Decides by ``plan_for``, and records and logs every stage of every boot."""

    config_ticket = "talos-config"
    """The purpose of its tickets for machine configurations."""

    def __init__(
        self,
        fleet: Fleet,
        inventory: InventoryProtocol,
        catalogue: Catalogue,
        mac_of: Callable[[IPv4Address], str | None],
    ) -> None:
        """``mac_of`` looks an address up in the kernel's neighbour table."""
        self.fleet = fleet
        self.inventory = inventory
        self.assigner: Assigner = DatabaseAssigner(inventory)
        self.catalogue = catalogue
        self.mac_of = mac_of
        self.rehearsal: Booter | None = None
        """Where simulated clients are served."""
        self._said = Repeats()
        self._transients = RateLimiter(1.0, burst=MOST_TRANSIENTS)

    def facing(self, *, simulated: bool) -> "Booter":
        """Return the booter for a client that says, or does not, that it is simulated."""
        return self.rehearsal if simulated and self.rehearsal else self

    def facing_address(self, address: IPv4Address) -> "Booter":
        """Return the booter for a client that cannot say that it is simulated, as by TFTP.

        It is, where a simulated one asked from this address, and no machine's firmware did while it could still boot.
        """
        machine = self.machine_at(address)
        boots = machine is not None and self.inventory.asked_within(machine.id, FIRMWARE_SECONDS)
        is_played = self.rehearsal is not None and self.rehearsal.machine_at(address) is not None
        return self.facing(simulated=is_played and not boots)

    def decide_by(self, assigner: Assigner) -> None:
        """Have names and roles given by this assigner from now on."""
        self.assigner = assigner
        if self.rehearsal:
            self.rehearsal.decide_by(assigner)

    def adopt(self, fleet: Fleet) -> None:
        """Put a fleet in force."""
        self.fleet = fleet
        if self.rehearsal:
            self.rehearsal.adopt(fleet)

    def plan(
        self, sighting: Sighting, doubt: str = "", *, confirmed: bool = False, no_assignment: str = ""
    ) -> Plan:
        """Decide, with the state of this moment."""
        context = Context(
            ready=self.catalogue.ready,
            doubt=doubt,
            window_open=self.inventory.window.is_open,
            no_assignment=no_assignment or self.inventory.health or self.assigner.blocked_by,
            confirmed=confirmed,
        )
        return plan_for(sighting, self.inventory.snapshot, self.fleet, context)

    async def settle(
        self, sighting: Sighting, doubt: str, *, confirmed: bool = False, seconds: float = ASSIGN_SECONDS
    ) -> Plan:
        """Decide, and give the machine its place first where that is due, which takes ``seconds`` at most."""
        plan = self.plan(sighting, doubt, confirmed=confirmed)
        machine = self.inventory.snapshot.machine(sighting.mac)
        if not isinstance(plan, AssignFirst) or machine is None:
            if isinstance(plan, Hold) and self.assigner.blocked_by:
                self.assigner.retry_now()
            return plan
        trouble = ""
        try:
            async with asyncio.timeout(seconds):
                await self.assigner.assign(machine.id, plan.place, self.fleet)
        except (InventoryError, OperationError, RepositoryError) as error:
            trouble = str(error)
        except TimeoutError:
            trouble = f"it was not decided within {seconds:g} s"
        if trouble:
            complain("assign.failed", mac=sighting.mac, why=trouble)
        return self.plan(sighting, doubt, confirmed=confirmed, no_assignment=trouble)

    def trust(self, sighting: Sighting) -> Trust:
        """Say whether a request comes from the machine that ``sighting`` names."""
        return trust_of(sighting, self.inventory.snapshot.machine(sighting.mac), self.inventory)

    def may_be_itself(self, sighting: Sighting, address: IPv4Address, stage: Stage) -> bool:
        """Say whether a DHCP message from ``address`` may be of the machine that it names.

        From nowhere it may: only its firmware sends so. Else the address has to be the machine's; what merely lies in
        the message is not to end the boot of another, nor to be recorded of it. A machine that came no further than
        DHCP has nothing to lose, and may be behind a relay.
        """
        machine = self.inventory.snapshot.machine(sighting.mac)
        if sighting.from_nowhere or machine is None or machine.transient:
            return True
        if stage is Stage.BOOT_SERVER:  # the kernel may not have had to ask yet who has that address
            return self.machine_at(address) == machine
        return self.mac_of(address) in machine.macs

    def doubt_of_holder(self, machine: Machine, client: IPv4Address) -> str:
        """Say why whoever shows this machine's ticket from an address is not that machine; empty when it is."""
        neighbour = self.mac_of(client)
        if neighbour in (*machine.macs, *machine.claimed):  # Talos may come up by another of its cards
            return ""
        return f"{client} belongs to {neighbour or 'no card in this network'}, which is none of the machine's"

    def hand_out(self, plan: Plan, client: IPv4Address) -> Plan:  # noqa: ARG002 - for who may not have it
        """Return a plan as the one at this address may have it, but for its configuration."""
        return plan

    def introduce(self, sighting: Sighting, client: IPv4Address) -> Sighting:  # noqa: ARG002 - see hand_out
        """Return what the one at this address may be told of the machine that it is taken for."""
        return sighting

    def hand_out_cmdline(self, text: str, client: IPv4Address) -> str:  # noqa: ARG002 - see hand_out
        """Return a kernel command line as the one at this address may have it."""
        return text

    async def hand_out_config(self, text: str, client: IPv4Address) -> str:  # noqa: ARG002 - see hand_out
        """Return a machine configuration as the one at this address may have it."""
        return text

    def machine_at(self, address: IPv4Address) -> Machine | None:
        """Return the machine that has an address: by the neighbour table, else by what DHCP told."""
        mac = self.mac_of(address)
        return self.inventory.snapshot.machine(mac) if mac else self.inventory.machine_at(address)

    def distrust(self, machine: Machine, address: IPv4Address, asked: str, doubt: str) -> None:
        """Record that something asked in this machine's name that was not it; once for each in a boot."""
        complain(
            "untrusted", machine=title_of(machine, self.fleet), asked=asked, client=str(address), why=doubt
        )
        detail = f"{asked} from {address}"
        if self._said.first(machine.id, machine.generation, (Happening.UNTRUSTED, detail)):
            self.inventory.note(machine.id, Happening.UNTRUSTED, detail, doubt)

    def record(
        self,
        sighting: Sighting,
        stage: Stage,
        detail: str,
        *,
        size: int = 0,
        milliseconds: float = 0.0,
        why: str = "",
        chain: str = "",
        vouched: bool = False,
    ) -> Machine:
        """Record that a boot reached a stage, and log it in one line; ``chain`` when its script was served.

        Asking again and getting the same is neither: firmware repeats itself, and a machine that is held asks
        every half minute, for weeks.
        """
        if self._asked_before(sighting, stage, detail):
            return self.inventory.touch(sighting, stage, vouched=vouched)
        machine = self.inventory.observe(
            sighting,
            stage,
            vouched=vouched,
            detail=detail,
            cause=why,
            size=size,
            milliseconds=milliseconds,
            chain=chain,
            most_attempts=self.fleet.settings.max_attempts,
        )
        if stage in QUESTIONS:
            self._said.first(machine.id, machine.generation, (stage, detail))
        facts = {"served": detail, "bytes": size, "ms": round(milliseconds, 1)} | (
            {"why": why} if why else {}
        )
        self._report(machine, sighting, stage, facts)
        return machine

    def _report(self, machine: Machine, sighting: Sighting, stage: Stage, facts: dict[str, object]) -> None:
        if machine.transient:
            if not self._transients.allow(time.monotonic()):
                return
            if unreported := self._transients.suppressed:
                facts |= {"suppressed": unreported}
        name, boot = name_of(machine, self.fleet), machine.generation
        _log.info("boot", stage=stage.label, machine=name, mac=sighting.mac, boot=boot, **facts)

    def _asked_before(self, sighting: Sighting, stage: Stage, detail: str) -> bool:
        machine = self.inventory.snapshot.machine(sighting.mac)
        if machine is None or begins_boot(machine.reached, stage):
            return False
        return (machine.id, machine.generation, (stage, detail)) in self._said
