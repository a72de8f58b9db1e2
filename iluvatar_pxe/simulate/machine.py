"""Who a simulated machine is. All of it follows from kind and MAC, so the same MAC is the same machine again."""

import hashlib
import secrets
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from iluvatar_pxe.wire.pxe import CLIENT_ARCHS, ClientArch

_LOCAL = 0x02
_MULTICAST = 0x01


class Kind(StrEnum):
    """The firmware that is played."""

    BIOS = "bios"
    UEFI_X64 = "uefi-x64"
    UEFI_X64_HTTP = "uefi-x64-http"
    UEFI_ARM64 = "uefi-arm64"
    UEFI_ARM64_HTTP = "uefi-arm64-http"
    IPXE = "ipxe"
    """iPXE built into a network card, as QEMU's."""
    PI3 = "pi3"
    PI4 = "pi4"
    PI5 = "pi5"

    @property
    def arch(self) -> int:
        """Option 93 of its firmware; a Pi says 0, as a BIOS does."""
        return _ARCHS.get(self, 0)

    @property
    def client(self) -> ClientArch:
        """What that number means."""
        return CLIENT_ARCHS[self.arch]

    @property
    def is_pi(self) -> bool:
        """A Raspberry Pi."""
        return self in _PI_PREFIXES


_ARCHS = {Kind.UEFI_X64: 7, Kind.UEFI_X64_HTTP: 16, Kind.UEFI_ARM64: 11, Kind.UEFI_ARM64_HTTP: 19}
_PI_PREFIXES = {
    Kind.PI3: bytes.fromhex("b827eb"),
    Kind.PI4: bytes.fromhex("dca632"),
    Kind.PI5: bytes.fromhex("2ccf67"),
}


class Machine(Struct, frozen=True):
    """One machine with one card."""

    kind: Kind
    mac: bytes

    @property
    def mac_text(self) -> str:
        """The MAC with colons."""
        return self.mac.hex(":")

    @property
    def uuid(self) -> UUID:
        """SMBIOS's UUID."""
        return UUID(bytes=self._digest()[:16], version=4)

    @property
    def serial(self) -> str:
        """SMBIOS's serial number."""
        return f"SIM-{self._digest()[:4].hex()}"

    @property
    def pi_serial(self) -> int:
        """The low 32 bits of a Pi's serial number; up to the Pi 3 its last three bytes are the MAC's."""
        digest = self._digest()
        return int.from_bytes(digest[:1] + self.mac[3:] if self.kind is Kind.PI3 else digest[:4])

    def _digest(self) -> bytes:
        return hashlib.sha256(self.mac).digest()


def random_macs(kind: Kind, count: int) -> list[bytes]:
    """Return so many different MACs."""
    found: set[bytes] = set()
    while len(found) < count:
        found.add(random_mac(kind))
    return list(found)


def random_mac(kind: Kind) -> bytes:
    """Return a MAC that nobody has: locally administered, but a Pi's with the prefix by which it is known."""
    prefix = _PI_PREFIXES.get(kind)
    if prefix:
        return prefix + secrets.token_bytes(3)
    first, *rest = secrets.token_bytes(6)
    return bytes((first & ~_MULTICAST | _LOCAL, *rest))
