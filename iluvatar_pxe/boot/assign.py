"""Which name and role a machine gets, given those that are taken."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from iluvatar_pxe.fleet.models import Boot, Fleet
from iluvatar_pxe.machines.states import ROLES, Assignment, LayerName, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRequest:
    """What the fleet says of a machine's place. ``name`` and ``role`` are None where they are to be chosen.

    ``may_lead``: the role that is chosen may be the leading one; ``rule`` says in words who says all this, and
    ``options`` are what it says of how the machine boots.
    """

    layer: LayerName
    name: str | None = None
    role: Role | None = None
    may_lead: bool = True
    rule: str
    options: Boot = field(default_factory=Boot)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """An assignment in force, or one of a machine that was forgotten (``machine_id`` None)."""

    name: str
    layer: LayerName
    role: Role
    machine_id: UUID | None


def assignment_for(
    place: PlaceRequest, fleet: Fleet, taken: Collection[Reservation], now: datetime
) -> Assignment:
    """Choose what ``place`` leaves open: the first free name of the layer's pattern, and the role.

    A forgotten machine's name and role stay taken until its layer's ``reuseNames`` frees them. The first few
    machines of a layer lead, as many as the layer says; those that the fleet lists as leading count
    from the start.
    """
    held = [one for one in taken if one.machine_id is not None or not _is_free_again(one, fleet)]
    used = {one.name for one in held} | fleet.names
    name = place.name or _free_name(fleet.layers[place.layer].names, used)
    return Assignment(
        name=name,
        layer=place.layer,
        role=place.role or _role(place, fleet, held),
        rule=place.rule,
        at=now,
    )


def _is_free_again(forgotten: Reservation, fleet: Fleet) -> bool:
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
    leading, following = ROLES[place.layer]
    layer = fleet.layers.get(place.layer)  # missing where a listed machine only boots its disk
    names = {one.name for one in held if one.layer == place.layer and one.role is leading}
    names |= {one.name for one in fleet.listed if one.file.layer == place.layer and one.file.role is leading}
    return leading if layer and place.may_lead and len(names) < layer.leaders else following
