"""What is known of machines: immutable values, replaced when something changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address
from uuid import UUID

from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.wire.pxe import CpuArch


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine as observed. ``generation`` counts its boots, from 1."""

    id: UUID
    macs: tuple[str, ...]
    generation: int
    reached: Stage
    first_seen: datetime
    last_seen: datetime
    firmware: Firmware
    arch: CpuArch | None = None
    uuid: UUID | None = None
    serial: str = ""
    manufacturer: str = ""
    product: str = ""
    address: IPv4Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BootEvent:
    """One stage of one boot: what was served (``detail``), how much of it and in which time."""

    at: datetime
    machine_id: UUID
    generation: int
    stage: Stage
    detail: str
    bytes: int
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All machines at one moment, by MAC."""

    by_mac: Mapping[str, Machine] = field(default_factory=dict)

    def machine(self, mac: str) -> Machine | None:
        """Return the machine that a MAC belongs to, or None."""
        return self.by_mac.get(mac)

    def machine_with_id(self, machine_id: UUID) -> Machine | None:
        """Return the machine with this id, or None."""
        return next((machine for machine in self.by_mac.values() if machine.id == machine_id), None)
