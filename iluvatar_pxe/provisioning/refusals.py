"""Machines whose configuration cannot be made now: told for as long as that lasts."""

from collections.abc import Iterable
from ipaddress import IPv4Address
from uuid import UUID

from msgspec import Struct

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.problem import first_of

MOST_REFUSED = 4096
"""Machines remembered."""


class Refusal(Struct, frozen=True, kw_only=True):
    """One machine, where it has asked, and why it got nothing."""

    machine_id: UUID
    client: IPv4Address
    layer: str
    name: str
    why: str


class Refusals:
    """The last refusal of each machine that has got nothing since."""

    def __init__(self) -> None:
        self._by_machine: Recent[UUID, Refusal] = Recent(MOST_REFUSED)

    def put(self, refusal: Refusal) -> None:
        """Take in that a machine gets nothing."""
        self._by_machine.put(refusal.machine_id, refusal)

    def over(self, machine_id: UUID) -> None:
        """Take in that its configuration can be made, or is not wanted any more."""
        self._by_machine.pop(machine_id)

    @property
    def all(self) -> tuple[Refusal, ...]:
        """Those that last."""
        return tuple(self._by_machine.values())

    @property
    def problem(self) -> str | None:
        """The first one and how many there are, in one line; None if there is none."""
        return first_of(self.lines)

    @property
    def lines(self) -> list[str]:
        """Each in one line."""
        return [f"{one.layer}: {name}: {why}" for one in self.all for name, why in _words([one]).items()]

    def of(self, layer: str) -> dict[str, str]:
        """Return why, by the names of a layer's machines."""
        return _words(one for one in self.all if one.layer == layer)


def _words(refusals: Iterable[Refusal]) -> dict[str, str]:
    return {one.name: f"its configuration cannot be made: {one.why}" for one in refusals}
