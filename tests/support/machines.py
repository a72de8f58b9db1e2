"""Machines as the inventory knows them."""

from datetime import UTC, datetime
from uuid import UUID

from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.wire.pxe import CpuArch

_SEEN = datetime(2026, 1, 1, tzinfo=UTC)


def machine_of(*macs: str, arch: CpuArch | None = None) -> Machine:
    """Return a machine in its first boot."""
    return Machine(
        id=UUID(int=1),
        macs=macs,
        generation=1,
        reached=Stage.DISCOVER,
        first_seen=_SEEN,
        last_seen=_SEEN,
        firmware=Firmware.UEFI_PXE,
        arch=arch,
    )


def snapshot_of(*machines: Machine) -> Snapshot:
    """Return a snapshot of these machines."""
    return Snapshot({mac: machine for machine in machines for mac in machine.macs})
