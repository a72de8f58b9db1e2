"""What machines would boot next, and why, as the daemon would decide now: what ``plan`` tells without asking it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from uuid import UUID

from msgspec import Struct, field

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.held_boots import HeldBoots
from iluvatar_pxe.admin.plan_basis import NO_ADDRESS, assumed, ready_words
from iluvatar_pxe.admin.plans import Server, plan_data, plan_summary
from iluvatar_pxe.assets.factory import registry_of
from iluvatar_pxe.boot.assign import Reservation
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.preview.asker import asking
from iluvatar_pxe.boot.preview.next_boot import Holders, next_boot
from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.layers.arda.install import held_words
from iluvatar_pxe.layers.arda.machine_facts import Surroundings
from iluvatar_pxe.machines.model import Machine, Snapshot, sighting_of
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.provisioning.around import router_of
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.settings.model import Settings, TalosSettings

_NO_NETWORK = IPv4Network("192.0.2.0/24")


class NextBoots(Struct, frozen=True, kw_only=True):
    """Belongs to one event loop."""

    booter: Booter
    """That of real machines."""
    inventory: Inventory
    interfaces: Callable[[], Sequence[Interface]]
    """Returns those that are served."""
    settings: Settings

    _held: HeldBoots = field(default_factory=HeldBoots)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of(self, machine: Machine) -> Data:
        """Return what ``of_asker`` does of a machine that was seen."""
        return await self.of_asker(asking(sighting_of(machine)))

    async def of_asker(self, asker: Sighting) -> Data:
        """Return what ``plan_data`` does of the boot of whoever asks so, what is ``assumed``, and the last decision.

        That is under ``last``; secrets are masked.
        """
        retired = await self._retired()
        context, interfaces = self._context(), tuple(self.interfaces())
        return await asyncio.to_thread(self._plan, asker, context, interfaces, retired)

    async def held(self, machines: Sequence[Machine], snapshot: Snapshot, fleet: Fleet) -> Mapping[UUID, str]:
        """Return by the ids of those among ``machines`` whose next boots wait for their owners, why.

        Whoever asks while that is found out waits, and then it is known: anybody on the network may ask.
        """
        holders = Holders(snapshot, fleet, await self._retired())
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._held.words, machines, self._context(), holders)

    def decided_by(self, machine: Machine) -> object:
        """Return what a plan depends on: while it is equal, ``of`` returns the same."""
        context, fleet = self._context(), self.booter.applied.fleet
        return (
            *(machine.macs, machine.phase, machine.directive, machine.assignment, machine.conflict),
            *(machine.attempts, machine.inspection, machine.seed, machine.unsure, machine.address),
            *(id(fleet), context.ready, context.links, context.window_open, frozenset(context.coming)),
        )

    def _plan(
        self,
        asker: Sighting,
        context: Context,
        interfaces: Sequence[Interface],
        retired: Sequence[Reservation],
    ) -> Data:
        fleet, handout = self.booter.applied.fleet, self.booter.handout
        snapshot = self.inventory.snapshot
        steps = next_boot(asker, snapshot, fleet, context, Holders(snapshot, fleet, retired))
        around = surroundings(asker.address, interfaces, fleet, self.settings.talos)
        links = Links(around.here, self.settings.http.port)
        server = Server(links, self.booter.store.size_of, handout.scripts, handout.pi_texts, around)
        return {
            **plan_data(steps, server),
            "assumed": self._assumed(context, fleet, links),
            "last": plan_summary(steps[-1].decision),
        }

    def _assumed(self, context: Context, fleet: Fleet, links: Links) -> Data:
        return assumed(
            self.settings,
            fleet,
            links,
            window_seconds=self.inventory.window.remaining,
            files=self.booter.store.problem or ready_words(len(context.ready), self.settings),
        )

    def _context(self) -> Context:
        store = self.booter.store
        return Context(
            ready=store.ready,
            links=store.links,
            coming=self.booter.coming(),
            window_open=self.inventory.window.is_open,
            no_disk=held_words,
        )

    async def _retired(self) -> Sequence[Reservation]:
        try:
            return await self.inventory.retired_names()
        except InventoryError:
            return ()  # the page says elsewhere that the database is away


def surroundings(
    address: IPv4Address | None, interfaces: Sequence[Interface], fleet: Fleet, ports: TalosSettings
) -> Surroundings:
    """Return what there is on the network of a machine with ``address``; other daemons are not looked for. Blocks."""
    near = (one for one in interfaces if address and address in one.network)
    found = next(near, next(iter(interfaces), None))
    registry = registry_of(fleet)
    if found is None:
        return Surroundings(here=NO_ADDRESS, network=_NO_NETWORK, registry=registry, ports=ports)
    return Surroundings(
        here=found.address,
        network=found.network,
        router=router_of(found),
        registry=registry,
        ports=ports,
    )
