"""Boot stages, in the order a boot passes them, and when a new boot begins."""

from enum import IntEnum, StrEnum


class Stage(IntEnum):
    """How far a boot has come; a later stage has a higher number."""

    DISCOVER = 10
    """Firmware asked for a boot by DHCP."""
    BOOT_SERVER = 20
    """Firmware asked on port 4011."""
    NBP = 30
    """The network boot program, or ``autoexec.ipxe`` beside it, was fetched."""
    IPXE_DISCOVER = 40
    """iPXE asked for a boot by DHCP."""
    FIRST_SCRIPT = 50
    """iPXE fetched ``boot.ipxe``."""
    SCRIPT = 60
    """iPXE fetched the machine's own script."""
    CONFIRM = 65
    """The countdown on an unlisted machine's screen ran out without a key press."""
    KERNEL = 70
    INITRAMFS = 80
    CONFIG = 90
    """The operating system fetched its configuration."""
    STARTED = 95
    """The operating system reports: it has loaded a configuration, or started from its disk."""
    INSTALLING = 100
    """It writes itself on a disk."""
    INSTALLED = 110
    """It has written itself on a disk, as it reports."""
    RUNNING = 120
    """It runs, as it reports; something may still fail."""
    JOINED = 130
    """It runs and is ready, as it reports: its cluster has it as a member."""

    label: str
    """The stage's name in logs and in the database."""


for _stage in Stage:
    _stage.label = _stage.name.lower().replace("_", "-")


class Happening(StrEnum):
    """What is recorded among a boot's stages without being one."""

    ASSIGNED = "assigned"
    REFUSED = "refused"
    """A key press at the machine stopped it from joining."""
    UNTRUSTED = "untrusted"
    """A request in this machine's name came from another sender."""
    CONFLICT = "conflict"
    MERGED = "merged"
    SPLIT = "split"
    DECLINED = "declined"
    """A Raspberry Pi requested its boot files, and gets none now."""
    FAILED = "failed"
    INSPECTED = "inspected"
    """Talos told which hardware it has, before anything is installed."""
    FAULT = "fault"
    """The operating system reported what is wrong, in its own words."""
    RESTARTING = "restarting"
    """The operating system reported that it restarts, or shuts down."""
    CHANGED = "changed"
    """A person changed its intent or its data."""


DHCP = frozenset({Stage.DISCOVER, Stage.BOOT_SERVER, Stage.IPXE_DISCOVER})
"""DHCP stages, which anybody can spoof."""

QUESTIONS = frozenset(
    {Stage.DISCOVER, Stage.BOOT_SERVER, Stage.IPXE_DISCOVER, Stage.FIRST_SCRIPT, Stage.SCRIPT, Stage.CONFIRM}
)
"""Stages that ask what to do; the others fetch a file."""

REPORTED = frozenset({Stage.STARTED, Stage.INSTALLING, Stage.INSTALLED, Stage.RUNNING, Stage.JOINED})
"""Stages that the operating system reports; the others are seen here."""

_ENTRIES = frozenset({Stage.DISCOVER, Stage.IPXE_DISCOVER, Stage.STARTED})


def begins_boot(reached: Stage | None, stage: Stage) -> bool:
    """Say whether ``stage`` opens a new boot of a machine whose boot so far reached ``reached``.

    A boot begins where firmware starts over, with a DISCOVER of a stage that the boot had already left behind, and where
    the operating system starts again without that: its firmware boots the disk and asks nobody.
    Everything else, repeated or not, belongs to the boot under way (iPXE asking again while it is held,
    UEFI reading a program twice, Talos fetching its configuration again).
    """
    return reached is None or (stage in _ENTRIES and stage < reached)
