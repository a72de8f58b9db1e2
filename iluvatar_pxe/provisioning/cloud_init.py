"""What Raspberry Pis configure themselves with: documents of cloud-init, and secret files for their tickets."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from msgspec import Struct

from iluvatar_pxe.boot.plan import ToBeMade
from iluvatar_pxe.errors import ConfigurationError, IluvatarError, NotYetError
from iluvatar_pxe.fleet.lookup import listed_as, role_of, title_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.ainur.documents import CloudInitDocuments
from iluvatar_pxe.layers.ainur.founding import Asks
from iluvatar_pxe.layers.ainur.node_file import NodeFile
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.provisioning.held_requests import HeldRequests
from iluvatar_pxe.provisioning.node_tasks import NodeTasks
from iluvatar_pxe.provisioning.pi_reports import PiReports
from iluvatar_pxe.provisioning.refusals import Refusal, Refusals
from iluvatar_pxe.provisioning.seed_tickets import SeedTickets
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.replies.links import Links

HOLD_SECONDS = 12.0
"""A node asks again after 30 s without an answer, and cloud-init never gives up waiting for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """A machine that shows its ticket from its own address."""

    machine: Machine
    ticket: str = field(repr=False)
    place: ToBeMade
    client: IPv4Address
    links: Links
    """This server as the machine reaches it."""

    def name(self, fleet: Fleet) -> str:
        """Return what it is called."""
        return title_of(self.machine, fleet)


class CloudInit(Struct, frozen=True, kw_only=True):
    """Gives them; belongs to one event loop."""

    tickets: SeedTickets
    make: Callable[[Asker, Fleet], Awaitable[CloudInitDocuments]]
    """Makes a machine's documents; raises IluvatarError."""
    secret_files: Callable[[Asker, Fleet, Asks], Awaitable[Mapping[str, NodeFile]]]
    """Returns what a machine swaps its ticket for; raises NotYetError where its turn has not come, or another
    IluvatarError."""
    on_stored: Callable[[str, str], None]
    """Hears the layer and the name of a machine that has stored its secrets."""
    reports: PiReports
    node_tasks: NodeTasks
    held: HeldRequests
    refusals: Refusals
    """Machines that get nothing now."""

    async def documents(self, asker: Asker, fleet: Fleet) -> CloudInitDocuments:
        """Return a machine's documents; raises ConfigurationError, which says what is missing."""
        try:
            documents = await self.make(asker, fleet)
        except IluvatarError as error:
            raise self._refused(asker, fleet, error) from error
        self.refusals.over(asker.machine.id)
        return documents

    async def secrets(self, asker: Asker, fleet: Fleet, asks: Asks) -> Mapping[str, NodeFile]:
        """Return what a machine swaps its ticket for; raises ConfigurationError, which says what it waits for."""
        try:
            files = await self.secret_files(asker, fleet, asks)
        except NotYetError as error:
            complain("k3s.waits", logging.INFO, machine=asker.name(fleet), why=str(error))
            raise
        except IluvatarError as error:
            raise self._refused(asker, fleet, error) from error
        self.refusals.over(asker.machine.id)
        return files

    def _refused(self, asker: Asker, fleet: Fleet, error: IluvatarError) -> ConfigurationError:
        """Record that a machine gets nothing now; return the error to answer with."""
        name, why = asker.name(fleet), str(error)
        complain("configuration.not-ready", machine=name, why=why)
        self.refusals.put(
            Refusal(
                machine_id=asker.machine.id,
                client=asker.client,
                layer=asker.place.layer,
                name=name,
                why=why,
            )
        )
        return ConfigurationError(f"{name}: {why}")


def place_of(machine: Machine, fleet: Fleet) -> ToBeMade | None:
    """Return the layer of kind k3s, and the role in it, that a machine has; None where it has none."""
    listed = listed_as(machine, fleet)
    place = listed or machine.assignment
    role = role_of(machine, listed)
    if place is None or role is None or fleet.k3s(place.layer) is None:
        return None
    return ToBeMade(place.layer or "", role)


def instance_id_of(machine: Machine) -> str:
    """Return what cloud-init knows a machine's system by: the same in each of its boots."""
    return f"iluvatar-{machine.id}"
