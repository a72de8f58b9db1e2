"""What a commit changes of the configurations of machines that run, and what that takes. Pure."""

from collections.abc import Iterable

from iluvatar_pxe.boot.preview.differences import Difference
from iluvatar_pxe.fleet.lookup import listed_as, name_of, role_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.ainur.effects import PiEffects
from iluvatar_pxe.layers.arda.effects import TalosEffects
from iluvatar_pxe.layers.place import Place
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.states import Phase

_CONFIGURED = frozenset({Phase.INSTALLED, Phase.JOINED})


def effects_on_installed(old: Fleet, new: Fleet, snapshot: Snapshot) -> tuple[Difference, ...]:
    """Return what becomes of each machine that has its system, sorted by name."""
    installed = [one for one in snapshot.by_id.values() if one.phase in _CONFIGURED]
    return _effects(old, new, (found for one in installed if (found := _place_of(one, old, new))))


def effects_on_listed(old: Fleet, new: Fleet) -> tuple[Difference, ...]:
    """Return what becomes of each machine that both list with a role, as far as it has joined; sorted by name."""
    before = {one.name: one for one in old.listed}
    places = (
        (one.name, Place(one.layer, one.file.role, before[one.name].file, one.file))
        for one in new.listed
        if one.layer and one.file.role and one.name in before and before[one.name].layer == one.layer
    )
    return _effects(old, new, places)


def _place_of(machine: Machine, old: Fleet, new: Fleet) -> tuple[str, Place] | None:
    was, will = listed_as(machine, old), listed_as(machine, new)
    layer = will.layer if will else machine.assignment.layer if machine.assignment else None
    name, role = name_of(machine, new), role_of(machine, will)
    if not layer or not name or not role:
        return None
    return name, Place(layer, role, was.file if was else None, will.file if will else None)


def _effects(old: Fleet, new: Fleet, places: Iterable[tuple[str, Place]]) -> tuple[Difference, ...]:
    kinds = TalosEffects(old, new), PiEffects(old, new)
    told = ((name, one.told(name, place)) for name, place in places for one in kinds)
    return tuple(sorted((Difference(name, text) for name, text in told if text), key=lambda one: one.machine))
