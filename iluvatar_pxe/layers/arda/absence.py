"""Which machines of a cluster are away, or on their way out, so that no other one leaves it at the same time. Pure.

A machine counts from the moment that it is told to go: it may answer, and have its data, for minutes after that.
"""

from collections.abc import Collection, Mapping

from msgspec import Struct

from iluvatar_pxe.fleet.lookup import name_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.arda.health import MachineReport
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.states import Intent, Phase

FOR_RESTART = "restart/"
"""What notes of Nodes begin with that are of a restart: a machine that leaves its cluster is cordoned as well."""
_STAYING = frozenset({"", "booting", "running"})
"""Talos' stages of a machine that runs, or is about to."""


class Absence(Struct, frozen=True):
    """``why`` follows the machine's name; ``is_lasting``: what it has of the cluster's data goes with it."""

    why: str
    is_lasting: bool = False


def absences(
    reports: Mapping[str, MachineReport],
    nodes: Collection[Node],
    reinstalled: Collection[str],
    claimant: str = "",
) -> dict[str, Absence]:
    """Return those that are away by their names.

    ``reports`` are what machines say; ``reinstalled`` are to be installed again; ``claimant`` has its turn to be changed.
    A machine that has no Node is missed by nobody, unless it is just being reset.
    """
    known = {one.name: one for one in nodes}
    found: dict[str, Absence] = {}
    for name in {*reports, *known, *reinstalled}:
        said = reports.get(name, MachineReport())
        if name in reinstalled:
            found[name] = Absence("is to be installed again", is_lasting=True)
        elif said.stage == "resetting":
            found[name] = Absence("is being reset", is_lasting=True)
        elif name == claimant:
            found[name] = Absence("is being changed")
        elif why := _of_node(known.get(name), said):
            found[name] = why
    return found


def _of_node(node: Node | None, said: MachineReport) -> Absence | None:
    if node is None:
        return None
    if node.note and not node.note.startswith(FOR_RESTART):
        return Absence("leaves the cluster", is_lasting=True)
    if not node.is_ready:
        return Absence("is down: its node is not ready")
    if said.trouble:
        return Absence(f"is not known to run: {said.trouble}")
    return None if said.stage in _STAYING else Absence(f"is {said.stage}")


def to_be_installed(snapshot: Snapshot, fleet: Fleet) -> frozenset[str]:
    """Return the names of the machines that have Talos on their disks, and are to be installed again."""
    return frozenset(
        name
        for one in snapshot.by_id.values()
        if one.directive.intent is Intent.REINSTALL and one.phase in {Phase.INSTALLED, Phase.JOINED}
        if (name := name_of(one, fleet))
    )


def words(away: Mapping[str, Absence]) -> list[str]:
    """Return one line for each machine that is away."""
    return [f"{name} {one.why}" for name, one in sorted(away.items())]
