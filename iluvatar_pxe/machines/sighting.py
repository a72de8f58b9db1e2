"""A sighting: what one message tells about its sender."""

from enum import StrEnum
from ipaddress import IPv4Address
from uuid import UUID

from msgspec import Struct

from iluvatar_pxe.wire.pxe import CpuArch, Platform


class Firmware(StrEnum):
    """The sender's firmware, by boot stage rather than by vendor."""

    BIOS_PXE = "bios-pxe"
    UEFI_PXE = "uefi-pxe"
    UEFI_HTTP = "uefi-http"
    IPXE = "ipxe"
    RASPBERRY_PI = "raspberry-pi"
    TALOS = "talos"
    UNSUPPORTED = "unsupported"
    """Requests a boot that this version cannot serve."""
    NOT_BOOTING = "not-booting"
    """An ordinary DHCP client."""


class Sighting(Struct, frozen=True, kw_only=True):
    """One message's evidence. Text comes from the machine: sanitised, but not trusted."""

    mac: str
    firmware: Firmware
    macs: tuple[str, ...] = ()
    """Every NIC that iPXE lists, the asking one first; empty where not iPXE's script speaks."""
    without_http: bool = False
    """An iPXE, built into a NIC or a hypervisor, that can fetch by TFTP alone."""
    arch: CpuArch | None = None
    platform: Platform | None = None
    client: str = ""
    """The client in its own words (option 60 and 93), for logs."""
    uuid: UUID | None = None
    serial: str = ""
    manufacturer: str = ""
    product: str = ""
    board: str = ""
    address: IPv4Address | None = None
    from_nowhere: bool = False
    """Sent from 0.0.0.0, port 68, in a frame of this very NIC: by firmware without an address, not by a program of a
    running system, nor in another machine's name."""
    simulated: bool = False
    """A client of ``iluvatar-pxe simulate``, by its own word."""
    routed: bool = False
    """It came through a relay or a router, so this server cannot see whose NIC sent it."""
    waited: int = 0
    """Seconds that it was told to wait, and did, since its iPXE started."""
    choice: str = ""
    """What was chosen of its menu."""
    neighbour: str | None = None
    """The MAC that the kernel's neighbour table has for ``address``."""

    @property
    def needs_ipxe(self) -> bool:
        """It runs no script from a URL, but can load a full iPXE, which does."""
        return self.without_http or self.firmware in _LOADS_IPXE

    @property
    def fetches_by_url(self) -> bool:
        """It takes a URL for a boot file; others take a name, and fetch it by TFTP."""
        return self.firmware in _FETCHES_BY_URL and not self.without_http


_LOADS_IPXE = frozenset({Firmware.BIOS_PXE, Firmware.UEFI_PXE, Firmware.UEFI_HTTP})
_FETCHES_BY_URL = frozenset({Firmware.UEFI_HTTP, Firmware.IPXE})
