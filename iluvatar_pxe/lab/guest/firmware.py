"""Which firmware the lab can boot, one row each."""

from pathlib import Path
from typing import Literal

from msgspec import Struct

from iluvatar_pxe.errors import LabError

_OVMF = Path("/usr/share/OVMF")
_AAVMF = Path("/usr/share/AAVMF")
_ARM64_CPU = ("-cpu", "max,pauth=off,sve=off,sme=off")
"""AAVMF 2025.02 offers no network boot on older models; without these extensions emulation takes a fifth less time."""
_NO_PXE = tuple(
    argument
    for protocol in ("IPv4", "IPv6")
    for argument in ("-fw_cfg", f"name=opt/org.tianocore/{protocol}PXESupport,string=n")
)


class Firmware(Struct, frozen=True):
    """A machine's firmware, and what QEMU must be told to boot it from the network."""

    kind: str
    architecture: Literal["amd64", "arm64"]
    emulator: str
    machine: str
    option_rom: Path | None = None
    """The network card's option ROM; None: the firmware drives the card itself."""
    code: Path | None = None
    variables: Path | None = None
    """The firmware's code and a template of its variables; None: QEMU's built-in SeaBIOS."""
    arguments: tuple[str, ...] = ()
    package: str = "ovmf"
    """Debian's package of its files."""

    @property
    def card(self) -> str:
        """The network card as QEMU names it; the option ROM is for virtio's modern device only."""
        rom = self.option_rom
        return "virtio-net-pci,romfile=" + (f"{rom},disable-legacy=on" if rom else "")

    def check(self) -> None:
        """Raise LabError when a file of this firmware is not on this machine."""
        for file in (self.option_rom, self.code, self.variables):
            if file is not None and not file.is_file():
                raise LabError(f"{file} is missing; install the package {self.package}")


FIRMWARE = {
    row.kind: row
    for row in (
        Firmware(
            kind="bios",
            architecture="amd64",
            emulator="qemu-system-x86_64",
            machine="pc,graphics=off",  # SeaBIOS then writes to the serial port
            option_rom=Path("/usr/lib/ipxe/qemu/pxe-virtio.rom"),
            package="ipxe-qemu",
        ),
        Firmware(
            kind="uefi-x64",
            architecture="amd64",
            emulator="qemu-system-x86_64",
            machine="pc",
            code=_OVMF / "OVMF_CODE_4M.fd",
            variables=_OVMF / "OVMF_VARS_4M.fd",
        ),
        Firmware(
            kind="uefi-x64-http",
            architecture="amd64",
            emulator="qemu-system-x86_64",
            machine="pc",
            code=_OVMF / "OVMF_CODE_4M.fd",
            variables=_OVMF / "OVMF_VARS_4M.fd",
            arguments=_NO_PXE,
        ),
        Firmware(
            kind="uefi-arm64",
            architecture="arm64",
            emulator="qemu-system-aarch64",
            machine="virt",
            code=_AAVMF / "AAVMF_CODE.fd",
            variables=_AAVMF / "AAVMF_VARS.fd",
            arguments=_ARM64_CPU,
            package="qemu-efi-aarch64",
        ),
        Firmware(
            kind="uefi-arm64-http",
            architecture="arm64",
            emulator="qemu-system-aarch64",
            machine="virt",
            code=_AAVMF / "AAVMF_CODE.fd",
            variables=_AAVMF / "AAVMF_VARS.fd",
            arguments=(*_ARM64_CPU, *_NO_PXE),
            package="qemu-efi-aarch64",
        ),
    )
}
"""Every kind of firmware, by name."""


def firmware_named(kind: str) -> Firmware:
    """Return the row called ``kind``; raises LabError that lists the known ones."""
    try:
        return FIRMWARE[kind]
    except KeyError as error:
        raise LabError(f"{kind}: unknown firmware; choose one of {', '.join(FIRMWARE)}") from error
