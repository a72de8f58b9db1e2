"""What a decision about a DHCP message goes by besides the message, and whether that is still the same."""

from dataclasses import dataclass, replace

from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.decide import Decision
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware


@dataclass(frozen=True, slots=True)
class Basis:
    """The machine that has the sender's MAC, and the state of the fleet and of this server."""

    machine: Machine | None
    fleet: Fleet
    context: Context

    def holds(self, decision: Decision) -> bool:
        """Say whether the same message would be decided in the same way again.

        One of a Raspberry Pi may not be: it depends on the serial numbers of all other machines.
        """
        case = decision.case
        if case.sighting.firmware is Firmware.RASPBERRY_PI or case.fleet is not self.fleet:
            return False
        if self.machine is None or case.machine is None or not self.machine.is_as(case.machine):
            return False
        return self.context == case.context

    def renewed(self, decision: Decision) -> Decision:
        """Return a decision that holds, of the machine as it is now."""
        if decision.case.machine is self.machine:
            return decision
        return replace(decision, case=replace(decision.case, machine=self.machine))
