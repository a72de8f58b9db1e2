"""What a decision about a DHCP message goes by besides the message, and whether that is still the same."""

from dataclasses import dataclass

from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Machine


@dataclass(frozen=True, slots=True)
class Basis:
    """The machine that has the sender's MAC, and the state of the fleet and of this server.

    Not of a Raspberry Pi: what it gets depends on the serial numbers of other machines, too.
    """

    machine: Machine | None
    fleet: Fleet
    context: Context

    def is_as(self, before: "Basis") -> bool:
        """Say whether the same message would be decided in the same way as before."""
        if self.fleet is not before.fleet or self.machine is None or before.machine is None:
            return False
        return self.machine.is_as(before.machine) and self.context == before.context
