"""Records of machines with whatever fields a test is about."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware

_SEEN = datetime(2026, 1, 1, tzinfo=UTC)
_FIRST_BOOT: dict[str, Any] = {
    "id": UUID(int=1),
    "generation": 1,
    "reached": Stage.DISCOVER,
    "furthest": Stage.DISCOVER,
    "first_seen": _SEEN,
    "last_seen": _SEEN,
    "firmware": Firmware.UEFI_PXE,
}


def record_of(*macs: str, **fields: Any) -> Machine:
    """Return a machine in its first boot; ``fields`` replace what is usual."""
    return Machine(macs=macs, **(_FIRST_BOOT | fields))
