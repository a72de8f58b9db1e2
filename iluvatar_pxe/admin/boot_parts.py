"""The nine parts of a boot that people are shown, from firmware's first question to a cluster's new member."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

from iluvatar_pxe.machines.boots import Stage


class Part(IntEnum):
    """In the order in which a boot passes them."""

    DHCP = 0
    PROGRAM = 1
    SCRIPT = 2
    """With iPXE's own DHCP, by which it finds its script."""
    KERNEL = 3
    INITRAMFS = 4
    CONFIGURATION = 5
    INSTALL = 6
    RUNNING = 7
    JOINED = 8

    @property
    def words(self) -> str:
        """What people call it."""
        return "DHCP" if self is Part.DHCP else self.name.lower()


PART_OF: Mapping[Stage, Part] = MappingProxyType(
    {
        Stage.DISCOVER: Part.DHCP,
        Stage.BOOT_SERVER: Part.DHCP,
        Stage.NBP: Part.PROGRAM,
        Stage.IPXE_DISCOVER: Part.SCRIPT,
        Stage.FIRST_SCRIPT: Part.SCRIPT,
        Stage.SCRIPT: Part.SCRIPT,
        Stage.CONFIRM: Part.SCRIPT,
        Stage.KERNEL: Part.KERNEL,
        Stage.INITRAMFS: Part.INITRAMFS,
        Stage.CONFIG: Part.CONFIGURATION,
        Stage.STARTED: Part.CONFIGURATION,
        Stage.INSTALLING: Part.INSTALL,
        Stage.INSTALLED: Part.INSTALL,
        Stage.RUNNING: Part.RUNNING,
        Stage.JOINED: Part.JOINED,
    }
)
DOING: Mapping[Stage, str] = MappingProxyType(
    {
        Stage.DISCOVER: "asks for a boot by DHCP",
        Stage.BOOT_SERVER: "asks the boot server",
        Stage.NBP: "has its boot program",
        Stage.IPXE_DISCOVER: "iPXE asks for a boot by DHCP",
        Stage.FIRST_SCRIPT: "iPXE runs its first script",
        Stage.SCRIPT: "has its script",
        Stage.CONFIRM: "its countdown ran out",
        Stage.KERNEL: "has its kernel",
        Stage.INITRAMFS: "has its initramfs",
        Stage.CONFIG: "has its configuration",
        Stage.STARTED: "its operating system has started",
        Stage.INSTALLING: "installs itself",
        Stage.INSTALLED: "is installed",
        Stage.RUNNING: "runs",
        Stage.JOINED: "is in its cluster",
    }
)
"""What a machine does, or did last, in a boot that has come to a stage."""
