"""What Talos' API tells, as values of ours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TypeVar

from msgspec import Struct

Numbered = TypeVar("Numbered", bound=Enum)


def of_number(kind: type[Numbered], number: int) -> Numbered | None:
    """Return what a number means; None for one that only a newer Talos knows."""
    try:
        return kind(number)
    except ValueError:
        return None


class ApplyMode(Enum):
    """How a configuration is applied; Talos' own default, a reboot, is never asked for."""

    AUTO = 1
    NO_REBOOT = 2
    STAGED = 3
    TRY = 4


class RebootMode(Enum):
    """How a machine restarts: by kexec, through its firmware, or at once without ending anything."""

    DEFAULT = 0
    POWERCYCLE = 1
    FORCE = 2


class WipeMode(Enum):
    """What a reset wipes; user disks only where they are named."""

    ALL = 0
    SYSTEM_DISK = 1
    USER_DISKS = 2


class DiskKind(Enum):
    """What Talos takes a disk for."""

    UNKNOWN = 0
    SSD = 1
    HDD = 2
    NVME = 3
    SD = 4
    CD = 5


class Change(Enum):
    """What has happened to a resource that is watched; ``BOOTSTRAPPED``: all that there were have been told."""

    CREATED = 0
    UPDATED = 1
    DESTROYED = 2
    BOOTSTRAPPED = 3


class Version(Struct, frozen=True):
    """Of Talos; ``platform`` and ``mode`` are words such as ``metal``."""

    tag: str
    arch: str
    platform: str
    mode: str


class Service(Struct, frozen=True):
    """A service of Talos. ``is_healthy`` is None while nobody knows; ``last_event`` is in the machine's words."""

    id: str
    state: str
    is_healthy: bool | None
    message: str
    last_event: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a configuration; ``details`` may hold secrets: never log it."""

    mode: ApplyMode | None
    warnings: tuple[str, ...]
    details: str = field(repr=False)


class EtcdMember(Struct, frozen=True):
    """A member; its ``hostname`` is empty until it has started."""

    id: int
    hostname: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    is_learner: bool


class StorageDisk(Struct, frozen=True):
    """A disk as the storage service tells it; ``size`` in bytes, and ``name`` as in ``/dev/sda``."""

    name: str
    size: int
    kind: DiskKind
    model: str
    serial: str
    wwid: str
    uuid: str
    bus_path: str
    is_system: bool
    is_read_only: bool


class TimeCheck(Struct, frozen=True):
    """The machine's clock beside that of a time server."""

    server: str
    local: datetime
    remote: datetime

    @property
    def off(self) -> float:
        """By how many seconds the machine's clock is ahead."""
        return (self.local - self.remote).total_seconds()


class PullProgress(Struct, frozen=True):
    """How far one layer of an image is; bytes, and ``total`` is 0 while it is not known."""

    layer: str
    offset: int
    total: int


class UnmetCondition(Struct, frozen=True):
    """Why a machine is not ready: ``time``, ``network``, ``services``, ``staticPods`` or ``nodeReady``."""

    name: str
    reason: str


class MachineStatus(Struct, frozen=True):
    """``stage`` is booting, installing, maintenance, running, rebooting, shutting down, resetting or upgrading."""

    stage: str
    is_ready: bool
    unmet: tuple[UnmetCondition, ...]

    @property
    def is_joined(self) -> bool:
        """Say whether it runs and all is well, which includes that Kubernetes has its node ready."""
        return self.stage == "running" and self.is_ready


class UnattendedInstall(Struct, frozen=True):
    """``phase`` is pending, installing, installed, waiting-for-reboot or failed (1.14)."""

    phase: str
    image: str
    error: str


class Disk(Struct, frozen=True):
    """A disk of the machine; sizes in bytes, and ``transport`` such as sata, nvme, usb."""

    id: str
    path: str
    size: int
    sector_size: int
    model: str
    serial: str
    wwid: str
    uuid: str
    modalias: str
    bus_path: str
    transport: str
    is_rotational: bool
    is_read_only: bool
    is_cdrom: bool
    secondary: tuple[str, ...]
    symlinks: tuple[str, ...]


class SystemDisk(Struct, frozen=True):
    """The disk that Talos is installed on."""

    disk: str
    path: str


class DiscoveredVolume(Struct, frozen=True):
    """What is on a disk or partition: ``name`` is the file system or partition table, empty where nothing is known."""

    id: str
    path: str
    kind: str
    parent: str
    size: int
    name: str
    label: str
    uuid: str
    partition_label: str
    partition_type: str
    partition_uuid: str
    partition_index: int


class VolumeStatus(Struct, frozen=True):
    """How far a volume of Talos is: waiting, failed, missing, located, provisioned, prepared, ready or closed."""

    id: str
    phase: str
    location: str
    parent_location: str
    filesystem: str
    size: int
    error: str


class Link(Struct, frozen=True):
    """A network interface; MACs in lower case."""

    id: str
    mac: str
    permanent_mac: str
    kind: str
    type: str
    driver: str
    bus_path: str
    is_up: bool
    speed_mbit: int

    @property
    def is_physical(self) -> bool:
        """Say whether it is a NIC, as Talos tells it."""
        return self.type == "ether" and not self.kind


class SystemInformation(Struct, frozen=True):
    """What SMBIOS says."""

    manufacturer: str
    product: str
    version: str
    serial: str
    uuid: str
    sku: str


class NodeStatus(Struct, frozen=True):
    """The machine's node in Kubernetes."""

    name: str
    is_ready: bool
    is_unschedulable: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


class TimeStatus(Struct, frozen=True):
    """Whether the clock is in step with a time server."""

    is_synced: bool
    is_disabled: bool


class Member(Struct, frozen=True):
    """A machine of the cluster that discovery has found."""

    id: str
    node_id: str
    hostname: str
    machine_type: str
    operating_system: str
    addresses: tuple[str, ...]


class RebootRequest(Struct, frozen=True):
    """A reboot is pending (1.14)."""

    id: str
