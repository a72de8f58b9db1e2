"""Resources of Talos' controllers: which there are, and their YAML as values of ours."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from msgspec import Struct

from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.fleet.yaml.document import parse_documents
from iluvatar_pxe.layers.arda.api.model import (
    Change,
    DiscoveredVolume,
    Disk,
    Link,
    MachineStatus,
    Member,
    NodeStatus,
    RebootRequest,
    SystemDisk,
    SystemInformation,
    TimeStatus,
    UnattendedInstall,
    UnmetCondition,
    VolumeStatus,
)

_LARGEST = 1 << 20
"""Characters of one resource."""
_NULL = ("", "null", "~")

Value = TypeVar("Value")


class SpecError(Exception):
    """A resource's YAML is not what its kind has."""


class Spec:
    """What a resource holds, read as it is written: a serial number of digits stays a text."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def text(self, key: str) -> str:
        """Return a text; empty where there is none."""
        value = self._values.get(key, "")
        if not isinstance(value, str):
            raise SpecError(f"{key} is no text")
        return "" if value in _NULL else value

    def number(self, key: str) -> int:
        """Return a number, 0 where there is none."""
        text = self.text(key)
        try:
            return int(text or "0")
        except ValueError as error:
            raise SpecError(f"{key} is no number") from error

    def flag(self, key: str) -> bool:
        """Return true or false; false where there is none."""
        text = self.text(key)
        if text not in ("true", "false", ""):
            raise SpecError(f"{key} is neither true nor false")
        return text == "true"

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(text for item in self._list(key) if isinstance(text := item, str))

    def part(self, key: str) -> "Spec":
        """Return a mapping inside; an empty one where there is none."""
        value = self._values.get(key)
        return Spec(value if isinstance(value, Mapping) else {})

    def parts(self, key: str) -> tuple["Spec", ...]:
        """Return a list of mappings."""
        return tuple(Spec(item) for item in self._list(key) if isinstance(item, Mapping))

    def map(self, key: str) -> Mapping[str, str]:
        """Return a mapping of texts."""
        value = self._values.get(key)
        return {name: Spec(value).text(name) for name in value} if isinstance(value, Mapping) else {}

    def _list(self, key: str) -> tuple[Any, ...]:
        value = self._values.get(key)
        return tuple(value) if isinstance(value, list | tuple) else ()


class Kind(Struct, Generic[Value], frozen=True):
    """A type of resource. ``id``: the one that there is; ``is_new``: 1.13 has none of these."""

    namespace: str
    type: str
    make: Callable[[str, Spec], Value]
    id: str = ""
    is_new: bool = False

    def read(self, name: str, text: str) -> Value:
        """Return the value of a resource from its YAML; raises SpecError."""
        return self.make(name, Spec(_parsed(text)))


class Watched(Struct, Generic[Value], frozen=True):
    """What has happened to a resource; ``value`` is what it holds now, or held last, and None for BOOTSTRAPPED."""

    change: Change
    id: str
    value: Value | None


def _parsed(text: str) -> Mapping[str, Any]:
    if len(text) > _LARGEST:
        raise SpecError(f"has more than {_LARGEST} characters")
    try:
        found = parse_documents(text, str, "is no mapping")
    except DocumentError as error:
        raise SpecError(f"line {error.line}: {error}") from error
    if len(found) > 1:
        raise SpecError("is more than one document")
    return found[0].value if found else {}


def _machine_status(_: str, spec: Spec) -> MachineStatus:
    status = spec.part("status")
    unmet = tuple(
        UnmetCondition(one.text("name"), one.text("reason")) for one in status.parts("unmetConditions")
    )
    return MachineStatus(spec.text("stage"), status.flag("ready"), unmet)


def _unattended_install(_: str, spec: Spec) -> UnattendedInstall:
    return UnattendedInstall(spec.text("phase"), spec.text("image"), spec.text("error"))


def _disk(name: str, spec: Spec) -> Disk:
    return Disk(
        id=name,
        path=spec.text("dev_path"),
        size=spec.number("size"),
        sector_size=spec.number("sector_size"),
        model=spec.text("model"),
        serial=spec.text("serial"),
        wwid=spec.text("wwid"),
        uuid=spec.text("uuid"),
        modalias=spec.text("modalias"),
        bus_path=spec.text("bus_path"),
        transport=spec.text("transport"),
        is_rotational=spec.flag("rotational"),
        is_read_only=spec.flag("readonly"),
        is_cdrom=spec.flag("cdrom"),
        secondary=spec.texts("secondary_disks"),
        symlinks=spec.texts("symlinks"),
    )


def _discovered_volume(name: str, spec: Spec) -> DiscoveredVolume:
    return DiscoveredVolume(
        id=name,
        path=spec.text("devPath"),
        kind=spec.text("type"),
        parent=spec.text("parent"),
        size=spec.number("size"),
        name=spec.text("name"),
        label=spec.text("label"),
        uuid=spec.text("uuid"),
        partition_label=spec.text("partitionLabel"),
        partition_type=spec.text("partitionType"),
        partition_uuid=spec.text("partitionUUID"),
        partition_index=spec.number("partitionIndex"),
    )


def _volume_status(name: str, spec: Spec) -> VolumeStatus:
    return VolumeStatus(
        id=name,
        phase=spec.text("phase"),
        location=spec.text("location"),
        parent_location=spec.text("parentLocation"),
        filesystem=spec.text("filesystem"),
        size=spec.number("size"),
        error=spec.text("errorMessage"),
    )


def _link(name: str, spec: Spec) -> Link:
    return Link(
        id=name,
        mac=spec.text("hardwareAddr").lower(),
        permanent_mac=spec.text("permanentAddr").lower(),
        kind=spec.text("kind"),
        type=spec.text("type"),
        driver=spec.text("driver"),
        bus_path=spec.text("busPath"),
        is_up=spec.flag("linkState"),
        speed_mbit=spec.number("speedMbit"),
    )


def _system_information(_: str, spec: Spec) -> SystemInformation:
    keys = ("manufacturer", "productName", "version", "serialnumber", "uuid", "skuNumber")
    return SystemInformation(*(spec.text(key) for key in keys))


def _node_status(name: str, spec: Spec) -> NodeStatus:
    return NodeStatus(
        name=spec.text("nodename") or name,
        is_ready=spec.flag("nodeReady"),
        is_unschedulable=spec.flag("unschedulable"),
        labels=spec.map("labels"),
        annotations=spec.map("annotations"),
    )


def _member(name: str, spec: Spec) -> Member:
    return Member(
        id=name,
        node_id=spec.text("nodeId"),
        hostname=spec.text("hostname"),
        machine_type=spec.text("machineType"),
        operating_system=spec.text("operatingSystem"),
        addresses=spec.texts("addresses"),
    )


MACHINE_STATUS = Kind("runtime", "MachineStatuses.runtime.talos.dev", _machine_status, "machine")
UNATTENDED_INSTALL = Kind(
    "runtime",
    "UnattendedInstallStatuses.runtime.talos.dev",
    _unattended_install,
    "unattended-install",
    is_new=True,
)
REBOOT_REQUEST = Kind(
    "runtime",
    "RebootRequests.runtime.talos.dev",
    lambda name, _: RebootRequest(name),
    "reboot-request",
    is_new=True,
)
DISKS = Kind("runtime", "Disks.block.talos.dev", _disk)
SYSTEM_DISK = Kind(
    "runtime",
    "SystemDisks.block.talos.dev",
    lambda _, spec: SystemDisk(spec.text("diskID"), spec.text("devPath")),
    "system-disk",
)
DISCOVERED_VOLUMES = Kind("runtime", "DiscoveredVolumes.block.talos.dev", _discovered_volume)
VOLUME_STATUSES = Kind("runtime", "VolumeStatuses.block.talos.dev", _volume_status)
LINKS = Kind("network", "LinkStatuses.net.talos.dev", _link)
SYSTEM_INFORMATION = Kind(
    "hardware", "SystemInformations.hardware.talos.dev", _system_information, "systeminformation"
)
NODE_STATUSES = Kind("k8s", "NodeStatuses.kubernetes.talos.dev", _node_status)
KUBELET_IMAGE = Kind(
    "k8s", "KubeletSpecs.kubernetes.talos.dev", lambda _, spec: spec.text("image"), "kubelet"
)
TIME_STATUS = Kind(
    "runtime",
    "TimeStatuses.v1alpha1.talos.dev",
    lambda _, spec: TimeStatus(spec.flag("synced"), spec.flag("syncDisabled")),
    "node",
)
HOSTNAME = Kind(
    "network", "HostnameStatuses.net.talos.dev", lambda _, spec: spec.text("hostname"), "hostname"
)
STATIC_PODS = tuple(
    Kind(
        "controlplane",
        f"{name}Configs.kubernetes.talos.dev",
        lambda _, spec: spec.text("enabled") != "false",
        pod,
    )
    for name, pod in (
        ("APIServer", "kube-apiserver"),
        ("ControllerManager", "kube-controller-manager"),
        ("Scheduler", "kube-scheduler"),
    )
)
"""What a control plane runs its static pods with, and whether it runs them; each has its pod's name."""
MEMBERS = Kind("cluster", "Members.cluster.talos.dev", _member)
