"""What layers of kind talos ask of the daemon's own configurations: known versions, an address that is free, and a disk."""

from collections.abc import Collection, Iterator
from ipaddress import IPv4Address

from iluvatar_pxe.catalogue.kubernetes import RANGES
from iluvatar_pxe.fleet.fields.values import is_talos_release
from iluvatar_pxe.fleet.layers import TalosLayer
from iluvatar_pxe.fleet.models import Fleet, ListedMachine
from iluvatar_pxe.fleet.source import FLEET_FILE, Source, layer_file


def check_talos(fleet: Fleet, source: Source) -> None:
    """Note in ``source`` what is wrong with layers whose machines the daemon configures."""
    for name in fleet.layers:
        layer = fleet.talos(name)
        if layer and not layer.config:
            _check_versions(name, layer, source)
            _check_vip(name, layer, fleet, source)
    for machine in fleet.listed:
        if machine.file.disk:
            _check_disk(machine, fleet, source)


def _check_versions(name: str, layer: TalosLayer, source: Source) -> None:
    talos = layer.talos
    if not is_talos_release(talos.version):
        return
    known = RANGES.get(talos.minor)
    if known is None:
        releases = " and ".join(f"{major}.{minor}" for major, minor in sorted(RANGES))
        text = f"version: machines with Talos {talos.version} cannot be configured; choose a version of {releases}"
        source.fault(layer_file(name), ("talos", "version"), f"talos.{text}, or write 'config' yourself")
    elif talos.kubernetes and not known.has(talos.kubernetes):
        text = f"Talos {talos.version} runs Kubernetes {known}, not {talos.kubernetes}; choose a version of these"
        source.fault(layer_file(name), ("talos", "kubernetes"), f"talos.kubernetes: {text}")


def _check_vip(name: str, layer: TalosLayer, fleet: Fleet, source: Source) -> None:
    pool = fleet.settings.router_pool
    if layer.vip and pool and layer.vip in pool:
        text = f"{layer.vip} is in 'routerPool' of {FLEET_FILE} ({pool}); choose an address outside of it"
        source.fault(layer_file(name), ("vip",), f"vip: {text}")
    if layer.vip and not _may_be_a_machine_s(layer.vip):
        text = f"{layer.vip} can be no machine's address; choose a free one of your network"
        source.fault(layer_file(name), ("vip",), f"vip: {text}")
    for holder in _holders(layer.vip, name, fleet) if layer.vip else ():
        text = f"{layer.vip} is also {holder}; choose an address that nothing else has"
        source.fault(layer_file(name), ("vip",), f"vip: {text}")


def vips_among(fleet: Fleet, addresses: Collection[IPv4Address]) -> list[str]:
    """Return one fault for each layer whose VIP is among the addresses of a boot server."""
    layers = ((name, fleet.talos(name)) for name in fleet.layers if fleet.makes_configurations(name))
    return [
        f"{layer_file(name)}: vip: {layer.vip} is a boot server's address; choose an address that nothing else has"
        for name, layer in layers
        if layer and layer.vip in addresses
    ]


def _may_be_a_machine_s(address: IPv4Address) -> bool:
    is_special = address.is_loopback or address.is_link_local or address.is_multicast or address.is_reserved
    return not is_special and address.packed[0] != 0


def _check_disk(machine: ListedMachine, fleet: Fleet, source: Source) -> None:
    """A configuration of the owner's own says by itself which disk it is."""
    layer = fleet.talos(machine.layer)
    is_unread = set(source.layers) - fleet.layers.keys()  # what that layer is has faults of its own
    if layer is None and (machine.layer in is_unread or (machine.layer is None and is_unread)):
        return
    if layer is None or layer.config or machine.file.config:
        text = "is for machines of a layer of kind talos whose configuration the daemon makes; remove it"
        if fleet.k3s(machine.layer):
            text = "is for machines of a layer of kind talos; write it below 'root'"
        source.fault(f"machines/{machine.name}.yaml", ("disk",), f"disk: {text}")


def _holders(address: IPv4Address, layer: str, fleet: Fleet) -> Iterator[str]:
    """Return in words what else has an address, by the fleet's files."""
    for machine in fleet.listed:
        if address in {machine.file.address, machine.file.seen.address}:
            yield f"the address of {machine.name}, by machines/{machine.name}.yaml"
    for name, other in fleet.layers.items():
        talos = fleet.talos(name)
        if talos and name != layer and talos.vip == address:
            yield f"the vip of {layer_file(name)}"
        if address in other.ingress:
            yield f"an ingress address of {layer_file(name)}"
