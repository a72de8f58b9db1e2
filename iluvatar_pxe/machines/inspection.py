"""What Talos reads of a machine's hardware before anything is installed on it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A partition, or what is on a disk without partitions. ``size`` in bytes."""

    path: str
    name: str = ""
    """The file system or partition table, such as ``ext4`` or ``gpt``; empty where Talos recognises none."""
    label: str = ""
    """The partition's label, else the file system's."""
    size: int = 0
    is_partition: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A block device that Talos takes for a disk. ``size`` in bytes."""

    path: str
    """Such as ``/dev/nvme0n1``; this may change at any boot."""
    size: int
    model: str = ""
    serial: str = ""
    wwid: str = ""
    bus_path: str = ""
    """Where it is plugged in, such as ``/pci0000:00/0000:00:1f.2/ata1``."""
    transport: str = ""
    """How it is attached: ``sata``, ``nvme``, ``usb`` …"""
    is_rotational: bool = False
    is_read_only: bool = False
    is_cdrom: bool = False
    parts: tuple[str, ...] = ()
    """Other disks that it is made of, as a RAID is."""
    contents: tuple[Content, ...] = ()

    @property
    def identity(self) -> tuple[str, str, str]:
        """Serial number, WWID, and only where both are missing its place: what it is known again by."""
        return self.serial, self.wwid, "" if self.serial or self.wwid else self.bus_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic:
    """A NIC; MACs in lower case."""

    name: str
    mac: str
    driver: str = ""
    is_up: bool = False
    speed_mbit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was read last, when, and in which of the machine's boots."""

    at: datetime
    boot: int
    disks: tuple[Disk, ...] = ()
    nics: tuple[Nic, ...] = ()
    problem: str = ""
    """Why it could not be read in that boot, in words with the remedy; what is known is then older."""
    given: tuple[str, str, str] | None = None
    """The identity of the disk that the machine was last told to install Talos on."""
