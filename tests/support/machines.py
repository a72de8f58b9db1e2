"""Machines as the inventory knows them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.values import replace

_SEEN = datetime(2026, 1, 1, tzinfo=UTC)


def machine_of(*macs: str, **fields: Any) -> Machine:
    """Return a machine in its first boot, whose id is its first MAC's number; ``fields`` are further ones."""
    known = Machine(
        id=UUID(int=int(macs[0].replace(":", ""), 16)),
        macs=macs,
        generation=1,
        reached=Stage.DISCOVER,
        furthest=Stage.DISCOVER,
        first_seen=_SEEN,
        last_seen=_SEEN,
        firmware=Firmware.UEFI_PXE,
    )
    return replace(known, **fields)


def snapshot_of(*machines: Machine) -> Snapshot:
    """Return a snapshot of these machines."""
    return Snapshot.of(machines)
