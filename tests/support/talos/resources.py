"""The resources that a stand-in tells of itself, with the keys that Talos' own have."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from support.talos.hardware import Disk
from support.talos.static_pods import PODS

from iluvatar_pxe.layers.arda.api.protos import runtime_events_pb2 as events_pb2

if TYPE_CHECKING:
    from support.talos.boot import Boot

RUNTIME = "runtime"
STAGES = {events_pb2.MachineStatusEvent.SHUTTING_DOWN: "shutting down"}
SENSITIVE = frozenset({"MachineConfigs.config.talos.dev"})
TYPES = frozenset(
    {
        "MachineStatuses.runtime.talos.dev",
        "Disks.block.talos.dev",
        "SystemDisks.block.talos.dev",
        "DiscoveredVolumes.block.talos.dev",
        "VolumeStatuses.block.talos.dev",
        "SystemInformations.hardware.talos.dev",
        "Services.v1alpha1.talos.dev",
        "EtcdMembers.etcd.talos.dev",
        "Members.cluster.talos.dev",
        "Nodenames.kubernetes.talos.dev",
        "NodeStatuses.kubernetes.talos.dev",
        "KubeletSpecs.kubernetes.talos.dev",
        *(f"{kind}.kubernetes.talos.dev" for _, _, kind in PODS.values()),
        "TimeStatuses.v1alpha1.talos.dev",
        "NetworkStatuses.net.talos.dev",
        "NodeAddresses.net.talos.dev",
        "HostnameStatuses.net.talos.dev",
        "LinkStatuses.net.talos.dev",
        "SecurityStates.talos.dev",
        "Versions.runtime.talos.dev",
        "KernelCmdlines.runtime.talos.dev",
    }
)
TYPES_OF_1_14 = frozenset({"UnattendedInstallStatuses.runtime.talos.dev", "RebootRequests.runtime.talos.dev"})


@dataclass(frozen=True)
class Resource:
    namespace: str
    type: str
    id: str
    spec: Any
    version: str = ""
    """Empty: one more with each change that the API has told."""

    @property
    def yaml(self) -> str:
        text: str = yaml.dump(self.spec, Dumper=yaml.CSafeDumper, sort_keys=False)
        return text


def types_of(boot: "Boot") -> frozenset[str]:
    """Return the types that this version of Talos has."""
    return TYPES | SENSITIVE | (frozenset() if boot.is_1_13 else TYPES_OF_1_14)


def resources(boot: "Boot") -> Iterator[Resource]:
    """Yield everything that there is at this moment."""
    yield from _of_runtime(boot)
    yield from _of_disks(boot)
    yield from _of_network(boot)
    yield from _of_cluster(boot)


def _of_runtime(boot: "Boot") -> Iterator[Resource]:
    name = events_pb2.MachineStatusEvent.MachineStage.Name(boot.stage).lower()
    unmet = [{"name": name, "reason": reason} for name, reason in boot.unmet.items()]
    status = {
        "stage": STAGES.get(boot.stage, name),
        "status": {"ready": boot.is_ready, "unmetConditions": unmet},
    }
    yield Resource(RUNTIME, "MachineStatuses.runtime.talos.dev", "machine", status)
    yield Resource(RUNTIME, "Versions.runtime.talos.dev", "version", {"version": boot.machine.version})
    cmdline = " ".join(f"{key}={value}" if value else key for key, value in boot.arguments.items())
    yield Resource(RUNTIME, "KernelCmdlines.runtime.talos.dev", "cmdline", {"cmdline": cmdline})
    security = {"secureBoot": False, "bootedWithUKI": False}
    yield Resource(RUNTIME, "SecurityStates.talos.dev", "securitystate", security)
    synced = {"synced": boot.clock.is_right, "epoch": 1, "syncDisabled": False}
    yield Resource(RUNTIME, "TimeStatuses.v1alpha1.talos.dev", "node", synced)
    for service in boot.services.all.values():
        running = service.state == "Running"
        spec = {"running": running, "healthy": service.healthy, "unknown": not running}
        yield Resource(RUNTIME, "Services.v1alpha1.talos.dev", service.name, spec)
    if boot.configuration is not None:
        yield Resource("config", "MachineConfigs.config.talos.dev", "v1alpha1", boot.configuration.text)
    disk = boot.machine.hardware.system_disk
    if disk is not None and disk.installed is not None and disk.installed.config:
        yield Resource("config", "MachineConfigs.config.talos.dev", "persistent", disk.installed.config)
    yield from _of_installation(boot)


def _of_installation(boot: "Boot") -> Iterator[Resource]:
    if boot.is_1_13:
        return
    if boot.install_phase and boot.configuration is not None:
        spec = {"image": boot.configuration.installer_image, "phase": boot.install_phase}
        spec |= {"error": boot.install_error} if boot.install_error else {}
        yield Resource(RUNTIME, "UnattendedInstallStatuses.runtime.talos.dev", "unattended-install", spec)
    if boot.must_reboot:
        yield Resource(RUNTIME, "RebootRequests.runtime.talos.dev", "reboot-request", {})


def _of_disks(boot: "Boot") -> Iterator[Resource]:
    hardware = boot.machine.hardware
    information = {
        "manufacturer": hardware.manufacturer,
        "productName": hardware.product,
        "serialnumber": hardware.serial,
        "uuid": hardware.uuid,
    }
    yield Resource("hardware", "SystemInformations.hardware.talos.dev", "systeminformation", information)
    for disk in hardware.disks:
        yield Resource(RUNTIME, "Disks.block.talos.dev", disk.name, _disk(disk))
        yield from _volumes_of(disk)
    if (system := hardware.system_disk) is not None:
        spec = {"diskID": system.name, "devPath": system.dev_path}
        yield Resource(RUNTIME, "SystemDisks.block.talos.dev", "system-disk", spec)
        for number, label in enumerate(system.partitions, start=1):
            volume = {
                "phase": "ready",
                "type": "partition",
                "location": f"{system.dev_path}{number}",
                "parentLocation": system.dev_path,
                "filesystem": "xfs",
            }
            if label != "EFI":
                yield Resource(RUNTIME, "VolumeStatuses.block.talos.dev", label, volume)


def _disk(disk: Disk) -> dict[str, Any]:
    found = {
        "dev_path": disk.dev_path,
        "size": disk.size,
        "pretty_size": f"{disk.size / 10**9:.0f} GB",
        "io_size": 512,
        "sector_size": 512,
        "readonly": disk.readonly,
        "cdrom": disk.cdrom,
        "model": disk.model,
        "serial": disk.serial,
        "modalias": disk.modalias,
        "wwid": disk.wwid,
        "bus_path": disk.bus_path,
        "sub_system": "/sys/class/block",
        "transport": disk.transport,
        "rotational": disk.rotational,
    }
    kept = {"readonly", "cdrom"}
    return {key: value for key, value in found.items() if value or key in kept}


def _volumes_of(disk: Disk) -> Iterator[Resource]:
    kind = "DiscoveredVolumes.block.talos.dev"
    common: dict[str, Any] = {"size": disk.size, "pretty_size": f"{disk.size / 10**9:.0f} GB", "offset": 0}
    table = {"name": "gpt"} if disk.partitions else {"name": ""}
    whole: dict[str, Any] = {"devPath": disk.dev_path, "type": "disk", "devicePath": "", **common, **table}
    yield Resource(RUNTIME, kind, disk.name, whole)
    systems = ("vfat", "", "xfs", "xfs") if disk.installed else disk.holds
    for number, (label, system) in enumerate(zip(disk.partitions, systems, strict=True), start=1):
        separator = "p" if disk.name[-1].isdigit() else ""
        name = f"{disk.name}{separator}{number}"
        spec: dict[str, Any] = {"devPath": f"/dev/{name}", "type": "partition", "parent": disk.name}
        spec |= {
            "devicePath": "",
            "parentDevPath": disk.dev_path,
            **common,
            "name": system,
            "partitionIndex": number,
        }
        spec |= {"partitionLabel": label} if label else {}
        yield Resource(RUNTIME, kind, name, spec)


def _of_network(boot: "Boot") -> Iterator[Resource]:
    status = dict.fromkeys(("addressReady", "connectivityReady", "hostnameReady", "etcFilesReady"), True)
    yield Resource("network", "NetworkStatuses.net.talos.dev", "status", status)
    addresses = {"addresses": [f"{boot.machine.address}/24"], "sortAlgorithm": "v1"}
    yield Resource("network", "NodeAddresses.net.talos.dev", "current", addresses)
    hostname = {"hostname": _hostname(boot), "domainname": ""}
    yield Resource("network", "HostnameStatuses.net.talos.dev", "hostname", hostname)
    for number, mac in enumerate(boot.machine.hardware.macs):
        link = {
            "index": number + 2,
            "type": "ether",
            "linkIndex": 0,
            "flags": "UP,BROADCAST,RUNNING,MULTICAST,LOWER_UP",
            "hardwareAddr": mac,
            "permanentAddr": mac,
            "mtu": 1500,
            "operationalState": "up",
            "kind": "",
            "driver": "stand-in",
            "linkState": True,
        }
        yield Resource("network", "LinkStatuses.net.talos.dev", f"enp{number}s0", link)


def _of_cluster(boot: "Boot") -> Iterator[Resource]:
    name = _hostname(boot)
    if boot.is_installed and name:
        nodename = {"nodename": name, "hostnameVersion": "1", "skipNodeRegistration": False}
        yield Resource("k8s", "Nodenames.kubernetes.talos.dev", "nodename", nodename)
    if boot.kubelet is not None and boot.configuration is not None:
        kubelet = {"image": boot.configuration.kubelet_image}
        yield Resource("k8s", "KubeletSpecs.kubernetes.talos.dev", "kubelet", kubelet)
    if boot.is_member_of_kubernetes:
        node = {"nodename": name, "nodeReady": True, **_marks(boot, name)}
        yield Resource("k8s", "NodeStatuses.kubernetes.talos.dev", name, {**node, "podCIDRs": []})
    if boot.membership is not None and boot.configuration is not None:
        for pod, (field, _, kind) in PODS.items():
            spec = {"image": str((boot.configuration.cluster.get(field) or {}).get("image", ""))}
            version = str(boot.static_pods.versions[pod])
            yield Resource("controlplane", f"{kind}.kubernetes.talos.dev", pod, spec, version)
    if boot.membership is not None and boot.membership.id:
        member = {"memberID": f"{boot.membership.id:016x}"}
        yield Resource("etcd", "EtcdMembers.etcd.talos.dev", "local", member)


def _marks(boot: "Boot", name: str) -> dict[str, Any]:
    """Return what Kubernetes has of its Node."""
    assert boot.configuration is not None
    node = boot.machine.site.kubernetes(boot.configuration.os_ca.crt).nodes[name]
    marks = {key: dict(node["metadata"][key]) for key in ("labels", "annotations")}
    return {"unschedulable": bool(node["spec"].get("unschedulable")), **marks}


def _hostname(boot: "Boot") -> str:
    return boot.configuration.hostname if boot.configuration is not None else ""
