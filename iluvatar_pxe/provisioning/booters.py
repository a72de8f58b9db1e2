"""Builds the booters of a daemon, with the policies that its settings ask for."""

from collections.abc import Callable
from functools import partial

from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.events import EventLog
from iluvatar_pxe.host.neighbours import Neighbours
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.layers.arda.disks import DiskChoice
from iluvatar_pxe.layers.arda.install import disk_for
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.argocd import ArgoCd
from iluvatar_pxe.provisioning.boot_meter import BootMeters
from iluvatar_pxe.provisioning.booter import Booter, Booters
from iluvatar_pxe.provisioning.cloud_configs import CloudConfigs
from iluvatar_pxe.provisioning.cloud_init import HOLD_SECONDS, CloudInit
from iluvatar_pxe.provisioning.cluster_network import ClusterNetwork
from iluvatar_pxe.provisioning.configurations import Configurations
from iluvatar_pxe.provisioning.fleet_source import FleetSource
from iluvatar_pxe.provisioning.handout import FullDisclosure, Handout
from iluvatar_pxe.provisioning.held_requests import HeldRequests
from iluvatar_pxe.provisioning.installs import Installs
from iluvatar_pxe.provisioning.journal import Journal
from iluvatar_pxe.provisioning.provisioning_system import ProvisioningSystem, read_partitions
from iluvatar_pxe.provisioning.refusals import Refusals
from iluvatar_pxe.provisioning.seed_tickets import SeedTickets
from iluvatar_pxe.provisioning.simulated import as_real, in_sandbox
from iluvatar_pxe.provisioning.supply import Supply
from iluvatar_pxe.provisioning.tickets import Tickets
from iluvatar_pxe.provisioning.trust import NeighbourTrust
from iluvatar_pxe.replies.ipxe import Scripts
from iluvatar_pxe.replies.raspberry_pi import PiTexts
from iluvatar_pxe.resources import read_installer, read_node_programs, read_templates
from iluvatar_pxe.settings.model import Settings


def booters_of(
    settings: Settings,
    applied: Applied,
    store: AssetStore,
    inventory: Inventory,
    neighbours: Neighbours,
    tickets: Tickets,
    fleet_source: FleetSource,
    supply: Supply,
    network: ClusterNetwork,
    authority: Callable[[], str],
    events: EventLog,
    boots: BootMeters,
) -> Booters:
    """Return the booter of real machines, and that of simulated ones, whose boots ``boots`` counts.

    ``authority`` returns the daemon's CA in PEM, empty where it has none. ``events`` is told of machines that are held.
    """

    def disk_of(machine: Machine) -> DiskChoice | None:
        return disk_for(machine, applied.fleet)

    argo_cd = ArgoCd(
        settings,
        applied,
        store,
        lambda: supply.argo_cd,
        lambda: supply.chart_of_argo_cd,
        authority,
        supply.daemons,
    )
    made = CloudConfigs(
        bundle=fleet_source.secrets.k3s,
        argo_cd=argo_cd.installed,
        part_of=fleet_source.clusters.k3s.part_of,
        around=network.around,
        sums=supply.sums,
        programs=read_node_programs(),
    )
    fleet_source.clusters.k3s.node_tasks.sums = supply.sums
    refusals = Refusals()
    cloud_init = CloudInit(
        tickets=SeedTickets(tickets),
        make=made.documents,
        secret_files=made.secret_files,
        on_stored=fleet_source.clusters.k3s.has_secrets,
        reports=fleet_source.pi_reports,
        node_tasks=fleet_source.clusters.k3s.node_tasks,
        held=HeldRequests((fleet_source.changed,), HOLD_SECONDS),
        refusals=refusals,
    )
    real = Booter(
        applied=applied,
        inventory=inventory,
        store=store,
        assigner=fleet_source.assigner,
        trust=NeighbourTrust(
            inventory, applied, neighbours.mac_of, neighbours.is_routed, neighbours.macs_here
        ),
        handout=Handout(
            tickets,
            FullDisclosure(),
            Scripts(read_templates("ipxe")),
            PiTexts(read_templates("raspberry-pi")),
        ),
        journal=Journal(inventory, applied, meter=boots.real, events=events),
        configurations=Configurations(
            around=network.around,
            check=network.check,
            secrets=fleet_source.secrets.bundle,
            disk_of=disk_of,
            manifests=argo_cd.manifests,
            changes=(fleet_source.changed,),
            refusals=refusals,
        ),
        cloud_init=cloud_init,
        provisioning=ProvisioningSystem(store, read_installer()),
        installs=Installs(
            inventory=inventory, reports=fleet_source.pi_reports, facts_of=partial(read_partitions, store)
        ),
        coming=lambda: supply.coming,
        arriving=supply.fetcher.arriving,
        hasten=supply.fetcher.hasten,
        observes=settings.network.dhcp == "observe",
    )
    if settings.simulate.as_real:
        return Booters(real, as_real(real, neighbours.is_own))
    return Booters(real, in_sandbox(real, inventory, neighbours.is_own, boots.simulated))
