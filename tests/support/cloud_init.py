"""What gives Raspberry Pis their tickets, for tests that make nothing of them."""

from collections.abc import Mapping

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.documents import CloudInitDocuments
from iluvatar_pxe.layers.ainur.founding import Asks
from iluvatar_pxe.layers.ainur.node_file import NodeFile
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.provisioning.cloud_init import Asker, CloudInit
from iluvatar_pxe.provisioning.held_requests import HeldRequests
from iluvatar_pxe.provisioning.node_tasks import NodeTasks
from iluvatar_pxe.provisioning.pi_reports import PiReports
from iluvatar_pxe.provisioning.refusals import Refusals
from iluvatar_pxe.provisioning.seed_tickets import SeedTickets


def nothing_made(tickets: SeedTickets, reports: PiReports) -> CloudInit:
    """Return one that gives tickets only."""
    return CloudInit(
        tickets=tickets,
        make=_no_documents,
        secret_files=_no_files,
        on_stored=lambda _layer, _name: None,
        reports=reports,
        node_tasks=NodeTasks(Fleet, Snapshot, _no_bundle),
        held=HeldRequests((), 0.0),
        refusals=Refusals(),
    )


async def _no_bundle(_layer: str) -> K3sBundle:
    raise ConfigurationError("nothing is made here")


async def _no_documents(_asker: Asker, _fleet: Fleet) -> CloudInitDocuments:
    raise ConfigurationError("nothing is made here")


async def _no_files(_asker: Asker, _fleet: Fleet, _asks: Asks) -> Mapping[str, NodeFile]:
    raise ConfigurationError("nothing is made here")
