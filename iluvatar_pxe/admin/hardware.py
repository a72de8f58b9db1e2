"""What Talos read of a machine's hardware as plain data: its disks, which one is chosen and why, and its NICs."""

from collections.abc import Sequence
from typing import Any

from iluvatar_pxe.fleet.disk_selector import DiskSelector
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.arda.disks import SMALLEST, contents_words
from iluvatar_pxe.layers.arda.install import choice_words, disk_for, selector_for
from iluvatar_pxe.layers.disk_matching import disk_words, type_of, why_not
from iluvatar_pxe.machines.inspection import Disk
from iluvatar_pxe.machines.model import Machine

Data = dict[str, Any]


def hardware_data(machine: Machine, fleet: Fleet) -> Data:
    """Return it under the keys ``disk`` (in words), ``disks`` and ``nics``; of one that was not read they are null."""
    found = machine.inspection
    if found is None:
        return {"disk": None, "disks": None, "nics": None}
    selector, choice = selector_for(machine, fleet), disk_for(machine, fleet)
    chosen = choice.path if choice else None
    return {
        "disk": choice_words(machine, fleet),
        "disks": [_disk(one, found.disks, selector, chosen) for one in found.disks],
        "nics": [
            {"name": one.name, "mac": one.mac, "driver": one.driver, "up": one.is_up, "mbit": one.speed_mbit}
            for one in found.nics
        ],
    }


def _disk(disk: Disk, disks: Sequence[Disk], selector: DiskSelector | None, chosen: str | None) -> Data:
    return {
        "path": disk.path,
        "size": disk.size,
        "type": type_of(disk).value,
        "model": disk.model or None,
        "serial": disk.serial or None,
        "wwid": disk.wwid or None,
        "bus_path": disk.bus_path or None,
        "transport": disk.transport or None,
        "words": disk_words(disk),
        "contents": contents_words(disk) or None,
        "chosen": disk.path == chosen,
        "why_not": why_not(disk, disks, selector, SMALLEST) or None,
    }
