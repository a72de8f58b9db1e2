"""What a decision about a DHCP message goes by besides the message, and whether that is still the same."""

from msgspec import Struct

from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.decide import Decision
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Era, Machine
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.values import replace


class State(Struct, frozen=True):
    """What a decision goes by besides message and machine; ``era`` is that of the snapshot, see ``Snapshot.era``.

    While all three are the same objects, whatever was decided would be decided again, but for a Raspberry Pi.
    """

    fleet: Fleet
    context: Context
    era: Era


class Basis(Struct, frozen=True):
    """The machine that has the sender's MAC, and the state of the fleet and of this server."""

    machine: Machine | None
    fleet: Fleet
    context: Context

    def is_as(self, before: "Basis") -> bool:
        """Say whether the same message, of no Raspberry Pi, would be decided in the same way as before."""
        if self.fleet is not before.fleet or self.machine is None or before.machine is None:
            return False
        return self.machine.is_as(before.machine) and self.context == before.context

    def holds(self, decision: Decision) -> bool:
        """Say whether what was decided then would be decided again.

        Of a Raspberry Pi that is not known: it depends on the serial numbers of all other machines.
        """
        case = decision.case
        is_pi = case.sighting.firmware is Firmware.RASPBERRY_PI
        return not is_pi and self.is_as(Basis(case.machine, case.fleet, case.context))

    def renewed(self, decision: Decision) -> Decision:
        """Return a decision that holds, of the machine as it is now."""
        if decision.case.machine is self.machine:
            return decision
        return replace(decision, case=replace(decision.case, machine=self.machine))
