"""What a stand-in is made of: its disks with what is on them, its NICs and what SMBIOS says."""

from dataclasses import dataclass, field
from pathlib import Path

GIGABYTE = 1_000_000_000
SYSTEM_PARTITIONS = ("EFI", "META", "STATE", "EPHEMERAL")


@dataclass
class Installed:
    """Talos on a disk: what STATE, EPHEMERAL and the boot entry hold."""

    version: str
    config: str
    var: Path
    """A directory for EPHEMERAL: it holds etcd's data."""

    @property
    def etcd(self) -> Path:
        return self.var / "etcd"


@dataclass
class Disk:
    name: str
    serial: str = ""
    wwid: str = ""
    size: int = 256 * GIGABYTE
    model: str = "STAND-IN"
    transport: str = "sata"
    rotational: bool = False
    readonly: bool = False
    cdrom: bool = False
    modalias: str = "scsi:t-0x00"
    bus_path: str = "/pci0000:00/0000:00:1f.2/ata1"
    holds: tuple[str, ...] = ()
    """File systems of partitions that are not Talos', such as ``ext4``."""
    installed: Installed | None = None

    @property
    def dev_path(self) -> str:
        return f"/dev/{self.name}"

    @property
    def partitions(self) -> tuple[str, ...]:
        """Return the labels of its partitions; somebody's own have none."""
        return SYSTEM_PARTITIONS if self.installed else ("",) * len(self.holds)


@dataclass
class Hardware:
    mac: str
    uuid: str = "4c4c4544-0000-1000-8000-000000000001"
    serial: str = "STANDIN01"
    manufacturer: str = "Stand-in"
    product: str = "Machine"
    disks: list[Disk] = field(default_factory=lambda: [Disk("sda", serial="S1", wwid="naa.5000000000000001")])
    other_macs: tuple[str, ...] = ()

    @property
    def macs(self) -> tuple[str, ...]:
        return (self.mac, *self.other_macs)

    @property
    def system_disk(self) -> Disk | None:
        """Return the disk that Talos is on: Talos itself looks for a META partition on any disk."""
        return next((disk for disk in self.disks if disk.installed), None)
