"""Whether what machines are called, and at which addresses they are, may have changed: all that DNS tells of them."""

from collections.abc import Iterable
from ipaddress import IPv4Address
from uuid import UUID

from iluvatar_pxe.changed import Changed
from iluvatar_pxe.machines.model import Machine, Snapshot


class Naming:
    """Tells ``changed``. That a machine was heard of once more is no reason, but where another has its place.

    Of machines that were last seen at one address, have the same hardware, or are listed in one file, the latest counts.
    """

    def __init__(self, changed: Changed) -> None:
        self._changed = changed
        self._latest: dict[IPv4Address, UUID] = {}
        """By address, the machine there that was heard of last."""
        self._owners, self._twins = Snapshot().owners, Snapshot().twins
        self._alone: set[tuple[UUID, tuple[str, ...]]] = set()
        """Machines, with the NICs of their files, in whose place there is no other, while those two are the same."""

    def put(self, before: Machine | None, machine: Machine) -> None:
        """Take in what a machine is now, and what it was."""
        is_same = before is not None and _named_by(before) == _named_by(machine)
        if before and before.address != machine.address:
            self._leave(before)
        if machine.address and self._latest.get(machine.address) != machine.id:
            self._latest[machine.address] = machine.id
            is_same = False
        if not is_same:
            self._changed.tell()

    def heard(self, machine: Machine, listed: tuple[str, ...], snapshot: Snapshot) -> None:
        """Take in that a machine was heard of once more; ``listed`` are the NICs of its file."""
        if machine.address:
            self.put(machine, machine)
        if snapshot.owners is not self._owners or snapshot.twins is not self._twins:
            self._owners, self._twins = snapshot.owners, snapshot.twins
            self._alone.clear()
        place = machine.id, listed
        if place in self._alone:
            return
        if _is_alone(machine, listed, snapshot):
            self._alone.add(place)
        else:
            self._changed.tell()

    def remove(self, machine: Machine | None) -> None:
        """Take in that a machine is no more."""
        if machine:
            self._leave(machine)
            self._changed.tell()

    def resume(self, machines: Iterable[Machine]) -> None:
        """Start over with these machines."""
        known = sorted(machines, key=lambda one: one.last_seen)
        self._latest = {one.address: one.id for one in known if one.address}
        self._changed.tell()

    def _leave(self, machine: Machine) -> None:
        if machine.address and self._latest.get(machine.address) == machine.id:
            del self._latest[machine.address]


def _is_alone(machine: Machine, listed: Iterable[str], snapshot: Snapshot) -> bool:
    rivals = (snapshot.owners.get(mac, machine.id) for mac in listed)
    return all(one == machine.id for one in rivals) and len(snapshot.ids_with(machine)) <= 1


def _named_by(machine: Machine) -> tuple[object, ...]:
    return (
        machine.macs,
        machine.uuid,
        machine.serial,
        machine.address,
        machine.phase,
        machine.assignment,
        machine.directive,
    )
