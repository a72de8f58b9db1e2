"""Hardware identity: the values that firmware reports and that distinguish machines.

UUIDs and serial numbers that many machines share, because nobody filled them in.
Vendors ship boards with the samples of the firmware's maker in SMBIOS. Such a value tells no machines apart: it
neither joins two NICs to one machine nor separates two machines. A row says who ships the value, where that is told,
and which project refuses it: a file of its repository, or an issue or pull request (``owner/name#number``).
"""

import re
from functools import lru_cache
from typing import NamedTuple, Protocol
from uuid import UUID

from iluvatar_pxe.machines.raspberry_pi import same_serial


class Bogus(NamedTuple):
    """A bogus value, the vendor that ships it (empty if unknown), and the source."""

    value: str
    shipped_by: str
    source: str


_FREEBSD = "freebsd/freebsd-src libexec/rc/rc.d/hostid"
_FOG = "FOGProject/fogproject packages/web/lib/fog/hostmanager.class.php"
_GLPI = "glpi-project/glpi src/Blacklist.php"
_ROCKSTOR = "Rockstor's documentation, Fake Appliance ID examples"

BOGUS_UUIDS = (
    Bogus(
        "03000200-0400-0500-0006-000700080009",
        "ASRock N3700-ITX, C2550D4I, J3455-ITX",
        f"{_ROCKSTOR}; oshi/oshi#2417",
    ),
    Bogus("00020003-0004-0005-0006-000700080009", "ZOTAC 880G-ITX", f"{_ROCKSTOR}; {_FREEBSD}"),
    Bogus(
        "5c4606fa-192f-453a-b299-7b088c63bb9b", "GIADA N70E-DR", f"{_ROCKSTOR}; rockstor/rockstor-core#2037"
    ),
    Bogus("8a95d198-7f46-11e5-bf8b-08002704d48e", "SolidRun LX2160A", "SolidRun/lx2160a_uefi#4"),
    Bogus("4c4c4544-0000-2010-8020-80c04f202020", "Dell, with a blank service tag", _FREEBSD),
    Bogus("00000000-0000-0000-0807-060504030201", "", "rockstor/rockstor-core#2143"),
    Bogus("07090201-0103-0301-0807-060504030201", "", _FREEBSD),
    Bogus("11111111-2222-3333-4444-555555555555", "", _FREEBSD),
    Bogus("890e2d14-cacd-45d1-ae66-bc80e8bfeb0f", "", _FREEBSD),
    Bogus("8e275844-178f-44a8-aceb-a7d7e5178c63", "", _FREEBSD),
    Bogus("dc698397-fa54-4cf2-82c8-b1b5307a6a7f", "", _FREEBSD),
    Bogus("12345678-1234-5678-90ab-cddeefaabbcc", "", _FOG),
    Bogus("6ab5b300-538d-1014-9fb5-b0684d007b53", "", _GLPI),
    Bogus("00010203-0405-0607-0809-0a0b0c0d0e0f", "", "systemd/systemd#11137"),
    Bogus("01020304-0506-0708-090a-0b0c0d0e0f10", "", "systemd/systemd#11137"),
)

BOGUS_SERIALS = (
    Bogus("To Be Filled By O.E.M.", "ASRock X300", f"mkoreneff/iommu_info_generate#11; {_GLPI}"),
    Bogus("Default string", "MSI", f"fusioninventory/fusioninventory-for-glpi#2823; {_FOG}"),
    Bogus("Not Specified", "QEMU of RHEL 6", f"fusioninventory/fusioninventory-for-glpi#1455; {_GLPI}"),
    Bogus("None", "bhyve", f"omniosorg/pkg5#232; {_GLPI}"),
    Bogus("123456789", "System76 Oryx Pro", f"system76/firmware-open#432; {_FOG}"),
    Bogus("0123456789", "", f"redhat-cip/hardware#5; {_GLPI}"),
    Bogus("System Serial Number", "", f"mondoohq/mql#8466; {_GLPI}"),
    Bogus("Base Board Serial Number", "", _FOG),
    Bogus("Type2 - Board Serial Number", "", _FOG),
    Bogus("Not Applicable", "", _FOG),
    Bogus(".PCIE2", "", _FOG),
    Bogus("N/A", "", _GLPI),
    Bogus("(null string)", "", _GLPI),
    Bogus("INVALID", "", _GLPI),
    Bogus("empty", "", _GLPI),
    Bogus("Unknow", "", _GLPI),
    Bogus("OEM_Serial", "", _GLPI),
    Bogus("SystemSerialNumb", "", _GLPI),
    Bogus("Serial Number xxxxxx", "", _GLPI),
    Bogus("SYS-1234567890", "", _GLPI),
    Bogus("SYS-9876543210", "", _GLPI),
    Bogus("MB-1234567890", "", _GLPI),
    Bogus("SN-1234567890", "", _GLPI),
    Bogus("SN-12345", "", _GLPI),
    Bogus("SN-123456fvgv3i0b8o5n6n7k", "", _GLPI),
    Bogus("12345", "", _GLPI),
    Bogus("123456", "", _GLPI),
    Bogus("1234567", "", _GLPI),
    Bogus("12345678", "", _GLPI),
    Bogus("1234567890", "", _GLPI),
    Bogus("123456789000", "", _GLPI),
    Bogus("12345678901234567", "", _GLPI),
    Bogus("EVAL", "", _GLPI),
    Bogus("IATPASS", "", _GLPI),
    Bogus("Tulip Computers", "", _GLPI),
)

_NOT_TELLING = re.compile(r"[^0-9a-z]+")
_MOST_REMEMBERED = 4096


@lru_cache(maxsize=_MOST_REMEMBERED)
def is_bogus_uuid(uuid: UUID) -> bool:
    """Say whether a UUID, in either byte order, tells no machines apart: a known one, or twelve equal bytes last.

    Erased memory reads as all ones (siderolabs/talos#8804: three MSI Cubi), at times except for the first four bytes.
    """
    return len(set(uuid.bytes[4:])) == 1 or bool({uuid, UUID(bytes=uuid.bytes_le)} & _UUIDS)


@lru_cache(maxsize=_MOST_REMEMBERED)
def is_bogus_serial(text: str) -> bool:
    """Say whether a serial number tells no machines apart: a known one, or fewer than two different characters.

    Case, spaces and punctuation are ignored (vendors write ``To be filled by O.E.M`` in many ways).
    """
    key = _key(text)
    return len(set(key)) < 2 or key in _SERIALS


def _key(text: str) -> str:
    return _NOT_TELLING.sub("", text.lower())


_UUIDS = frozenset(UUID(row.value) for row in BOGUS_UUIDS)
_SERIALS = frozenset(_key(row.value) for row in BOGUS_SERIALS)


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
