"""The plan of a decision, where a test looks at nothing else."""

from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.decide import decide
from iluvatar_pxe.boot.plan import Plan
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.sighting import Sighting


def plan_for(sighting: Sighting, snapshot: Snapshot, fleet: Fleet, context: Context) -> Plan:
    return decide(sighting, snapshot, fleet, context).plan
