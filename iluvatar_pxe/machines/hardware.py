"""Which hardware it is: what firmware tells of itself, as far as it tells machines apart."""

from typing import NamedTuple, Protocol
from uuid import UUID

from iluvatar_pxe.machines.bogus import is_bogus_serial, is_bogus_uuid
from iluvatar_pxe.machines.raspberry_pi import same_serial


class Described(Protocol):
    """A machine or a sighting, as far as it tells which hardware it is."""

    @property
    def uuid(self) -> UUID | None: ...
    @property
    def serial(self) -> str: ...
    @property
    def product(self) -> str: ...


class Hardware(NamedTuple):
    """UUID (in the lesser of its two byte orders), serial number and product: equal for one machine only."""

    uuid: UUID
    serial: str
    product: str


def hardware_of(told: Described) -> Hardware | None:
    """Return what tells this hardware from all other, or None when one part of it is missing or bogus."""
    uuid = telling_uuid(told.uuid)
    if uuid is None or not telling_serial(told.serial) or not told.product:
        return None
    return Hardware(min(uuid, swapped(uuid)), told.serial, told.product)


def contradiction(known: Described, told: Described) -> str:
    """Return in words why both cannot be one machine, or an empty string."""
    known_uuid, told_uuid = telling_uuid(known.uuid), telling_uuid(told.uuid)
    if known_uuid and told_uuid and not same_uuid(known_uuid, told_uuid):
        return f"UUID {told_uuid} instead of {known_uuid}"
    known_serial, told_serial = telling_serial(known.serial), telling_serial(told.serial)
    if known_serial and told_serial and not same_serial(known_serial, told_serial):
        return f"serial number {told_serial} instead of {known_serial}"
    return ""


def agreement(known: Described, told: Described) -> bool:
    """Say whether both have the same UUID or the same serial number, and not a bogus one."""
    known_uuid, told_uuid = telling_uuid(known.uuid), telling_uuid(told.uuid)
    if known_uuid and told_uuid and same_uuid(known_uuid, told_uuid):
        return True
    return bool(telling_serial(known.serial)) and same_serial(known.serial, told.serial)


def swapped(uuid: UUID) -> UUID:
    """Return a UUID with its first three fields in the other byte order.

    SMBIOS 2.6 and option 97 have them little-endian; older firmware and some newer wrote them as they stand.
    """
    return UUID(bytes=uuid.bytes_le)


def same_uuid(one: UUID, other: UUID) -> bool:
    """Say whether two UUIDs are the same in either byte order."""
    return one == other or one == swapped(other)


def telling_uuid(uuid: UUID | None) -> UUID | None:
    """Return a UUID that tells machines apart, else None."""
    return None if uuid is None or is_bogus_uuid(uuid) else uuid


def telling_serial(serial: str) -> str:
    """Return a serial number that tells machines apart, else an empty string."""
    return "" if is_bogus_serial(serial) else serial
