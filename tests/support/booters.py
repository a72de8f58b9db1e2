"""Booters for tests: the real policies, with a neighbour table of the test's."""

import time
from collections.abc import Callable, Collection
from functools import partial
from ipaddress import IPv4Address, IPv4Network

from support.templates import IPXE, PI_TEXTS

from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.catalogue.coming import Coming
from iluvatar_pxe.events import EventLog
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.layers.arda.machine_facts import Surroundings
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.assigner import Assigner, DatabaseAssigner
from iluvatar_pxe.provisioning.boot_meter import BootMeter
from iluvatar_pxe.provisioning.booter import Booter, Booters
from iluvatar_pxe.provisioning.cloud_init import CloudInit
from iluvatar_pxe.provisioning.configurations import Configurations, no_secrets
from iluvatar_pxe.provisioning.handout import FullDisclosure, Handout
from iluvatar_pxe.provisioning.installs import Installs
from iluvatar_pxe.provisioning.journal import Journal
from iluvatar_pxe.provisioning.pi_reports import PiReports
from iluvatar_pxe.provisioning.provisioning_system import ProvisioningSystem, read_partitions
from iluvatar_pxe.provisioning.seed_tickets import SeedTickets
from iluvatar_pxe.provisioning.simulated import in_sandbox
from iluvatar_pxe.provisioning.tickets import Tickets
from iluvatar_pxe.provisioning.trust import NeighbourTrust
from iluvatar_pxe.resources import read_installer


def booters_of(
    fleet: Fleet,
    inventory: Inventory,
    store: AssetStore,
    mac_of: Callable[[IPv4Address], str | None],
    *,
    assigner: Assigner | None = None,
    now: Callable[[], float] = lambda: 0.0,
    is_own: Callable[[IPv4Address], bool] = lambda _: True,
    is_routed: Callable[[IPv4Address], bool] = lambda _: False,
    macs_here: Callable[[IPv4Address], Collection[str]] = lambda _: (),
    coming: Callable[[], Coming] = dict,
    configurations: Configurations | None = None,
    cloud_init: Callable[[SeedTickets, PiReports], CloudInit] | None = None,
    events: EventLog | None = None,
) -> Booters:
    """Return a booter of real machines, and one of simulated machines in a sandbox; ``now`` is the tickets' clock."""
    applied, tickets = Applied(fleet), Tickets(b"k" * 32, now)
    journal = Journal(inventory, applied, events=events)
    real = Booter(
        applied=applied,
        inventory=inventory,
        store=store,
        assigner=assigner or DatabaseAssigner(inventory),
        trust=NeighbourTrust(inventory, applied, mac_of, is_routed, macs_here),
        handout=Handout(tickets, FullDisclosure(), IPXE, PI_TEXTS),
        journal=journal,
        configurations=configurations or Configurations(around=on_loopback, secrets=no_secrets),
        coming=coming,
        cloud_init=cloud_init(SeedTickets(tickets), PiReports(inventory, applied, journal))
        if cloud_init
        else None,
        provisioning=ProvisioningSystem(store, read_installer()),
        installs=Installs(
            inventory=inventory,
            reports=PiReports(inventory, applied, journal),
            facts_of=partial(read_partitions, store),
        ),
    )
    return Booters(real, in_sandbox(real, inventory, is_own, BootMeter(time.monotonic, simulated=True)))


async def on_loopback(_: IPv4Address) -> Surroundings:
    """Return a network that is no machine's."""
    return Surroundings(here=IPv4Address("127.0.0.1"), network=IPv4Network("127.0.0.0/8"))
