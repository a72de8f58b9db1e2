"""Everything about one machine as plain data: what is known of it, its next boot, and its last ones."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from iluvatar_pxe.admin.data import Data, utc
from iluvatar_pxe.admin.describe import describe
from iluvatar_pxe.admin.hardware import hardware_data
from iluvatar_pxe.admin.plans import plan_summary
from iluvatar_pxe.boot.decide import Decision
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.database.history import BootRecord
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import BootEvent, Machine


def machine_details(
    machine: Machine,
    fleet: Fleet,
    following: Decision,
    boots: Sequence[BootRecord],
    awaited: Mapping[str, str] = MappingProxyType({}),
    changing: Mapping[str, Sequence[str]] = MappingProxyType({}),
    troubles: Sequence[str] = (),
) -> Data:
    """Return everything known of a machine.

    ``awaited`` has by the names of the machines that a cluster waits for why, and ``changing`` what is to be changed of
    those that run; ``troubles`` are what is wrong with it or its cluster.
    ``following`` is the last decision of its next boot. ``boots`` are the latest first, and are told in the order in
    which they happened.
    """
    described = describe(machine, fleet)
    return {
        **described,
        "cluster_waits": awaited.get(described["name"] or ""),
        "changes": list(changing.get(described["name"] or "", ())),
        "troubles": list(troubles),
        **hardware_data(machine, fleet),
        "plan": plan_summary(following),
        "last_boots": boots_data(boots),
    }


def boots_data(boots: Sequence[BootRecord]) -> list[Data]:
    """Return boots, which are the latest first, in the order in which they happened."""
    return [_boot(one) for one in reversed(boots)]


def _boot(boot: BootRecord) -> Data:
    return {
        "boot": boot.generation,
        "started_at": utc(boot.started),
        "reached": boot.reached.label,
        "events": [_event(event) for event in boot.events],
    }


def _event(event: BootEvent) -> Data:
    return {
        "at": utc(event.at),
        "stage": event.stage.label if isinstance(event.stage, Stage) else event.stage.value,
        "detail": event.detail or None,
        "cause": event.cause or None,
        "bytes": event.bytes,
        "milliseconds": event.milliseconds,
    }
