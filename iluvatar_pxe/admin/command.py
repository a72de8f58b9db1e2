"""A command: a request that does its work where it arrives, and what it works on."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from msgspec import Struct, field

from iluvatar_pxe.admin.machine_list import Roll
from iluvatar_pxe.admin.next_boots import NextBoots
from iluvatar_pxe.admin.requests.request import CommandResult, Request
from iluvatar_pxe.assets.status import AssetStatus, Leftover
from iluvatar_pxe.catalogue.progress import Progress
from iluvatar_pxe.errors import InventoryError, OperationError
from iluvatar_pxe.events import EventLog
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.dhcp_servers import DhcpServers
from iluvatar_pxe.notifications.notifier import Notifier
from iluvatar_pxe.power.power import Power
from iluvatar_pxe.provisioning.adopting import Adopter
from iluvatar_pxe.provisioning.assigner import Assigner
from iluvatar_pxe.provisioning.cluster_secrets import ClusterSecrets
from iluvatar_pxe.provisioning.cluster_troubles import ClusterTroubles
from iluvatar_pxe.provisioning.clusters import Clusters
from iluvatar_pxe.provisioning.convergence import Convergence
from iluvatar_pxe.provisioning.enrolment import WindowKeeper
from iluvatar_pxe.provisioning.outage import Outage
from iluvatar_pxe.provisioning.own_host import OwnHost
from iluvatar_pxe.provisioning.reinstalling import Reinstaller
from iluvatar_pxe.provisioning.renaming import Renamer
from iluvatar_pxe.provisioning.snapshots import EtcdSnapshots
from iluvatar_pxe.wire.dns.name import Name

PartT = TypeVar("PartT")


class DnsAdmin(Protocol):
    """Commands of the daemon's DNS server."""

    async def query(self, name: Name, kind: int) -> CommandResult:
        """Return the answer that a client gets for a name, and its source."""
        ...

    def flush(self) -> int:
        """Flush the cache of upstream answers; return how many there were."""
        ...


class AssetsAdmin(Protocol):
    """Commands on the wanted boot files. What takes long begins at once, and ``files`` tells how far it is."""

    async def begun(self) -> None:
        """Return as soon as files can be fetched, verified and taken, which takes a moment after a start."""
        ...

    def files(self) -> Sequence[AssetStatus]:
        """Return what the applied commit wants, by name."""
        ...

    def unresolved(self) -> Mapping[str, Progress]:
        """Return the entries of the catalogue whose version ``stable`` is not chosen yet: their files are not known."""
        ...

    def fetch(self, names: Collection[str]) -> None:
        """Fetch these now, also where ``[assets] fetch`` is false; those that waited for another attempt are QUEUED."""
        ...

    def verify(self, names: Collection[str]) -> None:
        """Read these again: VERIFYING at once, then READY, or with a ``fault`` and fetched again."""
        ...

    def take(self, name: str, file: Path, *, trust: bool) -> None:
        """Verify a file that lies below the assets directory, and move or unpack it into place.

        A publisher's list and its signature are looked for beside it. A file that has neither a list nor a pin is refused
        unless ``trust``; then its checksum is pinned once it is in place. VERIFYING at once, then UNPACKING, then READY; or a ``fault``, with
        everything else as it was. The file is removed if it was not moved.
        """
        ...

    async def leftovers(self) -> Sequence[Leftover]:
        """Return what the applied commit does not want, by name."""
        ...

    async def remove(self, leftovers: Collection[Leftover]) -> None:
        """Remove these leftovers, but none with a ``kept_for``."""
        ...


class CommandContext(Struct, frozen=True, kw_only=True):
    """What commands work on. ``report`` and all below it are the daemon's, and None where none runs."""

    inventory: Inventory
    fleet_in_force: Callable[[], Fleet]
    """Raises FleetError or RepositoryError where there is none."""
    assigner: Assigner
    window: WindowKeeper
    secrets: ClusterSecrets
    roll: Roll = field(default_factory=Roll)
    """The machines as lists show them."""
    report: Callable[[], CommandResult] | None = None
    """Returns the health of the daemon's components."""
    dns: DnsAdmin | None = None
    assets: AssetsAdmin | None = None
    clusters: Clusters | None = None
    snapshots: EtcdSnapshots | None = None
    reinstaller: Reinstaller | None = None
    convergence: Convergence | None = None
    troubles: ClusterTroubles | None = None
    adopter: Adopter | None = None
    own_host: OwnHost | None = None
    renamer: Renamer | None = None
    events: EventLog | None = None
    """Has each change, for whoever watches."""
    dhcp_servers: DhcpServers | None = None
    power: Power | None = None
    outage: Outage | None = None
    notifier: Notifier | None = None
    next_boots: NextBoots | None = None

    @property
    def fleet(self) -> Fleet:
        """The applied fleet at this moment; giving a machine its place may change it."""
        return self.fleet_in_force()

    def check_inventory(self) -> None:
        """Raise InventoryError while the database is away: little may be known then."""
        if self.inventory.health:
            raise InventoryError(self.inventory.health)


class Command(Request, ABC):
    """A request that does its work where it arrives."""

    @abstractmethod
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:
        """Do it; ``by`` is who asks, for the record.

        Raises OperationError for what cannot be done, and InventoryError for what cannot be recorded.
        """


def of_daemon(part: PartT | None) -> PartT:
    """Return a part that only a daemon has; raises OperationError where none runs."""
    if part is None:
        raise OperationError("no daemon is running; start it: iluvatar-pxe serve")
    return part
