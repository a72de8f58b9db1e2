"""Chooses a machine's name and role, given those already taken."""

from collections.abc import Collection, Iterable
from datetime import datetime
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


def assignment_for(
    place: PlaceRequest, fleet: Fleet, taken: Collection[Reservation], now: datetime
) -> Assignment:
    """Choose what ``place`` leaves open: the first free name of the layer's pattern, and the role.

    A forgotten machine's name and role stay taken until its layer's ``reuseNames`` frees them. The first few
    machines of a layer lead, as many as the layer says; those that the fleet lists as leading count
    from the start.
    """
    held = [one for one in taken if one.machine_id is not None or not is_free_again(one, fleet)]
    used = {one.name for one in held} | fleet.names
    name = place.name or _free_name(fleet.layers[place.layer].pattern(place.layer), used)
    return Assignment(
        name=name,
        layer=place.layer,
        role=place.role or _role(place, fleet, held),
        rule=place.rule,
        at=now,
    )


def is_free_again(forgotten: Reservation, fleet: Fleet) -> bool:
    """Say whether ``reuseNames`` frees the name of a machine that is no more."""
    layer = fleet.layers.get(forgotten.layer)
    return layer is not None and forgotten.name in layer.reuse_names


def _free_name(pattern: str, used: Collection[str]) -> str:
    """Count up from 1; the ``#`` of a pattern such as ``arda-##`` are the least digits of the number."""
    digits = pattern.count("#")
    number = 1
    while (name := pattern.replace("#" * digits, str(number).zfill(digits))) in used:
        number += 1
    return name


def _role(place: PlaceRequest, fleet: Fleet, held: Collection[Reservation]) -> Role:
    layer = fleet.layers[place.layer]
    leading, following = layer.roles
    leaders = leader_names(place.layer, fleet, held)
    return leading if place.may_lead and len(leaders) < layer.leaders else following


def leader_names(layer: str, fleet: Fleet, taken: Iterable[Reservation]) -> set[str]:
    """Return the names of the machines that lead in a layer: by what they were given, or by their files."""
    given = {one.name for one in taken if one.layer == layer and one.role.leads}
    return given | {one.name for one in fleet.listed if one.layer == layer and _leads(one)}


def _leads(listed: ListedMachine) -> bool:
    return listed.file.role is not None and listed.file.role.leads
