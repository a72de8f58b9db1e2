"""This very host as a node of a k3s cluster: it boots its own disk, so it is given here what others get at their boot.

Then it swaps its ticket by HTTP like any other machine, under the same rules.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from msgspec import Struct

from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.fleet.k3s import Packaged
from iluvatar_pxe.fleet.layers import K3sLayer
from iluvatar_pxe.fleet.lookup import root_of
from iluvatar_pxe.fleet.models import ListedMachine
from iluvatar_pxe.fleet.nics import listed_with
from iluvatar_pxe.fleet.source import layer_file
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.seed import Seed
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.provisioning.cloud_init import Asker, CloudInit, place_of
from iluvatar_pxe.replies.links import Links

_ARCHITECTURE = "aarch64"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNode:
    """What this host configures itself with, and as which machine."""

    name: str
    layer: str
    user_data: str = field(repr=False)


class Hardware(Struct, frozen=True, kw_only=True):
    """What it is told of itself."""

    macs: tuple[str, ...]
    """Of its NICs."""
    architecture: str
    """As ``uname -m`` prints it."""
    on_card: bool
    """Whether what k3s stores would be on an SD card or eMMC, unless the fleet names a file system for it."""


class OwnHost(Struct, frozen=True):
    """Belongs to one event loop."""

    booter: Booter
    """That of real machines."""
    interfaces: Callable[[], Sequence[Interface]]
    """Returns those that are served."""
    port: int
    """Of this daemon's HTTP server."""

    async def node(self, hardware: Hardware) -> OwnNode | None:
        """Return what it configures itself with, with a new ticket; None where no file lists it in a layer of kind k3s.

        Raises OperationError where it cannot be a node, and ConfigurationError, which says what is missing.
        """
        fleet, cloud_init = self.booter.applied.fleet, self.booter.cloud_init
        listed = next(iter(fleet.machines(hardware.macs, "", None)), None)
        layer = fleet.k3s(listed.layer) if listed else None
        if listed is None or layer is None or layer.configures_itself or cloud_init is None:
            return None
        if why := _unfit(listed, layer, hardware):
            raise OperationError(f"{listed.name}: {why}")
        asker = self._asker(listed, hardware, cloud_init)
        machine = asker.machine
        made = await cloud_init.documents(asker, fleet)
        self.booter.inventory.note_seed(machine.id, Seed(machine.generation))
        size = len(made.user_data.encode())
        self.booter.journal.fetched(
            machine, Stage.CONFIG, f"{listed.name}/user-data", size=size, milliseconds=0.0
        )
        return OwnNode(name=listed.name, layer=asker.place.layer, user_data=made.user_data)

    def _asker(self, listed: ListedMachine, hardware: Hardware, cloud_init: CloudInit) -> Asker:
        """Take in that the machine which this host is has come so far, and return it as one that asks."""
        address, fleet = self._address(), self.booter.applied.fleet
        mac = next(mac for mac in hardware.macs if mac in listed.file.match.macs)
        sighting = Sighting(mac=mac, firmware=Firmware.RASPBERRY_PI, address=address)
        machine = self.booter.inventory.touch(
            sighting, Stage.CONFIG, vouched=True, listed=listed_with(mac, fleet)
        )
        place = place_of(machine, fleet)
        if place is None or machine.conflict:
            why = machine.conflict or "its file names no role; add: role: server"
            raise OperationError(f"{listed.name}: {why}")
        return Asker(
            machine=machine,
            ticket=cloud_init.tickets.mint(machine),
            place=place,
            client=address,
            links=Links(address, self.port),
        )

    def _address(self) -> IPv4Address:
        served = next(iter(self.interfaces()), None)
        if served is None:
            raise OperationError("no interface with an IPv4 address is served; correct [network] interfaces")
        return served.address


def _unfit(listed: ListedMachine, layer: K3sLayer, hardware: Hardware) -> str:
    """Return why this host cannot be the node, and what to do; empty where it can."""
    if hardware.architecture != _ARCHITECTURE:
        return f"this host is {hardware.architecture}, and nodes of {listed.layer} are {_ARCHITECTURE}; list another machine"
    file = layer_file(listed.layer or "")
    if Packaged.SERVICELB not in layer.k3s.disable:
        return f"servicelb would take ports of the daemon on this host; {file}: add it to 'k3s.disable'"
    is_server, root = listed.file.role is Role.SERVER, root_of(layer, listed)
    if is_server and hardware.on_card and root.data is None and not layer.k3s.etcd_on_card:
        return f"a server's etcd wears out this host's SD card or eMMC; name a file system of an SSD by 'root.data' in its file, or write 'etcdOnCard: true' below 'k3s' in {file}"
    return ""
