"""From the fleet, and what a daemon knows of its network, to the facts that a configuration is made of. Pure."""

from ipaddress import IPv4Address, IPv4Network

from msgspec import Struct, field

from iluvatar_pxe.catalogue.kubernetes import RANGES
from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.layers import TalosLayer
from iluvatar_pxe.fleet.models import Fleet, MachineFile
from iluvatar_pxe.fleet.source import layer_file
from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.configuration.facts import ClusterFacts, MachineFacts
from iluvatar_pxe.layers.arda.disks import DiskChoice
from iluvatar_pxe.layers.arda.documents import Contract
from iluvatar_pxe.layers.arda.endpoint import api_name, endpoint_of
from iluvatar_pxe.layers.arda.patched import PatchFile, patches_of
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.settings.model import TalosSettings

LAST_TIME_SERVER = "time.cloudflare.com"
"""Asked when none of this network answers; it is Talos' own default."""
SYSCTLS = {"kernel.kexec_load_disabled": "1"}
"""Every restart goes through the firmware: NICs that stay dead after kexec (siderolabs/talos#8751, #9100, #13785) do
not, and a damaged boot loader shows at the first restart instead of at the next loss of power (#14146)."""
_FOR_LONGHORN = "siderolabs/iscsi-tools"
"""The extension without which Longhorn does not run."""


class Node(Struct, frozen=True, kw_only=True):
    """A machine that has its place in a cluster."""

    name: str
    layer: str
    role: Role
    macs: tuple[str, ...]
    """MACs of its NICs; the one that it boots by comes first."""
    disk: DiskChoice | None = None
    """Where Talos is to be installed; None while its disks were not read."""


class Surroundings(Struct, frozen=True, kw_only=True):
    """What a daemon knows of the network that it serves a machine on."""

    here: IPv4Address
    """This daemon's address there."""
    network: IPv4Network
    daemons: tuple[IPv4Address, ...] = ()
    """Addresses of the fleet's other daemons."""
    router: IPv4Address | None = None
    lacks_daemons: bool = False
    """Whether one of the others has no address at the moment."""
    registry: str = "factory.talos.dev"
    """Where the installer's images are: Image Factory's host."""
    ports: TalosSettings = field(default_factory=TalosSettings)
    """At which this daemon takes what machines report."""

    @property
    def serving(self) -> tuple[IPv4Address, ...]:
        """All daemons, this one first; another machine cannot reach a loopback address."""
        known = (one for one in (self.here, *self.daemons) if not one.is_loopback and not one.is_unspecified)
        return tuple(dict.fromkeys(known))

    @property
    def resolvers(self) -> tuple[IPv4Address, ...]:
        """Whom machines ask for names, one after the other."""
        return (*self.serving, *((self.router,) if self.router else ()))


def cluster_facts(name: str, fleet: Fleet, bundle: Bundle) -> ClusterFacts:
    """Return what all machines of a layer have in common; raises ConfigurationError."""
    layer = _layer(name, fleet)
    return ClusterFacts(
        name=name,
        endpoint=endpoint_of(name, fleet),
        contract=Contract.of(layer.talos.version),
        kubernetes=layer.talos.kubernetes or RANGES[layer.talos.minor].default,
        bundle=bundle,
        schedules_on_control_planes=declared_workers(name, fleet) == 0,
        vip=layer.vip,
    )


def machine_facts(node: Node, fleet: Fleet, around: Surroundings) -> MachineFacts:
    """Return what is particular to a machine; raises ConfigurationError where it cannot be one of this network."""
    layer, domain = _layer(node.layer, fleet), fleet.settings.domain
    check_vip(node.layer, layer, around)
    talos, serving = layer.talos, around.serving
    return MachineFacts(
        role=node.role,
        hostname=node.name,
        macs=node.macs,
        disk=node.disk,
        installer_image=f"{around.registry}/metal-installer/{talos.schematic}:{talos.version}",
        sans=(f"{node.name}.{domain}", *_shared_names(node, layer, fleet)),
        resolvers=around.resolvers,
        time_servers=(*map(str, around.resolvers), LAST_TIME_SERVER),
        event_sink=f"{around.here}:{around.ports.event_port}",
        kernel_log=f"tcp://{around.here}:{around.ports.kernel_log_port}",
        no_proxy=(*map(str, serving), f".{domain}"),
        registries=fleet.settings.registries,
        sysctls=SYSCTLS,
        longhorn=talos.composed is None or _FOR_LONGHORN in talos.composed.extensions,
    )


def patches_for(node: Node, fleet: Fleet) -> tuple[PatchFile, ...]:
    """Return what the fleet's files change of a machine's configuration; raises ConfigurationError."""
    file = next((one.file for one in fleet.listed if one.name == node.name), None)
    return patches_of(_layer(node.layer, fleet), node.role, file, fleet.texts)


def declared_workers(name: str, fleet: Fleet) -> int:
    """Return how many machines of a layer are or will be workers, by the fleet's files.

    One without a role becomes a control plane as long as there are fewer than the layer wants.
    """
    files = [one.file for one in fleet.listed if one.layer == name]
    leading = sum(one.role is Role.CONTROLPLANE for one in files)
    open_to_all = sum(_may_lead(one) for one in files)
    places = max(0, _layer(name, fleet).control_planes - leading)
    return len(files) - leading - min(places, open_to_all)


def _may_lead(file: MachineFile) -> bool:
    """Say whether a machine gets whichever role is free; one with its own configuration becomes a worker."""
    return file.role is None and file.config is None


def _shared_names(node: Node, layer: TalosLayer, fleet: Fleet) -> tuple[str, ...]:
    """Return the names that a control plane has in common with the others."""
    if node.role is not Role.CONTROLPLANE:
        return ()
    return (api_name(node.layer, fleet), *([str(layer.vip)] if layer.vip else []))


def check_vip(name: str, layer: TalosLayer, around: Surroundings) -> None:
    """Raise ConfigurationError where a layer's VIP cannot be one of the control planes' in a network."""
    vip, network = layer.vip, around.network
    if vip is None:
        return
    if vip not in network or vip in {network.network_address, network.broadcast_address}:
        raise ConfigurationError(
            f"{layer_file(name)}: vip {vip} is no address of {network}, the machine's network; choose one of it"
        )
    if vip in {*around.serving, around.router}:
        whose = "the router's" if vip == around.router else "a boot server's"
        raise ConfigurationError(f"{layer_file(name)}: vip {vip} is {whose} address; choose a free one")


def _layer(name: str, fleet: Fleet) -> TalosLayer:
    layer = fleet.talos(name)
    if layer is None:
        raise ConfigurationError(f"{layer_file(name)}: there is no layer of kind talos; create it")
    return layer
