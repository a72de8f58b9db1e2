"""One more sighting of a machine: what is known of it afterwards."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from iluvatar_pxe.machines.boots import Stage, begins_boot
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware, Sighting

_VAGUE = (Firmware.NOT_BOOTING, Firmware.TALOS, Firmware.UNSUPPORTED, Firmware.IPXE)
"""Those that do not tell which firmware the machine has, least telling first."""


def observed(
    known: Machine | None, sighting: Sighting, stage: Stage, *, now: datetime, fresh_id: UUID
) -> Machine:
    """Return the machine as known after ``sighting`` at ``stage``; ``fresh_id`` is for one not ``known`` yet.

    Within a boot ``reached`` never goes back; a new boot counts ``generation`` up by one. What the sighting
    leaves empty stays as it was.
    """
    if known is None:
        return _first_seen(sighting, stage, now, fresh_id)
    begins = begins_boot(known.reached, stage)
    return replace(
        known,
        generation=known.generation + begins,
        reached=stage if begins else max(known.reached, stage),
        last_seen=now,
        firmware=sighting.firmware if _tells_firmware(known.firmware, sighting, stage) else known.firmware,
        arch=sighting.arch or known.arch,
        uuid=sighting.uuid or known.uuid,
        serial=sighting.serial or known.serial,
        manufacturer=sighting.manufacturer or known.manufacturer,
        product=sighting.product or known.product,
        address=sighting.address or known.address,
    )


def more_telling(firmware: Firmware, than: Firmware) -> bool:
    """Say whether ``firmware`` says more about what the machine has built in (iPXE, Talos: come later)."""
    return _telling(firmware) > _telling(than)


def _first_seen(sighting: Sighting, stage: Stage, now: datetime, fresh_id: UUID) -> Machine:
    return Machine(
        id=fresh_id,
        macs=(sighting.mac,),
        generation=1,
        reached=stage,
        first_seen=now,
        last_seen=now,
        firmware=sighting.firmware,
        arch=sighting.arch,
        uuid=sighting.uuid,
        serial=sighting.serial,
        manufacturer=sighting.manufacturer,
        product=sighting.product,
        address=sighting.address,
    )


def _tells_firmware(known: Firmware, sighting: Sighting, stage: Stage) -> bool:
    """Only firmware's own DISCOVER may replace another firmware (its owner changed BIOS to UEFI, PXE to HTTP)."""
    if more_telling(sighting.firmware, known):
        return True
    return stage is Stage.DISCOVER and not more_telling(known, sighting.firmware)


def _telling(firmware: Firmware) -> int:
    return _VAGUE.index(firmware) if firmware in _VAGUE else len(_VAGUE)
