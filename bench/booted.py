"""Machines of an inventory that have booted before, for benchmarks and tests."""

from datetime import UTC, datetime
from uuid import uuid4

from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware


def mac(number: int) -> bytes:
    return bytes.fromhex("525400") + number.to_bytes(3)


def machine(number: int) -> Machine:
    now = datetime.now(UTC)
    return Machine(
        id=uuid4(),
        macs=(mac(number).hex(":"),),
        generation=1,
        reached=Stage.CONFIG,
        furthest=Stage.CONFIG,
        first_seen=now,
        last_seen=now,
        firmware=Firmware.UEFI_PXE,
        uuid=uuid4(),
        serial=str(number),
        product="Bench",
    )
