"""What gives Raspberry Pis their documents and secrets, of a cluster of which a test says what is known."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from support.ainur import bundle_of
from support.web import CLIENT

from iluvatar_pxe.errors import NotYetError, OperationError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.founding import Asks
from iluvatar_pxe.layers.ainur.part import K3sPart
from iluvatar_pxe.layers.arda.machine_facts import Surroundings
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.provisioning.cloud_configs import CloudConfigs
from iluvatar_pxe.provisioning.cloud_init import CloudInit
from iluvatar_pxe.provisioning.held_requests import HeldRequests
from iluvatar_pxe.provisioning.node_tasks import NodeTasks
from iluvatar_pxe.provisioning.pi_reports import PiReports
from iluvatar_pxe.provisioning.refusals import Refusals
from iluvatar_pxe.provisioning.seed_tickets import SeedTickets
from iluvatar_pxe.resources import read_node_programs

VERSION = "v1.36.3+k3s1"
SUMS = {f"k3s/{VERSION}/{name}": "ab" * 32 for name in ("k3s-arm64", "k3s-airgap-images-arm64.tar.zst")}


@dataclass
class Cluster:
    """What is known of the cluster, and what was asked of it."""

    trouble: str = ""
    told: K3sPart | None = K3sPart.INIT
    asked: list[tuple[str, str, Role, bool]] = field(default_factory=list)
    stored: list[tuple[str, str]] = field(default_factory=list)
    fleet: Fleet = field(default_factory=Fleet)
    refusals: Refusals = field(default_factory=Refusals)

    async def bundle(self, layer: str) -> K3sBundle:
        if self.trouble:
            raise OperationError(f"{layer}: {self.trouble}")
        return bundle_of()

    async def part_of(self, layer: str, name: str, role: Role, asks: Asks) -> K3sPart:
        self.asked.append((layer, name, role, asks.has_data))
        if self.told is None:
            raise NotYetError("ainur-09, which founds it, is off")
        return self.told

    def cloud_init(self, tickets: SeedTickets, reports: PiReports) -> CloudInit:
        made = CloudConfigs(
            bundle=self.bundle,
            argo_cd=no_argo_cd,
            part_of=self.part_of,
            around=around,
            sums=lambda: SUMS,
            programs=read_node_programs(),
        )
        return CloudInit(
            tickets=tickets,
            make=made.documents,
            secret_files=made.secret_files,
            on_stored=lambda layer, name: self.stored.append((layer, name)),
            reports=reports,
            node_tasks=NodeTasks(lambda: self.fleet, Snapshot, self.bundle),
            held=HeldRequests((), 0.0),
            refusals=self.refusals,
        )


async def no_argo_cd(_layer: str, _bundle: K3sBundle) -> None:
    """It is tested with the files that install it."""


async def around(_: IPv4Address) -> Surroundings:
    return Surroundings(here=CLIENT, network=IPv4Network("127.0.0.0/8"), daemons=(IPv4Address("10.0.0.3"),))
