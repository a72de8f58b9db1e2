"""The named machines and their addresses."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address
from operator import attrgetter
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct

from iluvatar_pxe.fleet.lookup import files_of, role_of
from iluvatar_pxe.fleet.models import Fleet, ListedMachine
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.states import Assignment, Directive, Phase, Role
from iluvatar_pxe.values import replace

_NEVER = datetime(1, 1, 1, tzinfo=UTC)


class Member(Struct, frozen=True):
    """One machine as DNS sees it."""

    name: str
    address: IPv4Address | None
    layer: str | None
    leads: bool = False
    """It has joined as a control plane or server."""
    will_lead: bool = False
    """It is to be one, and has not joined yet."""


class _Seen(Struct, frozen=True):
    member: Member
    machine: Machine | None
    where: int | None
    """Its address, as a number."""
    order: tuple[bool, datetime]
    """Of two at one address, the higher one has it: a file's own address, else the one that was seen later."""


class _Known(NamedTuple):
    """What was worked out of objects, by their ids; the objects are in it, so that no other has such an id."""

    fleet: Fleet | None = None
    files: Mapping[int, tuple[Machine, Sequence[ListedMachine]]] = MappingProxyType({})
    """By a machine's id, the files that list it."""
    seen: Mapping[int, _Seen] = MappingProxyType({})
    """By the id of a file, or of a machine that none lists."""


def members_of(snapshot: Snapshot, fleet: Fleet) -> tuple[Member, ...]:
    """Return the machines that were given names, by name; what the fleet says goes before what the inventory says.

    Of two that were last seen at one address, the later one has it: the router has given it away since.
    """
    return MemberList().of(snapshot, fleet)


class MemberList:
    """``members_of`` one snapshot after the other: only what is new in it is worked out. May be used by several threads."""

    def __init__(self) -> None:
        self._known = _Known()

    def of(self, snapshot: Snapshot, fleet: Fleet) -> tuple[Member, ...]:
        """Return the members; one of whom nothing has changed is the same object as before."""
        before = self._known if self._known.fleet is fleet else _Known()
        files = {
            id(one): before.files.get(id(one)) or (one, files_of(one, fleet))
            for one in snapshot.by_id.values()
        }
        seen = dict((*_listed(fleet, files, before.seen), *_assigned(fleet, files, before.seen)))
        self._known = _Known(fleet, files, seen)
        return _settled(seen.values())


def _settled(seen: Collection[_Seen]) -> tuple[Member, ...]:
    """Return the members by name, each address with one of them."""
    holders: dict[int, _Seen] = {}
    for one in seen:
        if one.where is not None:
            other = holders.get(one.where)
            if other is None or one.order >= other.order:
                holders[one.where] = one
    members = (
        one.member if one.where is None or holders[one.where] is one else replace(one.member, address=None)
        for one in seen
    )
    return tuple(sorted(members, key=attrgetter("name")))


def _listed(
    fleet: Fleet,
    files: Mapping[int, tuple[Machine, Sequence[ListedMachine]]],
    before: Mapping[int, _Seen],
) -> Iterator[tuple[int, _Seen]]:
    known: dict[str, list[Machine]] = {}
    for machine, of_machine in files.values():
        for listed in of_machine:
            known.setdefault(listed.name, []).append(machine)
    for listed in fleet.listed:
        latest = max(known.get(listed.name, ()), key=_last_seen, default=None)
        old = before.get(id(listed))
        yield id(listed), old if old and old.machine is latest else _of_file(listed, latest)


def _of_file(listed: ListedMachine, machine: Machine | None) -> _Seen:
    file = listed.file
    address = file.address or (machine.address if machine else None) or file.seen.address
    leads = _leads(machine, listed)
    will_lead = not leads and _is_leading(role_of(machine, listed))
    member = Member(listed.name, address, listed.layer, leads=leads, will_lead=will_lead)
    order = file.address is not None, machine.last_seen if machine else _NEVER
    return _Seen(member, machine, int(address) if address else None, order)


def _assigned(
    fleet: Fleet,
    files: Mapping[int, tuple[Machine, Sequence[ListedMachine]]],
    before: Mapping[int, _Seen],
) -> Iterator[tuple[int, _Seen]]:
    for number, (machine, of_machine) in files.items():
        given = machine.assignment
        if given and not of_machine and given.name not in fleet.names:
            yield number, before.get(number) or _of_assignment(machine, given)


def _of_assignment(machine: Machine, given: Assignment) -> _Seen:
    leads = _leads(machine, None)
    will_lead = not leads and given.role.leads
    member = Member(given.name, machine.address, given.layer, leads=leads, will_lead=will_lead)
    where = int(machine.address) if machine.address else None
    return _Seen(member, machine, where, (False, machine.last_seen))


def _last_seen(machine: Machine) -> datetime:
    return machine.last_seen


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
