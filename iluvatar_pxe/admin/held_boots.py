"""Which machines' next boots wait for their owners, and why."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from msgspec import Struct

from iluvatar_pxe.boot.assign import Reservation
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.plan import Hold, RunScript
from iluvatar_pxe.boot.preview.asker import asking
from iluvatar_pxe.boot.preview.next_boot import Holders, next_boot
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.arda.install import held_words
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.machines.states import Assignment


class _Basis(Struct, frozen=True):
    """What decides all machines' boots besides what each of them is."""

    fleet: Fleet
    context: Context
    places: Sequence[Assignment]
    retired: Sequence[Reservation]

    def is_as(self, other: "_Basis") -> bool:
        if self.fleet is not other.fleet or self.context != other.context:
            return False
        return self.places == other.places and self.retired == other.retired


class HeldBoots:
    """Says why boots are held. What is said of a machine is kept until something changes that decides it."""

    def __init__(self) -> None:
        self._kept: tuple[_Basis, Mapping[UUID, tuple[Machine, str]]] | None = None

    def words(self, machines: Iterable[Machine], context: Context, holders: Holders) -> Mapping[UUID, str]:
        """Return by the ids of those that wait why."""
        places = [given for one in holders.snapshot.by_id.values() if (given := one.assignment)]
        basis, kept = _Basis(holders.fleet, context, places, holders.retired), self._kept
        known = kept[1] if kept and kept[0].is_as(basis) else {}
        told = {one.id: (one, _words(one, known.get(one.id), context, holders)) for one in machines}
        self._kept = basis, told
        return {machine_id: why for machine_id, (_, why) in told.items() if why}


def _words(machine: Machine, before: tuple[Machine, str] | None, context: Context, holders: Holders) -> str:
    """Return why a machine's next boot waits for its owner, or nothing; a Pi's depends on what other Pis are, too."""
    if before and machine.is_as(before[0]) and machine.firmware is not Firmware.RASPBERRY_PI:
        return before[1]
    asker = asking(sighting_of(machine))
    plan = next_boot(asker, holders.snapshot, holders.fleet, context, holders)[-1].decision.plan
    if isinstance(plan, Hold):
        return plan.why
    return held_words(machine, holders.fleet) if isinstance(plan, RunScript) and plan.chain == "talos" else ""
