"""What a machine that asks is served: decided by ``boot.decide``, once its place is settled."""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address

from msgspec import Struct, field

from iluvatar_pxe.assets.source import Source
from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.boot.basis import Basis
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.decide import Decision, decide
from iluvatar_pxe.boot.plan import AssignFirst, Hold, RunScript
from iluvatar_pxe.catalogue.coming import Coming
from iluvatar_pxe.errors import InventoryError, OperationError, RepositoryError
from iluvatar_pxe.fleet.nics import listed_with, machine_with, owner_by
from iluvatar_pxe.inventory.protocol import InventoryProtocol
from iluvatar_pxe.layers.arda.install import held_words
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.assigner import Assigner
from iluvatar_pxe.provisioning.cloud_init import CloudInit
from iluvatar_pxe.provisioning.configurations import Configurations, Made
from iluvatar_pxe.provisioning.decisions import Decisions
from iluvatar_pxe.provisioning.handout import Handout
from iluvatar_pxe.provisioning.installs import Installs
from iluvatar_pxe.provisioning.journal import Journal
from iluvatar_pxe.provisioning.provisioning_system import ProvisioningSystem
from iluvatar_pxe.provisioning.trust import Trust, TrustPolicy
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.values import replace

FIRMWARE_SECONDS = 300.0
"""From a DISCOVER to the last file that the same firmware fetches, at most."""
ONLY_LOOKS = '[network] dhcp is "observe", so nothing is assigned'
ASSIGN_SECONDS = 5.0
"""How long an iPXE waits for its machine's name; then it is told to wait and asks again."""


async def _nothing(_: str) -> None:
    """Nothing is being downloaded."""


def _nobody(_: str) -> None:
    """Nobody fetches it."""


class Booter(Struct, frozen=True, kw_only=True):
    """Decides for the machines of one inventory. Whom it believes, and what it gives them, are its policies.

    One that ``observes`` gives no machine a place, whoever sent that machine here.
    """

    applied: Applied
    inventory: InventoryProtocol
    store: AssetStore
    assigner: Assigner
    trust: TrustPolicy
    handout: Handout
    journal: Journal
    configurations: Configurations
    """Makes the machine configurations that the fleet does not have."""
    cloud_init: CloudInit | None = None
    """Gives Raspberry Pis what they configure themselves with; None where nothing is given away."""
    provisioning: ProvisioningSystem | None = None
    """Makes what installs Raspberry Pis; None where their image's own initramfs is shown in its place."""
    installs: Installs | None = None
    """Says what is done with their disks; None where nothing is installed."""
    coming: Callable[[], Coming] = dict
    """Returns the wanted boot files that are not here yet."""
    arriving: Callable[[str], Awaitable[Source | None]] = _nothing
    """Returns a wanted boot file by its name while it is being downloaded."""
    hasten: Callable[[str], None] = _nobody
    """Hears for which boot file a machine waits."""
    observes: bool = False
    decisions: Decisions = field(default_factory=Decisions)

    async def open(self, name: str) -> Source | None:
        """Open a boot file by its name, also one that is still arriving; raises AssetError."""
        source = await self.store.open(name) or await self.arriving(name)
        return source or await self.store.open(name)  # it may have arrived meanwhile

    def decide(
        self, sighting: Sighting, doubt: str = "", *, confirmed: bool = False, no_assignment: str = ""
    ) -> Decision:
        """Decide, with the state of this moment."""
        context = self.context(doubt, confirmed=confirmed, no_assignment=no_assignment)
        return decide(sighting, self.inventory.snapshot, self.applied.fleet, context)

    def basis(self, mac: str, context: Context) -> Basis:
        """Return what ``decide`` goes by now for a MAC in this context, besides the sighting."""
        fleet = self.applied.fleet
        return Basis(machine_with(mac, self.inventory.snapshot, fleet), fleet, context)

    def context(self, doubt: str = "", *, confirmed: bool = False, no_assignment: str = "") -> Context:
        """Return what decides now besides the fleet and the machine."""
        inventory = self.inventory
        return Context(
            ready=self.store.ready,
            links=self.store.links,
            coming=self.coming(),
            doubt=doubt,
            window_open=inventory.window.is_open,
            no_assignment=no_assignment or inventory.health or self.assigner.blocked_by,
            confirmed=confirmed,
            no_disk=held_words,
        )

    async def settle(
        self, sighting: Sighting, doubt: str, *, confirmed: bool = False, seconds: float = ASSIGN_SECONDS
    ) -> Decision:
        """Decide, and give the machine its place first where that is due, which takes ``seconds`` at most."""
        basis = self.basis(sighting.mac, self.context_to_settle(doubt, confirmed=confirmed))
        decision = self.decisions.decide(sighting, self.inventory.snapshot, basis)
        plan, machine = decision.plan, decision.case.machine
        if not isinstance(plan, AssignFirst) or machine is None:
            if isinstance(plan, Hold) and self.assigner.blocked_by:
                self.assigner.retry_now()
            if isinstance(plan, Hold) and plan.lack:
                self.hasten(plan.lack.file)
            return decision
        trouble = ""
        try:
            async with asyncio.timeout(seconds):
                await self.assigner.assign(machine.id, plan.place, self.applied.fleet)
        except (InventoryError, OperationError, RepositoryError) as error:
            trouble = str(error)
        except TimeoutError:
            trouble = f"no decision within {seconds:g} s"
        if trouble:
            complain("assign.failed", mac=sighting.mac, why=trouble)
        return self.decide(sighting, doubt, confirmed=confirmed, no_assignment=trouble)

    def settled(self, sighting: Sighting) -> Decision | None:
        """Return what ``settle`` decided before, where it is beyond doubt who asks, holds, and is the machine's own script."""
        decision = self.decisions.find(sighting, self.basis(sighting.mac, self.context_to_settle()))
        return decision if decision and isinstance(decision.plan, RunScript) else None

    def context_to_settle(self, doubt: str = "", *, confirmed: bool = False) -> Context:
        """Return what decides now besides the fleet and the machine, where that may be given a place."""
        kept = ONLY_LOOKS if self.observes else ""
        return self.context(doubt, confirmed=confirmed, no_assignment=kept)

    def hear(self, sighting: Sighting) -> Trust:
        """Take in that a machine asks by HTTP, if it is that machine; return whether it is."""
        listed = listed_with(sighting.mac, self.applied.fleet)
        known = self.inventory.snapshot.machine(sighting.mac, listed.macs)
        trust = self.trust.of(sighting, known)
        if not trust.itself:
            return trust
        machine = self.inventory.touch(sighting, Stage.FIRST_SCRIPT, vouched=not trust.doubt, listed=listed)
        self.journal.warn_of_nics(machine)
        if known and machine.is_as(known):
            return trust
        return self.trust.of(sighting, machine)  # by what it told it may have become another one's double

    def is_from_machine(self, decision: Decision, address: str, stage: Stage) -> bool:
        """Say whether a DHCP message may be of the machine that it names; ``address``, IPv4, is the datagram's source."""
        sighting, machine = decision.case.sighting, decision.case.machine
        if sighting.from_nowhere or machine is None:
            return True
        return self.trust.may_have_sent(machine, IPv4Address(address), stage)

    def waits(self, machine: Machine, address: IPv4Address) -> None:
        """Take in that a machine got a partial configuration at an address: there it waits to be asked for its hardware."""
        sighting = replace(sighting_of(machine, Firmware.TALOS), address=address)
        self.inventory.touch(sighting, machine.reached)
        self.journal.waiting_in_maintenance(machine)

    def gave(self, machine: Machine, made: Made, name: str, size: int, milliseconds: float) -> None:
        """Take in that a machine has its whole configuration, and on which disk that installs Talos."""
        if made.disk and machine.inspection:
            given = replace(machine.inspection, given=made.disk.identity)
            self.inventory.note_inspection(machine.id, given)
        self.journal.fetched(
            machine, Stage.CONFIG, name, size=size, milliseconds=milliseconds, firmware=Firmware.TALOS
        )

    def knows(self, mac: str) -> bool:
        """Say whether a MAC is that of a machine that has booted here before, or that the fleet lists."""
        if self.applied.fleet.machine_with(mac):
            return True
        machine = self.inventory.snapshot.machine(mac)
        return machine is not None and not machine.transient

    def machine_at(self, address: IPv4Address) -> Machine | None:
        """Return the machine that has an address: by the neighbour table, else by what DHCP told."""
        mac = self.trust.mac_of(address)
        if mac is None:
            return self.inventory.machine_at(address)
        return owner_by(mac, self.inventory.snapshot, self.applied.fleet)


class Booters(Struct, frozen=True):
    """The booter of real machines, and that of simulated ones."""

    real: Booter
    simulated: Booter

    def facing(self, *, simulated: bool) -> Booter:
        """Return the booter for a client that says, or does not say, that it is simulated."""
        return self.simulated if simulated else self.real

    def facing_address(self, address: IPv4Address) -> Booter:
        """Return the booter for a client that cannot say that it is simulated, as by TFTP.

        It is, where a simulated one asked from this address, and no machine's firmware did while it could still boot.
        """
        machine = self.real.machine_at(address)
        boots = machine is not None and self.real.inventory.asked_within(machine.id, FIRMWARE_SECONDS)
        is_simulated = self.simulated.machine_at(address) is not None
        return self.facing(simulated=is_simulated and not boots)
