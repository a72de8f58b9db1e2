"""iPXE programs: which file each kind of firmware is given."""

import pytest

from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.programs import PROGRAMS, program_for, programs_told
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.wire.pxe import CpuArch, Platform

ALL = frozenset(f"ipxe/{program}" for programs in PROGRAMS.values() for program in programs)
BIOS, UEFI = Platform.BIOS, Platform.UEFI


@pytest.mark.parametrize(
    ("platform", "arch", "wanted", "ready", "expected"),
    [
        (BIOS, CpuArch.X86_64, None, ALL, "ipxe/undionly.kpxe"),
        (BIOS, CpuArch.X86_64, None, {"ipxe/ipxe.pxe"}, "ipxe/ipxe.pxe"),
        (BIOS, CpuArch.X86_64, "ipxe.pxe", ALL, "ipxe/ipxe.pxe"),
        (BIOS, CpuArch.X86_64, "ipxe.pxe", {"ipxe/undionly.kpxe"}, "ipxe/undionly.kpxe"),
        (BIOS, CpuArch.X86_64, "snponly.efi", ALL, "ipxe/undionly.kpxe"),
        (BIOS, CpuArch.X86_64, None, {"ipxe/snponly.efi"}, None),
        (UEFI, CpuArch.X86_64, None, ALL, "ipxe/snponly.efi"),
        (UEFI, CpuArch.X86_64, "ipxe.efi", ALL, "ipxe/ipxe.efi"),
        (UEFI, CpuArch.X86_64, "undionly.kpxe", ALL, "ipxe/snponly.efi"),
        (UEFI, CpuArch.X86_64, None, {"undionly.kpxe", "snponly.efi"}, None),
        (UEFI, CpuArch.I386, None, ALL, "ipxe/snponly-i386.efi"),
        (UEFI, CpuArch.I386, None, {"ipxe/ipxe32.efi"}, "ipxe/ipxe32.efi"),
        (UEFI, CpuArch.ARM64, None, ALL, "ipxe/snponly-arm64.efi"),
        (UEFI, CpuArch.ARM64, None, {"ipxe/snponly.efi"}, None),
        (UEFI, CpuArch.ARM32, None, ALL, None),
        (Platform.UBOOT, CpuArch.ARM64, None, ALL, "ipxe/snponly-arm64.efi"),
        (Platform.UBOOT, CpuArch.ARM32, None, ALL, None),
    ],
)
def test_the_program_of_a_firmware(
    platform: Platform, arch: CpuArch, wanted: str | None, ready: set[str], expected: str | None
) -> None:
    assert program_for(platform, arch, wanted, frozenset(ready)) == expected


def test_every_kind_of_firmware_is_told_of() -> None:
    ready = frozenset({"ipxe/undionly.kpxe", "ipxe/ipxe-arm64.efi"})
    coming = {"ipxe/snponly.efi": Progress(state=State.LOADING, done=1_000_000, size=4_000_000)}
    assert programs_told(Context(ready=ready, coming=coming)) == {
        "bios-x86_64": "ipxe/undionly.kpxe",
        "uefi-x86_64": "none: ipxe/snponly.efi is 25 % here (1.0 of 4.0 MB)",
        "uefi-i386": "none: see docs/firmware.md",
        "uefi-arm64": "ipxe/ipxe-arm64.efi",
        "u-boot-arm64": "ipxe/ipxe-arm64.efi",
    }


def test_no_program_serves_two_processors_nor_a_bios_and_another() -> None:
    """So that the name says the architecture."""
    kinds = {
        (platform is BIOS, arch, program) for (platform, arch), all_ in PROGRAMS.items() for program in all_
    }
    programs = [program for _, _, program in kinds]
    assert len(programs) == len(set(programs))
