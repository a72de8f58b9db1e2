"""Chooses a machine's name and role, given those already taken."""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime
from itertools import count
from typing import Self
from uuid import UUID

from msgspec import Struct, field

from iluvatar_pxe.fleet.models import Boot, Fleet, ListedMachine
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Assignment, Role


class PlaceRequest(Struct, frozen=True, kw_only=True):
    """What the fleet says of a machine's place. ``name`` and ``role`` are None where they are to be chosen.

    ``layer`` is one of the fleet's. ``may_lead``: the role that is chosen may be the leading one; ``rule`` says in words who says all this, and
    ``options`` are what it says of how the machine boots.
    """

    layer: str
    name: str | None = None
    role: Role | None = None
    may_lead: bool = True
    rule: str
    options: Boot = field(default_factory=Boot)


class Reservation(Struct, frozen=True, kw_only=True):
    """A current assignment, or one of a forgotten machine (``machine_id`` None)."""

    name: str
    layer: str
    role: Role
    machine_id: UUID | None

    @classmethod
    def of(cls, given: Assignment, machine_id: UUID | None) -> Self:
        """Return an assignment as what it takes from others."""
        return cls(name=given.name, layer=given.layer, role=given.role, machine_id=machine_id)


def taken_by(machines: Iterable[Machine]) -> list[Reservation]:
    """Return the assignments of machines."""
    return [Reservation.of(given, one.id) for one in machines if (given := one.assignment)]


class Taken:
    """The names and leading roles that are taken in a fleet, counted once for any number of machines that ask."""

    def __init__(self, fleet: Fleet, taken: Iterable[Reservation]) -> None:
        """``taken`` is all that is held, also by a machine that asks: of its own nothing is taken from it."""
        held = [one for one in taken if one.machine_id is not None or not is_free_again(one, fleet)]
        self._fleet = fleet
        self._names = Counter(one.name for one in held)
        self._leading: dict[str, list[Reservation]] = {}
        for one in held:
            if one.role.leads:
                self._leading.setdefault(one.layer, []).append(one)
        self._of = {one.machine_id: one for one in held}
        self._leaders: dict[str, set[str]] = {}
        self._first: dict[str, int] = {}

    def assignment(self, place: PlaceRequest, machine_id: UUID | None, now: datetime) -> Assignment:
        """Choose as ``assignment_for`` does, for a machine that may hold a place itself."""
        own = self._of.get(machine_id) if machine_id else None
        return Assignment(
            name=place.name or self._free_name(place.layer, own),
            layer=place.layer,
            role=place.role or self._role(place, own),
            rule=place.rule,
            at=now,
        )

    def _free_name(self, layer: str, own: Reservation | None) -> str:
        """Count up from 1; the ``#`` of a pattern such as ``arda-##`` are the least digits of the number."""
        pattern = self._fleet.layers[layer].pattern(layer)
        digits = pattern.count("#")
        for number in count(1 if own else self._first.get(pattern, 1)):
            name = pattern.replace("#" * digits, str(number).zfill(digits))
            if name not in self._fleet.names and self._names[name] == (own is not None and own.name == name):
                break
        if own is None:
            self._first[pattern] = number
        return name

    def _role(self, place: PlaceRequest, own: Reservation | None) -> Role:
        layer = self._fleet.layers[place.layer]
        leading, following = layer.roles
        return leading if place.may_lead and self._leaders_of(place.layer, own) < layer.leaders else following

    def _leaders_of(self, layer: str, own: Reservation | None) -> int:
        leading = self._leading.get(layer, ())
        if own in leading:
            return len(leader_names(layer, self._fleet, (one for one in leading if one is not own)))
        if layer not in self._leaders:
            self._leaders[layer] = leader_names(layer, self._fleet, leading)
        return len(self._leaders[layer])


def assignment_for(
    place: PlaceRequest, fleet: Fleet, taken: Collection[Reservation], now: datetime
) -> Assignment:
    """Choose what ``place`` leaves open: the first free name of the layer's pattern, and the role.

    A forgotten machine's name and role stay taken until its layer's ``reuseNames`` frees them. The first few
    machines of a layer lead, as many as the layer says; those that the fleet lists as leading count
    from the start.
    """
    return Taken(fleet, taken).assignment(place, None, now)


def is_free_again(forgotten: Reservation, fleet: Fleet) -> bool:
    """Say whether ``reuseNames`` frees the name of a machine that is no more."""
    layer = fleet.layers.get(forgotten.layer)
    return layer is not None and forgotten.name in layer.reuse_names


def leader_names(layer: str, fleet: Fleet, taken: Iterable[Reservation]) -> set[str]:
    """Return the names of the machines that lead in a layer: by what they were given, or by their files."""
    given = {one.name for one in taken if one.layer == layer and one.role.leads}
    return given | {one.name for one in fleet.listed if one.layer == layer and _leads(one)}


def _leads(listed: ListedMachine) -> bool:
    return listed.file.role is not None and listed.file.role.leads
