"""iPXE binaries: which file each kind of firmware can run."""

from collections.abc import Mapping
from types import MappingProxyType

from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.missing import lack_of
from iluvatar_pxe.boot.plan import Lack
from iluvatar_pxe.boot.words import NO_PROGRAM
from iluvatar_pxe.catalogue.coming import find
from iluvatar_pxe.wire.pxe import CpuArch, Platform

PROGRAM_FOLDER = "ipxe"
_EFI_ARM64 = ("snponly-arm64.efi", "ipxe-arm64.efi")

PROGRAMS: Mapping[tuple[Platform, CpuArch], tuple[str, ...]] = MappingProxyType(
    {
        (Platform.BIOS, CpuArch.X86_64): ("undionly.kpxe", "ipxe.pxe"),
        (Platform.UEFI, CpuArch.X86_64): ("snponly.efi", "ipxe.efi"),
        (Platform.UEFI, CpuArch.I386): ("snponly-i386.efi", "ipxe-i386.efi", "ipxe32.efi"),
        (Platform.UEFI, CpuArch.ARM64): _EFI_ARM64,
        (Platform.UBOOT, CpuArch.ARM64): _EFI_ARM64,  # by its EFI loader
    }
)
"""By platform and processor, the programs that fit, best first.

``undionly`` and ``snponly`` use the firmware's own network driver, so they work with every NIC that firmware
can boot from, and only with that one.
"""


def program_for(platform: Platform, arch: CpuArch, wanted: str | None, ready: frozenset[str]) -> str | None:
    """Return the asset name of the program to run, ``wanted`` before the usual ones, or None."""
    fitting = PROGRAMS.get((platform, arch), ())
    if wanted in fitting:
        fitting = (wanted, *fitting)
    names = (f"{PROGRAM_FOLDER}/{program}" for program in fitting)
    return next((name for name in names if name in ready), None)


def coming_program(platform: Platform, arch: CpuArch, context: Context) -> Lack | None:
    """Say how far the best program is that is wanted, but not ready; None where none is wanted."""
    names = (f"{PROGRAM_FOLDER}/{program}" for program in PROGRAMS.get((platform, arch), ()))
    return next((lack_of(name, context) for name in names if find(name, context.coming)), None)


def programs_told(context: Context) -> dict[str, str]:
    """Tell for every kind of firmware served here, by name, the program it would get, or how far that is."""
    return {
        f"{platform.value}-{arch.value}": program_for(platform, arch, None, context.ready)
        or _none(coming_program(platform, arch, context))
        for platform, arch in PROGRAMS
    }


def _none(coming: Lack | None) -> str:
    return f"{NO_PROGRAM}: {coming.trouble if coming else 'see docs/firmware.md'}"
