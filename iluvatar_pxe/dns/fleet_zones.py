"""The fleet's own zones: its domain, and the addresses of the networks in use."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address
from typing import NamedTuple

from msgspec import Struct

from iluvatar_pxe.dns.members import Member, awaited, leaders
from iluvatar_pxe.dns.zone import Node, Zone, start_of
from iluvatar_pxe.fleet.dns import DnsRecords
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.wire.dns.name import Name, name_of, reverse_name, suffixes
from iluvatar_pxe.wire.dns.types import Record, Service, Target, Text, Type

API_PORT = 6443
"""TCP port of a cluster's API server, of k3s and of Talos alike."""
NO_SECONDS = 5
"""Negative TTL of these zones; short, since a name exists as soon as its machine does."""
_CLUSTER_TTL = 5
_MACHINE_TTL = 30
_TTL = 60
_STRING = 255
"""Bytes of a string in a TXT record (RFC 1035, 3.3)."""
_THIS = "this daemon"


class Facts(Struct, frozen=True):
    """The input of the zones. ``alive`` are the cluster's control planes or servers whose API answers."""

    fleet: Fleet
    members: tuple[Member, ...] = ()
    alive: frozenset[IPv4Address] = frozenset()
    interfaces: tuple[IPv4Interface, ...] = ()
    """The daemon's own addresses, and their networks, which are those in use."""
    repository: IPv4Address | None = None
    """The host of the fleet's repository, if it is remote."""


class Place(NamedTuple):
    """What the zones have of one member."""

    member: Member
    apex: Name
    """Of the domain."""
    name: Name
    node: Node
    reverse: Name | None
    pointer: Node
    above: tuple[Name, ...]
    """Names that ``reverse`` is below."""


Places = Mapping[int, Place]
"""By the member's id, which is no other's as long as it is here."""


def places_of(facts: Facts, before: Places) -> Places:
    """Return the places of all members; those of ``before`` where member and domain are the same."""
    apex = name_of(facts.fleet.settings.domain)
    places = {}
    for member in facts.members:
        old = before.get(id(member))
        places[id(member)] = old if old and old.apex == apex else _place(member, apex)
    return places


def zones_of(facts: Facts, serial: int, here: IPv4Address, places: Places | None = None) -> dict[Name, Zone]:
    """Return the zones by their apex, as a client learns them that reaches this daemon at ``here``."""
    places = places_of(facts, {}) if places is None else places
    apex = name_of(facts.fleet.settings.domain)
    nodes = dict(_names(facts, places, apex, here))
    primary, mailbox = _under("pxe", apex), _under("hostmaster", apex)
    top = [start_of(apex, primary, mailbox, serial, no=NO_SECONDS), _to(apex, Type.NS, primary)]
    own = nodes[apex].records.values() if apex in nodes else ()
    nodes[apex] = Node.of([*top, *(record for records in own for record in records)], "fleet")
    zones = {apex: Zone.of(apex, nodes)}
    for reverse, below in _pointers(facts, places, primary).items():
        start = start_of(reverse, primary, mailbox, serial, no=NO_SECONDS)
        zones[reverse] = Zone.of(
            reverse,
            {**below, reverse: Node.of([start, _to(reverse, Type.NS, primary)], "fleet")},
            is_shared=True,  # the router knows those that it has handed out
        )
    return zones


def reverse_zones(network: IPv4Network) -> Iterator[Name]:
    """Return the apexes of the zones with a network's addresses: of whole bytes, the smallest that cover it."""
    octets = min(max(-(-network.prefixlen // 8), 1), 3)
    if network.prefixlen > 8 * octets:
        network = network.supernet(new_prefix=8 * octets)
    for part in network.subnets(new_prefix=8 * octets):
        labels = str(part.network_address).split(".")[:octets]
        yield name_of(".".join([*reversed(labels), "in-addr.arpa"]))


def _names(facts: Facts, places: Places, apex: Name, here: IPv4Address) -> Iterator[tuple[Name, Node]]:
    """Every name below the apex; a later one of the same name goes first."""
    for label, declared in facts.fleet.settings.records.items():
        name = apex if label == "@" else _under(label, apex)
        yield name, Node.of(_declared(name, declared, apex), "fleet")
    for place in places.values():
        yield place.name, place.node
    for layer in facts.fleet.layers:
        yield from _layer_names(facts, layer, apex)
    for service, address in (("pxe", here), ("git", facts.repository or here)):
        name = _under(service, apex)
        yield name, Node.of(_addresses(name, [address], _TTL), _THIS)


def _layer_names(facts: Facts, layer: str, apex: Name) -> Iterator[tuple[Name, Node]]:
    """The API of a layer's cluster, by address and as a service, and where its applications come in."""
    origin = f"cluster {layer}"
    known = leaders(facts.members, layer)
    by_leaders = len(known) > 1
    serving = [one for one in known if one.address in facts.alive] or known
    found = [*serving, *_awaited(facts, layer, known)]
    api, service = _under(f"api.{layer}", apex), _under(f"_kubernetes._tcp.{layer}", apex)
    addresses = _addresses(api, [one.address for one in found if one.address], _CLUSTER_TTL)
    yield api, Node.of(addresses, origin, by_leaders=by_leaders)
    targets = [Service(0, 100, API_PORT, _under(one.name, apex)) for one in serving]
    services = [Record(service, Type.SRV, _CLUSTER_TTL, target) for target in targets]
    yield service, Node.of(services, origin, by_leaders=by_leaders)
    if ingress := facts.fleet.layers[layer].ingress:
        applications = _under(f"*.apps.{layer}", apex)
        yield applications, Node.of(_addresses(applications, ingress, _TTL), origin)


def _awaited(facts: Facts, layer: str, known: Sequence[Member]) -> Sequence[Member]:
    """Return the control planes that are still to join a young Talos cluster: those that join look for each other by this name.

    Talos resolves it only once, when it starts.
    """
    talos = facts.fleet.talos(layer)
    return awaited(facts.members, layer) if talos and len(known) < talos.leaders else ()


def _declared(name: Name, declared: DnsRecords, apex: Name) -> Iterator[Record]:
    yield from _addresses(name, (*declared.a, *declared.aaaa), _TTL)
    if declared.cname:
        yield _to(name, Type.CNAME, _target(declared.cname, apex))
    for text in declared.txt:
        yield Record(name, Type.TXT, _TTL, Text(_strings(text.encode())))
    for service in declared.srv:
        target = _target(service.target, apex)
        data = Service(service.priority, service.weight, service.port, target)
        yield Record(name, Type.SRV, _TTL, data)


def _strings(text: bytes) -> tuple[bytes, ...]:
    """Return the strings of a TXT record, which readers put together again (RFC 7208, 3.3; RFC 6376, 3.6.2.2)."""
    return tuple(text[start : start + _STRING] for start in range(0, len(text), _STRING)) or (b"",)


def _addresses(name: Name, addresses: Iterable[IPv4Address | IPv6Address], ttl: int) -> list[Record]:
    return [Record(name, Type.A if one.version == 4 else Type.AAAA, ttl, one) for one in addresses]


def _place(member: Member, apex: Name) -> Place:
    name, origin = _under(member.name, apex), f"machine {member.name}"
    address = member.address
    node = Node.of(_addresses(name, [address] if address else [], _MACHINE_TTL), origin)
    if address is None:
        return Place(member, apex, name, node, None, node, ())
    reverse = reverse_name(address)
    pointer = _pointer(address, name, origin)
    return Place(member, apex, name, node, reverse, pointer, tuple(suffixes(reverse)))


def _pointers(facts: Facts, places: Places, primary: Name) -> dict[Name, dict[Name, Node]]:
    """Return by the apexes of the networks in use the names of the addresses there; the daemon's own go first."""
    in_use: dict[Name, dict[Name, Node]] = {
        one: {} for own in facts.interfaces for one in reverse_zones(own.network)
    }
    for place in places.values():
        for above in place.above:
            if place.reverse and above in in_use:
                in_use[above][place.reverse] = place.pointer
    for own in facts.interfaces:
        reverse = reverse_name(own.ip)
        for above in suffixes(reverse):
            if above in in_use:
                in_use[above][reverse] = _pointer(own.ip, primary, _THIS)
    return in_use


def _pointer(address: IPv4Address, name: Name, origin: str) -> Node:
    return Node.of([Record(reverse_name(address), Type.PTR, _MACHINE_TTL, Target(name))], origin)


def _to(name: Name, kind: Type, target: Name) -> Record:
    return Record(name, kind, _TTL, Target(target))


def _target(text: str, apex: Name) -> Name:
    """Return the name that a record of the fleet points to: below the domain, unless a dot ends it."""
    return name_of(text) if text.endswith(".") else _under(text, apex)


def _under(text: str, apex: Name) -> Name:
    return name_of(text)[:-1] + apex
