"""Which machines wait to enrol."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from iluvatar_pxe.boot.case import Context, case_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine, Snapshot, sighting_of
from iluvatar_pxe.machines.states import Intent
from iluvatar_pxe.provisioning.countdowns import AT_THE_SCREEN

LATELY = timedelta(days=1)
"""How long a machine that is switched off now is still listed."""


def waiting_machines(snapshot: Snapshot, fleet: Fleet, now: datetime) -> list[Machine]:
    """Return those seen within a day that an open window would let in, the one seen last first.

    They came as far as their own script, which holds them, and a rule gives them a layer.
    """
    return _latest(
        one
        for one in snapshot.by_id.values()
        if one.assignment is None
        and one.furthest >= Stage.SCRIPT
        and one.directive.intent is Intent.BOOT
        and not one.conflict
        and _lately(one, now)
        and _belongs(one, snapshot, fleet)
    )


def refused_machines(snapshot: Snapshot, now: datetime) -> list[Machine]:
    """Return those seen within a day where somebody pressed a key so that they do not join, the latest first."""
    found = (
        one for one in snapshot.by_id.values() if one.directive.by == AT_THE_SCREEN and _lately(one, now)
    )
    return _latest(found)


def _belongs(machine: Machine, snapshot: Snapshot, fleet: Fleet) -> bool:
    rule = case_of(sighting_of(machine), snapshot, fleet, Context()).rule
    return rule is not None and rule.layer is not None


def _lately(machine: Machine, now: datetime) -> bool:
    return abs(now - machine.last_seen) < LATELY


def _latest(machines: Iterable[Machine]) -> list[Machine]:
    return sorted(machines, key=lambda one: one.last_seen, reverse=True)
