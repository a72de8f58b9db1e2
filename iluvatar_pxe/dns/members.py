"""The named machines and their addresses."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import IPv4Address

from iluvatar_pxe.fleet.lookup import files_of, role_of
from iluvatar_pxe.fleet.models import Fleet, ListedMachine
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.states import Directive, Phase, Role

_NEVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Member:
    """One machine as DNS sees it."""

    name: str
    address: IPv4Address | None
    layer: str | None
    leads: bool = False
    """It has joined as a control plane or server."""
    will_lead: bool = False
    """It is to be one, and has not joined yet."""


@dataclass(frozen=True, slots=True)
class _Seen:
    member: Member
    fixed: bool
    last_seen: datetime


def members_of(snapshot: Snapshot, fleet: Fleet) -> tuple[Member, ...]:
    """Return the machines that were given names, by name; what the fleet says goes before what the inventory says.

    Of two that were last seen at one address, the later one has it: the router has given it away since.
    """
    known = _by_file(snapshot, fleet)
    seen = [*_listed(fleet, known), *_assigned(snapshot, fleet, known)]
    holders: dict[IPv4Address, _Seen] = {}
    for one in sorted(seen, key=lambda one: (one.fixed, one.last_seen)):
        if one.member.address:
            holders[one.member.address] = one
    members = (_held(one, holders) for one in seen)
    return tuple(sorted(members, key=lambda member: member.name))


def _held(one: _Seen, holders: dict[IPv4Address, _Seen]) -> Member:
    address = one.member.address
    return one.member if address is None or holders[address] is one else replace(one.member, address=None)


def _by_file(snapshot: Snapshot, fleet: Fleet) -> Mapping[str, Sequence[Machine]]:
    """Return by the name of a machine's file the machines that were seen of it."""
    known: dict[str, list[Machine]] = {}
    for machine in snapshot.by_id.values():
        for listed in files_of(machine, fleet):
            known.setdefault(listed.name, []).append(machine)
    return known


def _listed(fleet: Fleet, known: Mapping[str, Sequence[Machine]]) -> Iterator[_Seen]:
    for listed in fleet.listed:
        file = listed.file
        machine = max(known.get(listed.name, ()), key=lambda one: one.last_seen, default=None)
        address = file.address or (machine.address if machine else None) or file.seen.address
        leads = _leads(machine, listed)
        will_lead = not leads and _is_leading(role_of(machine, listed))
        member = Member(listed.name, address, listed.layer, leads=leads, will_lead=will_lead)
        yield _Seen(member, file.address is not None, machine.last_seen if machine else _NEVER)


def _assigned(snapshot: Snapshot, fleet: Fleet, known: Mapping[str, Sequence[Machine]]) -> Iterator[_Seen]:
    listed = {machine.id for machines in known.values() for machine in machines}
    for machine in snapshot.by_id.values():
        given = machine.assignment
        if given is None or given.name in fleet.names or machine.id in listed:
            continue
        leads = _leads(machine, None)
        will_lead = not leads and given.role.leads
        member = Member(given.name, machine.address, given.layer, leads=leads, will_lead=will_lead)
        yield _Seen(member, fixed=False, last_seen=machine.last_seen)


def _leads(machine: Machine | None, listed: ListedMachine | None) -> bool:
    """Say whether a machine has joined in a role that leads; one that is to be installed again still has it."""
    if machine is None or machine.phase is not Phase.JOINED:
        return False
    return _is_leading(role_of(replace(machine, directive=Directive()), listed))


def _is_leading(role: Role | None) -> bool:
    return role is not None and role.leads


def control_planes(members: Iterable[Member], layer: str) -> tuple[Member, ...]:
    """Return the machines that hold the state of a layer's cluster, or are to hold it."""
    return tuple(one for one in members if one.layer == layer and (one.leads or one.will_lead))


def leaders(members: Iterable[Member], layer: str) -> tuple[Member, ...]:
    """Return the machines that hold the state of a layer's cluster, and can be reached."""
    return tuple(one for one in members if one.layer == layer and one.leads and one.address)


def rivals(members: Iterable[Member]) -> frozenset[IPv4Address]:
    """Return where the leaders are of clusters that have several: which of them are published depends on who is alive."""
    of_layer: dict[str, list[IPv4Address]] = {}
    for one in members:
        if one.layer and one.leads and one.address:
            of_layer.setdefault(one.layer, []).append(one.address)
    return frozenset(one for several in of_layer.values() if len(several) > 1 for one in several)


def awaited(members: Iterable[Member], layer: str) -> tuple[Member, ...]:
    """Return the machines that are to hold that state, have not joined yet, and have an address."""
    return tuple(one for one in members if one.layer == layer and one.will_lead and one.address)
