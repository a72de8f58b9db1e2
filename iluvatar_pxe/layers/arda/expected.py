"""Which machine is expected at an address, and whether it is the one that answers there. Pure."""

from collections.abc import Mapping
from uuid import UUID

from msgspec import Struct

from iluvatar_pxe.fleet.lookup import name_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.nics import nics_of
from iluvatar_pxe.machines.hardware import agreement, contradiction
from iluvatar_pxe.machines.model import Machine, Snapshot


class Who(Struct, frozen=True, kw_only=True):
    """A machine by its host name and its hardware, as far as these are known."""

    name: str
    macs: frozenset[str] = frozenset()
    uuid: UUID | None = None
    serial: str = ""
    product: str = ""


class Expected(Struct, frozen=True):
    """A machine that is to be asked or changed; ``names`` are those of all machines that have one."""

    who: Who
    names: frozenset[str] = frozenset()

    def is_agreed(self, told: Who) -> bool:
        """Say whether the host name and the firmware's data are enough to know that it is this one."""
        return told.name == self.who.name and agreement(self.who, told)

    def instead(self, told: Who) -> str:
        """Return in words who answers in its place; empty where it is this one.

        One that has been given another name has the former one until it is installed again; its NICs tell that.
        """
        known = self.who
        has_its_nic = bool(known.macs & told.macs)
        if told.name != known.name:
            is_renamed = has_its_nic and told.name not in self.names
            return "" if is_renamed else told.name or "a machine without a host name"
        if has_its_nic or self.is_agreed(told):
            return ""
        why = contradiction(known, told) or _other_nics(known, told)
        return why and f"another machine that calls itself {known.name}, with {why},"


def _other_nics(known: Who, told: Who) -> str:
    if not known.macs or not told.macs:
        return ""
    return f"the NICs {', '.join(sorted(told.macs))} instead of {', '.join(sorted(known.macs))}"


def expected_machines(snapshot: Snapshot, fleet: Fleet) -> Mapping[str, Expected]:
    """Return all machines that have a name, by it; of two that were seen with one name, the one that was seen last."""
    seen = sorted(snapshot.by_id.values(), key=lambda one: one.last_seen)
    known = {
        **{one.name: Who(name=one.name, macs=frozenset(one.file.match.macs)) for one in fleet.listed},
        **{name: _seen(name, one, fleet) for one in seen if (name := name_of(one, fleet))},
    }
    return {name: Expected(who, frozenset(known)) for name, who in known.items()}


def _seen(name: str, machine: Machine, fleet: Fleet) -> Who:
    return Who(
        name=name,
        macs=frozenset(nics_of(machine, fleet)),
        uuid=machine.uuid,
        serial=machine.serial,
        product=machine.product,
    )
