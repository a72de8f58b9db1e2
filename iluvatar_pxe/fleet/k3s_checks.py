"""What layers of kind k3s ask: networks of their own, servers whose data lasts, and passwords in files of the fleet."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from itertools import combinations
from typing import Any

from pydantic import TypeAdapter

from iluvatar_pxe.fleet.k3s import ConfigValue, Packaged
from iluvatar_pxe.fleet.layers import K3sLayer
from iluvatar_pxe.fleet.lookup import root_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.root import Root
from iluvatar_pxe.fleet.source import FLEET_FILE, Source, layer_file
from iluvatar_pxe.fleet.users import User
from iluvatar_pxe.fleet.yaml.document import Location
from iluvatar_pxe.machines.states import Role

NETWORKS: Mapping[str, str] = {"cluster-cidr": "10.42.0.0/16", "service-cidr": "10.43.0.0/16"}
"""The networks of pods and of services: the option that changes each, and k3s' default."""
_Network = IPv4Network | IPv6Network
_ITEMS = TypeAdapter[tuple[Any, ...]](tuple[Any, ...])
_USER = TypeAdapter(User)


def check_k3s(fleet: Fleet, source: Source) -> None:
    """Note in ``source`` what is wrong with layers of kind k3s and their machines."""
    for name in source.layers:
        _check_passwords(layer_file(name), source)
    for name in fleet.layers:
        if layer := fleet.k3s(name):
            _check_networks(name, layer, fleet, source)
            _check_servers(name, layer, fleet, source)
            _check_daemons(name, layer, fleet, source)


def _check_passwords(path: str, source: Source) -> None:
    items = source.part(path, ("users",), _ITEMS)
    for index in range(len(items or ())):
        user = source.part(path, ("users", index), _USER)
        if user and user.password_hash and user.password_hash not in source.files:
            place: Location = ("users", index, "passwordHash")
            text = f"{user.password_hash} is not a text file in the fleet; create it or correct the path"
            source.fault(path, place, f"{source.spelled(path, place)}: {text}")


def _check_networks(name: str, layer: K3sLayer, fleet: Fleet, source: Source) -> None:
    """Pods cannot reach what has an address of their cluster's networks."""

    def fault(option: str, text: str) -> None:
        place = ("k3s", "config", Role.SERVER.value, option)
        source.fault(layer_file(name), place, f"k3s.config.{Role.SERVER}.{option}: {text}")

    options = layer.k3s.options(Role.SERVER)
    found = {option: _networks(options.get(option, usual)) for option, usual in NETWORKS.items()}
    for option, networks in found.items():
        if networks is None:
            fault(option, "write a network such as 10.42.0.0/16, or one of IPv4 and one of IPv6")
        for network in networks or ():
            for address, whose in _addresses(fleet):
                if address in network:
                    fault(option, f"{network} has {address}, {whose}; choose a network that nothing else has")
    for (_, one), (option, other) in combinations(found.items(), 2):
        if any(_overlap(its, others) for its in one or () for others in other or ()):
            fault(
                option,
                f"overlaps {' or '.join(one_ for one_ in found if one_ != option)}; change one of them",
            )


def _networks(value: ConfigValue) -> tuple[_Network, ...] | None:
    """Return the networks that an option names, in a list or with commas; None where they are none."""
    texts = value if isinstance(value, tuple) else (value,)
    try:
        return tuple(ip_network(one.strip()) for text in texts for one in str(text).split(","))
    except ValueError:
        return None


def _overlap(one: _Network, other: _Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _addresses(fleet: Fleet) -> Iterator[tuple[IPv4Address | IPv6Address, str]]:
    """Return every address that the fleet knows, and whose it is."""
    for machine in fleet.listed:
        if machine.file.address:
            yield machine.file.address, f"the address of {machine.name}"
    if pool := fleet.settings.router_pool:
        yield from ((one, f"of 'routerPool' in {FLEET_FILE}") for one in (pool.first, pool.last))
    for name, layer in fleet.layers.items():
        yield from ((one, f"an ingress address of {layer_file(name)}") for one in layer.ingress)


def _check_servers(name: str, layer: K3sLayer, fleet: Fleet, source: Source) -> None:
    """Note where a machine that is or becomes a server would lose etcd, or wear out a card with it.

    Where files list as many servers as the layer wants, no other machine becomes one.
    """
    servers = [one for one in fleet.listed if one.layer == name and one.file.role is Role.SERVER]
    if len(servers) < layer.servers and (why := _unfit(layer.root, layer)):
        source.fault(layer_file(name), ("root",), f"root: {why}")
    for machine in servers:
        own = machine.file.root
        if own and (why := _unfit(own, layer)):
            source.fault(f"machines/{machine.name}.yaml", ("root",), f"root: {why}")
        elif (
            own is None and len(servers) >= layer.servers and (why := _unfit(root_of(layer, machine), layer))
        ):
            source.fault(f"machines/{machine.name}.yaml", ("role",), f"role: {layer_file(name)}: root: {why}")


def _check_daemons(name: str, layer: K3sLayer, fleet: Fleet, source: Source) -> None:
    """ServiceLB takes the ports of Services from every node, also those that a daemon beside k3s listens on."""
    beside = [one.name for one in fleet.listed if one.layer == name and one.name in fleet.recipients.daemons]
    if beside and Packaged.SERVICELB not in layer.k3s.disable:
        text = f"{Packaged.SERVICELB} would take ports of the daemon on {beside[0]}; add it to 'k3s.disable'"
        source.fault(layer_file(name), ("k3s",), f"k3s: {text}")


def _unfit(root: Root, layer: K3sLayer) -> str:
    """Return why servers cannot have a root, and what to do; empty where they can."""
    if not root.lasts:
        return "a server in memory loses the cluster's state at each restart; add 'data', or choose kind disk"
    if root.is_on_card and not layer.k3s.etcd_on_card:
        trouble = "a server's etcd wears out an SD card or eMMC, and is slow on it"
        return f"{trouble}; choose another disk, or set 'k3s.etcdOnCard: true'"
    return ""
